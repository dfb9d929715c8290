/*
 * The mechanism of switching: what must be kept of a process while another one runs, and the
 * change-over itself. It knows nothing of pids, states or lists.
 */
#ifndef CONTEXT_H
#define CONTEXT_H

#include "interrupt.h"
// STAGE 2 {
#include "ldt.h"
// STAGE 2 }
#include "types.h"

#define KERNEL_STACK_SIZE 8192u

/* What the processor needs to go on with a process. All of the program's registers are in the trap
 * frame on the process's kernel stack; the kernel's own, at the place where it stopped, are on the
 * same stack below. So a stack pointer and an address space are all that is left to keep. */
typedef struct {
    uint32_t *kernel_esp;              /* where run_next_process left the kernel stack */
    uint8_t *kernel_stack;             /* its lowest byte */
    physical_address_t page_directory; /* the address space */
    // STAGE 2 {
    /* The process's; NULL: it has no PrivUser. */
    const ldt_t *ldt;
    /* The top of the stack for ring 2, of this thread alone. */
    virtual_address_t privuser_stack;
    // STAGE 2 }
} process_context_t;

/* Prepares a context that, when it first runs, enters ring 3 at `entry` with this stack pointer.
 * Returns OK or E_MEMORY. The address space is only used, not owned. */
int context_create(process_context_t *context, physical_address_t page_directory,
                   virtual_address_t entry, virtual_address_t user_esp);

/* Makes a context of what runs now, on the stack and in the address space of the kernel's start. */
void context_adopt(process_context_t *context);

// STAGE 4 {
/* The registers of the program that made the system call which is being carried out. */
const trap_frame_t *context_trap_frame(const process_context_t *context);

// STAGE 4 }
/* Frees the kernel stack. The context must not be the one that runs. */
void context_destroy(process_context_t *context);

/* Switches the processor from one context to another; returns when something switches back.
 * Interrupts must be off. */
void run_next_process(process_context_t *from, const process_context_t *to);

#endif
