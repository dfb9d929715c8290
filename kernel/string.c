/*
 * Memory and strings. Copying and filling are the processor's own string instructions: short to
 * read, and not a loop that the optimizer would recognise as memset and compile into a call of
 * itself.
 */
#include "string.h"

#include <stdbool.h>
#include <stdint.h>

void *memcpy(void *destination, const void *source, size_t length)
{
    void *to = destination;
    size_t words = length / 4;
    size_t rest = length % 4;

    /* The direction flag is clear on entry of every C function (System V ABI for i386, 2.2.1). */
    __asm__ volatile("rep movsl" : "+D"(to), "+S"(source), "+c"(words) : : "memory");
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(source), "+c"(rest) : : "memory");
    return destination;
}

void *memmove(void *destination, const void *source, size_t length)
{
    uint8_t *to = destination;
    const uint8_t *from = source;

    /* Copying forwards destroys the source only where the destination starts inside it. */
    if ((uintptr_t)to - (uintptr_t)from >= length) {
        return memcpy(destination, source, length);
    }
    while (length > 0) {
        length--;
        to[length] = from[length];
    }
    return destination;
}

void *memset(void *destination, int value, size_t length)
{
    void *to = destination;
    size_t words = length / 4;
    size_t rest = length % 4;
    uint32_t four_times = (uint8_t)value * 0x01010101u;

    __asm__ volatile("rep stosl" : "+D"(to), "+c"(words) : "a"(four_times) : "memory");
    __asm__ volatile("rep stosb" : "+D"(to), "+c"(rest) : "a"(four_times) : "memory");
    return destination;
}

int memcmp(const void *left, const void *right, size_t length)
{
    const uint8_t *a = left;
    const uint8_t *b = right;

    for (size_t i = 0; i < length; i++) {
        if (a[i] != b[i]) {
            return a[i] - b[i];
        }
    }
    return 0;
}

size_t strlen(const char *string)
{
    size_t length = 0;

    while (string[length] != '\0') {
        length++;
    }
    return length;
}

int strcmp(const char *left, const char *right)
{
    return strncmp(left, right, SIZE_MAX);
}

int strncmp(const char *left, const char *right, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        /* Characters compare as unsigned, whatever `char` is (C17, 7.24.4). */
        uint8_t a = (uint8_t)left[i];
        uint8_t b = (uint8_t)right[i];

        if (a != b || a == '\0') {
            return a - b;
        }
    }
    return 0;
}

char *strcpy(char *destination, const char *source)
{
    return memcpy(destination, source, strlen(source) + 1);
}

char *strchr(const char *string, int character)
{
    while (true) {
        if (*string == (char)character) {
            return (char *)string;
        }
        if (*string == '\0') {
            return NULL;
        }
        string++;
    }
}
