// STAGE 2 FILE
/*
 * What the process server is asked for, by library_process.c.
 */
#ifndef PROCESS_SERVER_H
#define PROCESS_SERVER_H

#include <stdint.h>

enum process_request {
    PROCESS_SPAWN = 16, /* name; window: the argument with its NUL -> pid */
    PROCESS_WAIT = 17, /* payload[0]: pid, or 0; window: an int for the status, or nothing -> pid */
    PROCESS_KILL = 18, /* payload[0]: pid */
    PROCESS_LIST = 19, /* window: an array of struct process_entry -> entries filled in */
};

/* Creates a process from the program of that name. Returns its pid or an error. It stays a function
 * of its own, whatever the optimizer would like, so that a debugger can watch it. */
__attribute__((noinline, noclone)) int process_create(const char *name, const char *argument,
                                                      uint32_t parent, uint32_t service);

#endif
