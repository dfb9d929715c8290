/*
 * The end of the kernel: when something that must hold does not, saying so and stopping is better
 * than going on with a broken machine.
 */
#ifndef PANIC_H
#define PANIC_H

/* Prints "PANIC: " and the reason, and stops the machine. */
_Noreturn void panic(const char *reason);

/* Stops the machine for ever, with interrupts off. A debugger's breakpoint belongs here. */
_Noreturn void panic_halt(void);

/* Panics, naming the condition and where it stands in the source. Called by assert() alone. */
_Noreturn void assertion_failed(const char *condition, const char *file, unsigned line);

/* States what must hold at this point, for the reader and for the machine. */
#define assert(condition)                                                                          \
    ((condition) ? (void)0 : assertion_failed(#condition, __FILE_NAME__, __LINE__))

#endif
