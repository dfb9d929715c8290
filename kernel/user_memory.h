/*
 * The checks that stand between the kernel and a pointer it got from a program. All of them look at
 * the present address space, the one of the program that made the system call.
 */
#ifndef USER_MEMORY_H
#define USER_MEMORY_H

#include "types.h"

/* OK when the program may read (or, with `writable`, write) all of the range; otherwise E_FAULT.
 * An empty range is OK wherever it is. */
int user_range_check(virtual_address_t start, uint32_t length, bool writable);

/* Copy between the kernel and the program. Return OK, or E_FAULT when nothing was copied. */
int copy_from_user(void *to, virtual_address_t from, uint32_t length);
int copy_to_user(virtual_address_t to, const void *from, uint32_t length);

/* Copies a NUL-terminated string of at most `size` - 1 characters. Returns its length, E_FAULT, or
 * E_NAME when it is longer. */
int copy_string_from_user(char *to, virtual_address_t from, uint32_t size);

/* Map zeroed, writable pages to the range, or unmap them. `start` must be at a page's beginning;
 * `length` is rounded up to whole pages. All of the range or, after an error, nothing is changed.
 * E_INVALID: no such range in a program's half. user_memory_map: E_EXISTS (something is mapped
 * there), E_MEMORY. user_memory_unmap: E_FAULT (not all of it is mapped). */
int user_memory_map(virtual_address_t start, uint32_t length);
int user_memory_unmap(virtual_address_t start, uint32_t length);

#endif
