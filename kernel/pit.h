/*
 * The programmable interval timer (PIT), which gives the kernel its sense of time.
 */
#ifndef PIT_H
#define PIT_H

#include <stdint.h>

/* Has the timer interrupt TICKS_PER_SECOND times a second, on request line 0. */
#define PIT_IRQ 0
void pit_init(void);

/* The ticks since then; counted by timer_handler. */
extern uint32_t ticks;

#endif
