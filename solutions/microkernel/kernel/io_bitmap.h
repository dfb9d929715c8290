// STAGE 4 FILE
/*
 * Device registers for a program. IN and OUT in ring 3 look the port up in a bitmap of the
 * task-state segment (Intel SDM vol. 1, section 19.5.2): a zero bit lets the instruction through, a
 * one, or no bitmap there, makes it a general-protection fault.
 */
#ifndef IO_BITMAP_H
#define IO_BITMAP_H

#include <stdbool.h>

/* Says whether the program that runs next may use the disk's ports. No program gets any others. */
void io_bitmap_select(bool grants_disk);

#endif
