/*
 * The programs' library. All that a program can do beyond computing goes through the one
 * instruction in system_call below; the rest gives the calls names and types.
 */
#include "library.h"

/* One write() a line keeps lines whole when several processes print; a longer text is split. */
enum { PRINT_BUFFER_SIZE = 256 };

typedef struct {
    size_t length;
    char text[PRINT_BUFFER_SIZE];
} print_buffer_t;

int system_call(uint32_t number, uint32_t first, uint32_t second, uint32_t third, uint32_t fourth,
                uint32_t fifth)
{
    int result;

    /* "memory": the kernel reads and writes what the arguments point to. */
    __asm__ volatile("int $0x80"
                     : "=a"(result)
                     : "a"(number), "b"(first), "c"(second), "d"(third), "S"(fourth), "D"(fifth)
                     : "memory");
    return result;
}

int write(const void *buffer, size_t length)
{
    return system_call(SYSTEM_CALL_WRITE, (uint32_t)buffer, length, 0, 0, 0);
}

int read(void *buffer, size_t length)
{
    return system_call(SYSTEM_CALL_READ, (uint32_t)buffer, length, 0, 0, 0);
}

void yield(void)
{
    system_call(SYSTEM_CALL_YIELD, 0, 0, 0, 0, 0);
}

int sleep(uint32_t ticks)
{
    return system_call(SYSTEM_CALL_SLEEP, ticks, 0, 0, 0, 0);
}

int getpid(void)
{
    return system_call(SYSTEM_CALL_GETPID, 0, 0, 0, 0, 0);
}

uint32_t ticks(void)
{
    return (uint32_t)system_call(SYSTEM_CALL_TICKS, 0, 0, 0, 0, 0);
}

int memory_map(void *address, size_t length)
{
    return system_call(SYSTEM_CALL_MEMORY_MAP, (uint32_t)address, length, 0, 0, 0);
}

int memory_unmap(void *address, size_t length)
{
    return system_call(SYSTEM_CALL_MEMORY_UNMAP, (uint32_t)address, length, 0, 0, 0);
}

int parameter(const char *key, char *buffer, size_t size)
{
    return system_call(SYSTEM_CALL_PARAMETER, (uint32_t)key, (uint32_t)buffer, size, 0, 0);
}

_Noreturn void shutdown(int status)
{
    system_call(SYSTEM_CALL_SHUTDOWN, (uint32_t)status, 0, 0, 0, 0);
    __builtin_unreachable();
}

void print(const char *string)
{
    write(string, strlen(string));
}

static void flush(print_buffer_t *buffer)
{
    write(buffer->text, buffer->length);
    buffer->length = 0;
}

static void print_sink(void *context, char character)
{
    print_buffer_t *buffer = context;

    buffer->text[buffer->length] = character;
    buffer->length++;
    if (buffer->length == PRINT_BUFFER_SIZE) {
        flush(buffer);
    }
}

void print_format(const char *format, ...)
{
    print_buffer_t buffer = {.length = 0};
    va_list arguments;

    va_start(arguments, format);
    format_text(print_sink, &buffer, format, arguments);
    va_end(arguments);
    flush(&buffer);
}

uint32_t parse_number(const char *string)
{
    uint32_t number = 0;

    for (; *string >= '0' && *string <= '9'; string++) {
        number = number * 10 + (uint32_t)(*string - '0');
    }
    return number;
}
