/*
 * The smallest exchange between two processes: one number there, one number back. It is what the
 * lab's experiment compares privcall with: the same service by another process.
 */
#ifndef EXCHANGE_H
#define EXCHANGE_H

#include <stdint.h>

/* Sends a value to a process, waits for its answer, and returns that. E_NO_PROCESS: there is no
 * such process, or it is the caller; E_DEAD: it ended without an answer. */
int ask(uint32_t pid, uint32_t value);

/* Answers who asked last, if anybody did, then waits for the next who asks. Stores the value in
 * *question and returns the pid, or E_FAULT. */
int answer(int value_for_the_last_asker, uint32_t *question);

#endif
