// STAGE 1 FILE
/*
 * The monitor's parts, each for the others. All of them run in ring 2, between a program's system
 * call and the kernel: monitor.c takes a call and decides, policy.c knows what is allowed,
 * buffers.c whose memory an address is, files.c and domains.c carry out what the kernel cannot do
 * alone.
 */
#ifndef MONITOR_H
#define MONITOR_H

#include <stdbool.h>
#include <stddef.h>

#include "mediation_abi.h"
#include "system_call.h"

/* Carries out a system call that policy and buffer_check have let pass; what it returns is what the
 * program finds in EAX. */
typedef int (*monitor_call_t)(monitor_frame_t *caller);

/* A system call of the monitor's own. From ring 2 it goes straight to the kernel, which does what
 * it is asked with all that the monitor may do: no argument may come from the program unjudged. */
static inline int kernel_call(uint32_t number, uint32_t first, uint32_t second, uint32_t third,
                              uint32_t fourth, uint32_t fifth)
{
    int result;

    __asm__ volatile("int $0x80"
                     : "=a"(result)
                     : "a"(number), "b"(first), "c"(second), "d"(third), "S"(fourth), "D"(fifth)
                     : "memory");
    return result;
}

/* policy.c */
bool policy_allows_call(uint32_t domain, uint32_t number);
// STAGE 2 {
/* What the domain may do with the file of that own name: RIGHT_ bits. */
uint32_t policy_file_rights(uint32_t domain, const char *own_name);
// STAGE 2 }

/* buffers.c: whether the caller may use all the memory that the call's arguments lead to. */
bool buffers_are_the_callers(const monitor_frame_t *caller);

/* Copies a string of the program's into the monitor's memory, once. Returns its length or an error,
 * like the kernel's copy_string_from_user. */
int string_copy(const monitor_frame_t *caller, char *to, uint32_t from, uint32_t size);

/* files.c: the system calls that are about files. */
int monitor_create_file(monitor_frame_t *caller);
int monitor_read_file(monitor_frame_t *caller);
int monitor_delete_file(monitor_frame_t *caller);
int monitor_open_file(monitor_frame_t *caller);
int monitor_read_handle(monitor_frame_t *caller);
int monitor_close_handle(monitor_frame_t *caller);
int monitor_duplicate_handle(monitor_frame_t *caller);
int monitor_handle_name(monitor_frame_t *caller);
int monitor_delete_handle(monitor_frame_t *caller);
int monitor_link_file(monitor_frame_t *caller);

// STAGE 3 {
/* domains.c: the call of another domain, and the way back. */
int domain_enter(monitor_frame_t *caller);
int domain_leave(monitor_frame_t *caller);
/* Forgets the calls of a thread that ends. */
void domain_forget_thread(uint32_t thread);

/* lock.c: threads of one process come here at the same time. Held for a few system calls that do
 * not block; a thread that is killed while it holds the lock takes all others with it. */
void monitor_lock(void);
void monitor_unlock(void);

// STAGE 3 }
#endif
