/*
 * What is typed: on the keyboard and on the serial line, put together into one stream and handed
 * out in lines that can be edited until Enter ends them.
 */
#ifndef CONSOLE_INPUT_H
#define CONSOLE_INPUT_H

#include <stddef.h>

/* Begins to listen to keyboard and serial line. Needs the PIC set up. */
void console_input_init(void);
/*
 * Waits for a line and copies it, with the '\n' that ended it, to the buffer. Returns its length,
 * or E_FULL for a line longer than `max`, which is thrown away whole: half a command is a wrong
 * one.
 */
int console_read(char *buffer, size_t max);
/* Takes a byte that was typed; for the drivers, in interrupt context. */
void console_input_byte(char byte);

#endif
