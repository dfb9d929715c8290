/*
 * What is typed. Interrupt handlers put bytes into a ring, and nothing more; the process that reads
 * takes them out, edits its line and echoes it. So what is typed ahead shows up when it is read, in
 * its place behind the prompt.
 */
#include "console_input.h"

#include <stdbool.h>
#include <stdint.h>

#include "error.h"
#include "keyboard.h"
#include "process.h"
#include "screen.h"
#include "serial.h"

enum {
    RING_SIZE = 1024, /* a power of two, so that counters may wrap around */
    CONTROL_U = 0x15, /* erases the line */
    ESCAPE = 0x1B,
    DELETE = 0x7F,
};

static char ring[RING_SIZE];
/* Counted up for ever; bytes_in - bytes_out is how many wait in the ring. */
static uint32_t bytes_in;
static uint32_t bytes_out;

/* A terminal sends its arrow keys and their like as ESC [ ... letter. */
static enum { OUTSIDE, AFTER_ESCAPE, INSIDE } sequence;

void console_input_byte(char byte)
{
    if (bytes_in - bytes_out < RING_SIZE) {
        ring[bytes_in % RING_SIZE] = byte;
        bytes_in++;
    }
    process_wake(ring);
}

static char wait_byte(void)
{
    while (bytes_in == bytes_out) {
        process_sleep_on(ring);
    }
    char byte = ring[bytes_out % RING_SIZE];

    bytes_out++;
    return byte;
}

/* Whether this byte is part of an escape sequence, which means nothing here. */
static bool is_in_sequence(char byte)
{
    if (byte == ESCAPE) {
        sequence = AFTER_ESCAPE;
        return true;
    }
    if (sequence == AFTER_ESCAPE) {
        sequence = byte == '[' || byte == 'O' ? INSIDE : OUTSIDE;
        return true;
    }
    if (sequence == INSIDE) {
        sequence = byte >= '@' && byte <= '~' ? OUTSIDE : INSIDE;
        return true;
    }
    return false;
}

/* A line being typed. It is counted on beyond what the buffer holds, though only its beginning is
 * stored: so the backspace key can make a line that was too long a good one again. */
typedef struct {
    char *buffer;
    size_t max;
    size_t length;
} line_t;

static void append(line_t *line, char character)
{
    if (line->length < line->max) {
        line->buffer[line->length] = character;
    }
    line->length++;
    console_write(&character, 1);
}

static void erase_last(line_t *line)
{
    if (line->length > 0) {
        line->length--;
        print("\b \b");
    }
}

/* Returns whether this byte ended the line. */
static bool edit(line_t *line, char byte)
{
    switch (byte) {
    case '\r': /* what a terminal's Enter key sends */
    case '\n':
        append(line, '\n');
        return true;
    case '\b':
    case DELETE: /* what most terminals' backspace key sends */
        erase_last(line);
        return false;
    case CONTROL_U:
        while (line->length > 0) {
            erase_last(line);
        }
        return false;
    default:
        if (byte >= ' ' && byte <= '~') {
            append(line, byte);
        }
        return false;
    }
}

int console_read(char *buffer, size_t max)
{
    line_t line = {.buffer = buffer, .max = max};
    bool ended = false;

    while (!ended) {
        char byte = wait_byte();

        ended = !is_in_sequence(byte) && edit(&line, byte);
    }
    return line.length <= max ? (int)line.length : E_FULL;
}

void console_input_init(void)
{
    keyboard_init();
    serial_listen(console_input_byte);
}
