// STAGE 3 {
//: /*
//:  * The scheduler: the policy that picks who runs next.
//:  */
/*
 * Who runs next. The policy is the scheduler server's; the kernel asks it, checks the answer, and
 * gives the processor away. Without a server that answers, the ready processes take turns.
 */
// STAGE 3 }
#ifndef SCHEDULER_H
#define SCHEDULER_H

// STAGE 3 {
#include "ipc_abi.h"
// STAGE 3 }
#include "process.h"

void scheduler_init(void);

// STAGE 3 {
//: /* Gives the processor to the next process. Called with interrupts off, from the timer and by a
//:  * process that blocks, yields or ends; returns when the caller's turn has come again. */
//: void scheduler(void);
/* Gives the processor away. Called with interrupts off, by a process that blocks, yields or ends;
 * returns when the caller's turn has come again. */
void dispatch(void);

/* The same at the end of a quantum, for whoever runs; from the timer. */
void quantum_end(void);

/* The same for a process that blocks, to a process that is ready because of it. */
void dispatch_to(process_t *next);
// STAGE 3 }

/* Gives the processor to that process, which is ready or idle. */
void switch_to(process_t *next);
// STAGE 3 {
//:
//: /* The next ready process in round-robin order; the idle process when there is none. */
//: process_t *get_next_process(void);

/* From now on this process decides. It may have to come to its first receive before it can. */
void scheduler_appoint(process_t *process);

/* A process has ended; if it was the one that decides, nobody does. */
void scheduler_forget(const process_t *process);

/* The running process answers the kernel's question. Returns OK, or E_INVALID if none was asked. */
int scheduler_answer(const message_t *answer);
// STAGE 3 }

#endif
