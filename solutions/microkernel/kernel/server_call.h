// STAGE 2 FILE
/*
 * The system calls of server_calls.h, the kernel's side.
 */
#ifndef SERVER_CALL_H
#define SERVER_CALL_H

#include "interrupt.h"

int server_call(const trap_frame_t *caller);

#endif
