/*
 * Exceptions: what the processor does when an instruction cannot be carried out.
 */
#ifndef EXCEPTION_H
#define EXCEPTION_H

#include "interrupt.h"

#define VECTOR_NMI 2

/* Ends the process that caused the exception; one in the kernel itself is a panic. */
_Noreturn void exception_handler(const trap_frame_t *frame);

#endif
