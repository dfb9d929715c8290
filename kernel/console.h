/*
 * The console: what the kernel and the programs say goes to the screen and to the serial line
 * alike, byte for byte.
 */
#ifndef CONSOLE_H
#define CONSOLE_H

#include <stddef.h>

#include "format.h"

/* Puts `length` bytes onto the screen and onto the serial line. */
void console_write(const char *bytes, size_t length);
/* Prints as printf does; format.h lists the conversions. */
void print_format(const char *format, ...) FORMAT_CHECKED(1, 2);

#endif
