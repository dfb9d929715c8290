/*
 * The aliases: a table in memory, so they are gone with the kernel. An alias leads to a file's own
 * name and never to another alias, no alias is a file's own name, and none outlives its file; so
 * whatever a name looks like, it leads to a file in one step.
 */
#include "file_name.h"

#include "disk_filesystem.h"
#include "error.h"
#include "string.h"

typedef struct {
    char name[FILE_NAME_MAX + 1]; /* empty: a free entry */
    char file[FILE_NAME_MAX + 1]; /* its own name */
} alias_t;

static alias_t aliases[ALIASES_MAX];

/* The entry of that name, which is "" for a free one; NULL when there is none. */
static alias_t *find_alias(const char *name)
{
    for (uint32_t i = 0; i < ALIASES_MAX; i++) {
        if (strcmp(aliases[i].name, name) == 0) {
            return &aliases[i];
        }
    }
    return NULL;
}

const char *file_own_name(const char *name)
{
    const char *start = file_name_start(name);
    const alias_t *alias = *start == '\0' ? NULL : find_alias(start);

    return alias == NULL ? start : alias->file;
}

bool file_name_is_alias(const char *name)
{
    const char *start = file_name_start(name);

    return *start != '\0' && find_alias(start) != NULL;
}

int link_file(const char *name, const char *alias)
{
    char file[FILE_NAME_MAX + 1]; /* a copy: file_own_name may have returned what is changed here */
    const char *own_name = file_own_name(name);
    const char *new_name = file_name_start(alias);
    const int size = disk_file_size(own_name);

    if (size < 0) {
        return size;
    }
    strcpy(file, own_name);
    const int taken = disk_file_size(new_name); /* E_NAME when it cannot be a name */
    if (taken != E_NOT_FOUND) {
        return taken < 0 ? taken : E_EXISTS;
    }
    alias_t *entry = find_alias(new_name);
    if (entry == NULL) {
        entry = find_alias("");
    }
    if (entry == NULL) {
        return E_FULL;
    }
    strcpy(entry->name, new_name);
    strcpy(entry->file, file);
    return OK;
}

void file_name_forget(const char *own_name)
{
    for (uint32_t i = 0; i < ALIASES_MAX; i++) {
        if (strcmp(aliases[i].file, own_name) == 0) {
            aliases[i] = (alias_t){.name = ""};
        }
    }
}
