/*
 * The console. The serial line comes first: should the screen's memory be what is broken, the words
 * are out already.
 */
#include "console.h"

#include "screen.h"
#include "serial.h"

void console_write(const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        serial_write(bytes[i]);
    }
    screen_write(bytes, length);
}

static void console_sink(void *context, char character)
{
    (void)context;
    console_write(&character, 1);
}

void print_format(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    format_text(console_sink, NULL, format, arguments);
    va_end(arguments);
}
