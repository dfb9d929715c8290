/*
 * The VGA text screen, 80 columns and 25 rows, and the kernel's own ways to print. Whatever print
 * and its kin write goes to the whole console, that is to the screen and to the serial line
 * (console.h).
 */
#ifndef SCREEN_H
#define SCREEN_H

#include <stddef.h>
#include <stdint.h>

#include "console.h"

enum { SCREEN_COLUMNS = 80, SCREEN_ROWS = 25 };

/* Clears the screen and puts the cursor into its upper left corner. */
void screen_init(void);
/*
 * Shows `length` bytes at the cursor, on the screen only. A line that is full continues on the next
 * row, and the last row scrolls up. Understands '\n', '\r', '\t' and '\b' (one cell back, also over
 * the start of a row); other control characters show nothing.
 */
void screen_write(const char *bytes, size_t length);

/* Print a string; a string and a new line; a signed number; a number as 0x and 8 digits. */
void print(const char *string);
void println(const char *string);
void printi(int number);
void print_hex(uint32_t number);

#endif
