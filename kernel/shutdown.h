/*
 * The end of the machine's work.
 */
#ifndef SHUTDOWN_H
#define SHUTDOWN_H

/* Ends the emulator, with an exit status, where there is one; halts the machine otherwise. */
_Noreturn void shutdown(int status);

#endif
