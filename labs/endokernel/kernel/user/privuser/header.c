/*
 * The first bytes of every PrivUser: they tell the kernel that this is one, and where it is
 * entered: by ring 3 through the call gate, and by the kernel with a system call that ring 3 has
 * made.
 */
#include "privuser.h"

extern const uint8_t privuser_entry[]; /* entry.asm */
extern const uint8_t monitor_entry[];  /* monitor_entry.asm */

/* user.ld puts this section in front of all others. */
__attribute__((used, section(".header"))) static const privuser_header_t privuser_header = {
    .magic = PRIVUSER_MAGIC,
    .privcall_entry = (uint32_t)privuser_entry,
    .system_call_entry = (uint32_t)monitor_entry,
};
