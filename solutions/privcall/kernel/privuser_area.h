// STAGE 1 FILE
/*
 * The PrivUser area of a process, from the kernel's side: its pages are the supervisor's, so ring 3
 * cannot touch them, and they are known by their addresses alone.
 */
#ifndef PRIVUSER_AREA_H
#define PRIVUSER_AREA_H

// STAGE 2 {
#include "context.h"
// STAGE 2 }
#include "elf.h"
#include "privuser.h"
#include "types.h"

/* Whether any byte of the range is in the area; nothing of an empty range is. The sum of start and
 * length must not wrap around. */
bool overlaps_privuser(virtual_address_t start, uint32_t length);

/* Whether all of a segment is in that part of the area which a program's file may fill. */
bool is_privuser_segment(const elf_segment_t *segment);

/* Looks for the PrivUser of a program that has just been loaded. Returns OK, with *privcall_entry
 * where the call gate shall lead, or 0 for a program without; or E_FORMAT: a header that lies. */
int privuser_find(physical_address_t directory, const elf_segment_t *segments, uint32_t count,
                  virtual_address_t *privcall_entry);

/* Overwrites all that an address space has in the area; its frames are about to be freed. */
void privuser_wipe(physical_address_t directory);

// STAGE 2 {
/* Gives a thread what it takes to call into PrivUser: the process's LDT and a stack of its own.
 * Returns OK, E_FULL or E_MEMORY. */
int privuser_enter(process_context_t *thread, const ldt_t *ldt);

// STAGE 2 }
// STAGE 4 {
/* Takes that back from a thread that ends, if it had it. */
void privuser_leave(process_context_t *thread);

// STAGE 4 }
#endif
