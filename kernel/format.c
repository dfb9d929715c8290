/*
 * Text with values in it. A conversion is worked out in two steps: the bare text of the value, then
 * the padding around it.
 */
#include "format.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "string.h"

enum { DIGITS_MAX = 10 }; /* 4294967295 */

/* Where the characters go, and how the present conversion wants them to be padded. */
typedef struct {
    format_sink_t sink;
    void *context;
    bool left;
    bool zeros;
    size_t width;
} output_t;

static void put_padding(const output_t *output, char padding, size_t length)
{
    for (; length < output->width; length++) {
        output->sink(output->context, padding);
    }
}

static void put_characters(const output_t *output, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        output->sink(output->context, text[i]);
    }
}

static void put_text(const output_t *output, const char *text, size_t length)
{
    if (!output->left) {
        put_padding(output, ' ', length);
    }
    put_characters(output, text, length);
    if (output->left) {
        put_padding(output, ' ', length);
    }
}

static void put_number(const output_t *output, uint32_t magnitude, uint32_t base, bool negative)
{
    char text[1 + DIGITS_MAX];
    size_t start = sizeof(text);

    do {
        text[--start] = "0123456789abcdef"[magnitude % base];
        magnitude /= base;
    } while (magnitude != 0);

    if (output->zeros && !output->left) {
        /* The sign stands before the zeros: -0042. */
        size_t length = sizeof(text) - start + negative;

        put_characters(output, "-", negative);
        put_padding(output, '0', length);
        put_characters(output, text + start, sizeof(text) - start);
        return;
    }
    if (negative) {
        text[--start] = '-';
    }
    put_text(output, text + start, sizeof(text) - start);
}

static void put_signed(const output_t *output, int32_t value)
{
    /* Negated as unsigned: -INT_MIN does not exist as an int. */
    uint32_t magnitude = value < 0 ? 0 - (uint32_t)value : (uint32_t)value;

    put_number(output, magnitude, 10, value < 0);
}

/* Reads flags and width after a `%`; returns the place of the conversion's letter. */
static const char *read_field(output_t *output, const char *format)
{
    output->left = false;
    output->zeros = false;
    output->width = 0;
    for (; *format == '-' || *format == '0'; format++) {
        if (*format == '-') {
            output->left = true;
        } else {
            output->zeros = true;
        }
    }
    for (; *format >= '0' && *format <= '9'; format++) {
        output->width = output->width * 10 + (size_t)(*format - '0');
    }
    return format;
}

void format_text(format_sink_t sink, void *context, const char *format, va_list arguments)
{
    output_t output = {.sink = sink, .context = context};
    const char *text;
    char character;

    for (; *format != '\0'; format++) {
        if (*format != '%') {
            sink(context, *format);
            continue;
        }
        const char *percent = format;

        format = read_field(&output, format + 1);
        switch (*format) {
        case 'd':
            put_signed(&output, va_arg(arguments, int32_t));
            break;
        case 'u':
            put_number(&output, va_arg(arguments, uint32_t), 10, false);
            break;
        case 'x':
            put_number(&output, va_arg(arguments, uint32_t), 16, false);
            break;
        case 's':
            text = va_arg(arguments, const char *);
            text = text == NULL ? "(null)" : text;
            put_text(&output, text, strlen(text));
            break;
        case 'c':
            character = (char)va_arg(arguments, int);
            put_text(&output, &character, 1);
            break;
        case '%':
            sink(context, '%');
            break;
        case '\0':
            put_characters(&output, percent, (size_t)(format - percent));
            return;
        default:
            put_characters(&output, percent, (size_t)(format + 1 - percent));
        }
    }
}
