/*
 * Text with values in it, as printf does it: the part that the kernel's print_format and the user
 * library's have in common. It only makes characters; where they go is the caller's business.
 */
#ifndef FORMAT_H
#define FORMAT_H

#include <stdarg.h>

/* Lets the compiler check arguments against the format. Not i686-elf-gcc: its uint32_t is an
 * unsigned long, and it would refuse every %u. */
#ifdef __linux__
#define FORMAT_CHECKED(string, first) __attribute__((format(printf, string, first)))
#else
#define FORMAT_CHECKED(string, first)
#endif

/* Takes the next character of the text; `context` is what was given to format_text. */
typedef void (*format_sink_t)(void *context, char character);

/*
 * Knows %d (signed), %u, %x (unsigned), %s, %c and %%, each with an optional width, `-` to pad on
 * the right, and `0` to pad a number with zeros: %08x, %-12s. A NULL string becomes "(null)"; an
 * unknown conversion is shown as it was written.
 */
void format_text(format_sink_t sink, void *context, const char *format, va_list arguments);

#endif
