/*
 * Memory and strings, with the names and the meaning that the C standard gives them (C17, 7.24).
 * The kernel and the user programs are both linked with this file's functions, since neither has a
 * libc; the first four must exist in any case, because the compiler itself calls them.
 */
#ifndef STRING_H
#define STRING_H

#include <stddef.h>

void *memcpy(void *destination, const void *source, size_t length);
void *memmove(void *destination, const void *source, size_t length);
void *memset(void *destination, int value, size_t length);
int memcmp(const void *left, const void *right, size_t length);

size_t strlen(const char *string);
/* Negative, 0 or positive, as `left` sorts before, is equal to, or sorts after `right`. */
int strcmp(const char *left, const char *right);
int strncmp(const char *left, const char *right, size_t length);
char *strcpy(char *destination, const char *source);
/* The first `character` in `string`, or NULL; the final NUL can be looked for too. */
char *strchr(const char *string, int character);

#endif
