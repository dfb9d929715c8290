/*
 * The smallest exchange between two processes: one number there, one number back. Given, for the
 * lab's experiment; no stage changes it.
 */
#ifndef EXCHANGE_H
#define EXCHANGE_H

#include "process.h"

/* Asks a process and returns its answer; E_NO_PROCESS or, when it ends meanwhile, E_DEAD. */
int ask(uint32_t pid, uint32_t value);

/* Answers who asked last, waits for the next who asks, and returns its pid with its *question. */
int answer(uint32_t value, uint32_t *question);

/* A process has ended: nobody may go on waiting for its answer. */
void exchange_forget(const process_t *process);

#endif
