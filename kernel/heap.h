/*
 * The kernel's heap: memory of any size for the kernel's own data.
 */
#ifndef HEAP_H
#define HEAP_H

#include "types.h"

/* Sets aside the heap's memory. Needs frame_init and paging_init. */
void heap_init(void);

/* `bytes` of memory, 16-byte aligned and not zeroed; NULL when there is not enough, or for 0. */
void *kalloc(size_t bytes);

/* Gives back what kalloc returned; NULL is allowed and does nothing. */
void kfree(void *pointer);

#endif
