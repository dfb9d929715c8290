/*
 * The first bytes of every PrivUser: they tell the kernel that this is one, and where ring 3 may
 * enter it. The kernel has to check what stands here, for a program's file can say anything.
 */
#include "privuser.h"

extern const uint8_t privuser_entry[]; /* entry.asm */

/* user.ld puts this section in front of all others. */
__attribute__((used, section(".header"))) static const privuser_header_t privuser_header = {
    .magic = PRIVUSER_MAGIC,
    .privcall_entry = (uint32_t)privuser_entry,
};
