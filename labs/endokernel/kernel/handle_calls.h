/*
 * The system calls for open files, from the kernel's side.
 */
#ifndef HANDLE_CALLS_H
#define HANDLE_CALLS_H

#include "interrupt.h"

/* Carries out the call that the frame asks for; E_NO_CALL when it is none of these. */
int handle_system_call(const trap_frame_t *caller);

#endif
