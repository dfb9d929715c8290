// STAGE 1 FILE
/*
 * What the kernel's side of mediation and the monitor agree on: how a system call looks when it is
 * delivered, and what the monitor can ask of the kernel besides the ordinary system calls.
 */
#ifndef MEDIATION_ABI_H
#define MEDIATION_ABI_H

#include <stdint.h>

#include "endokernel.h"

#define MONITOR_THREADS_MAX 64 /* the kernel's PROCESSES_MAX: a thread's slot is below */

/* A delivered system call: what the kernel puts on the thread's PrivUser stack, lowest address
 * first. The monitor changes what the program is to find, and returns with it (monitor_entry.asm).
 */
typedef struct {
    uint32_t domain; /* the thread's domain: the kernel knows it, and ring 3 cannot say otherwise */
    uint32_t thread; /* its slot: no other thread that lives has the same */
    uint32_t gs, fs, es, ds;
    uint32_t edi, esi, ebp, esp_of_nobody, ebx, edx, ecx, eax;
    uint32_t eip, cs, eflags, esp, ss;
} monitor_frame_t;

/* From ring 2 only. Arguments are in registers, as those of a system call. */
enum kernel_call {
    KERNEL_CALL_COPY_STRING = KERNEL_CALL_FIRST, /* (to, from, size) -> length; see mediation.c */
    KERNEL_CALL_SPAWN,                           /* (name, argument) -> pid of a mediated child */
    KERNEL_CALL_UNMAP,                           /* (address, length) of what can be written */
    // STAGE 3 {
    KERNEL_CALL_ENTER_DOMAIN, /* (domain): the thread runs in that domain from now on */
    // STAGE 3 }
};

// STAGE 3 {
/* Between programs and their monitor (domain_call.asm). */
enum monitor_call {
    MONITOR_CALL_DOMAIN_CALL = MONITOR_CALL_FIRST, /* (domain, entry, a, b, c) -> the result */
    MONITOR_CALL_DOMAIN_RETURN,                    /* (result) */
};

// STAGE 3 }
#endif
