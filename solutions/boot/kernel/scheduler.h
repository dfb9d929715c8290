/*
 * The scheduler: the policy that picks who runs next.
 */
#ifndef SCHEDULER_H
#define SCHEDULER_H

#include "process.h"

// STAGE 1 {
/* How often run_next_process has been called so far. */
extern uint32_t switches_count;
// STAGE 1 }

void scheduler_init(void);

/* Gives the processor to the next process. Called with interrupts off, from the timer and by a
 * process that blocks, yields or ends; returns when the caller's turn has come again. */
void scheduler(void);

/* Gives the processor to that process, which is ready or idle. */
void switch_to(process_t *next);

/* The next ready process in round-robin order; the idle process when there is none. */
process_t *get_next_process(void);

#endif
