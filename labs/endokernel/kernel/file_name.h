/*
 * Names of files. One file can be named in several ways: "key", "/key" and ".//key" are the same
 * name, and link_file gives a file further ones, its aliases. Its own name is the one that it was
 * created with; that is what a decision about the file must be made by.
 */
#ifndef FILE_NAME_H
#define FILE_NAME_H

#include "types.h"

#define ALIASES_MAX 16

/* Where a name begins, after any `/` and `./` before it. */
static inline const char *file_name_start(const char *name)
{
    while (name[0] == '/' || (name[0] == '.' && name[1] == '/')) {
        name += name[0] == '/' ? 1 : 2;
    }
    return name;
}

/* The own name of the file that `name` leads to; of a file that does not exist, the name without
 * what is skipped. What is returned is part of `name`, or stays valid until the aliases change. */
const char *file_own_name(const char *name);

/* Whether `name` is an alias. */
bool file_name_is_alias(const char *name);

/* Makes `alias` another name of the file that `name` leads to; an alias that there is already is
 * turned to it. Returns OK, E_NOT_FOUND (no such file), E_EXISTS (a file's own name is not to be
 * had), E_NAME, E_FULL, or what the disk answered. */
int link_file(const char *name, const char *alias);

/* Forgets the aliases of a file, given by its own name, that is no more. */
void file_name_forget(const char *own_name);

#endif
