/*
 * Mediation, from the kernel's side: who has a monitor, how it gets the system calls, and what it
 * may ask of the kernel besides those that every program has.
 */
#ifndef MEDIATION_H
#define MEDIATION_H

#include "interrupt.h"

/* If this system call is for the monitor of the process that runs, has the thread go on there, and
 * returns true; then there is nothing else to do. */
bool mediation_deliver(trap_frame_t *caller);

/* Carries out a call with a number from KERNEL_CALL_FIRST to KERNEL_CALL_LAST, whoever makes it;
 * returns what is to be found in EAX. */
int mediation_call(const trap_frame_t *caller);

#endif
