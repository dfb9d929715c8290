/*
 * Threads: several courses of execution in one address space. A thread is a process like others to
 * wait(), kill() and getpid(), but shares its memory, and its PrivUser, with its creator.
 */
#ifndef THREAD_H
#define THREAD_H

#include <stdint.h>

/* Starts a thread that calls function(argument) on the stack that ends at `stack_top`, and exits
 * with status 0 when the function returns. Returns its pid, which its creator can wait for, or an
 * error. exit() ends one thread; in a process's first thread it ends the process with all threads,
 * and so does a fault of any thread. */
int thread_create(void (*function)(uint32_t), void *stack_top, uint32_t argument);

#endif
