/*
 * The PrivUser of the probe `flags`: functions that rely on what every C function may rely on, the
 * direction flag clear and DS and ES good.
 */
#include "flags.h"

#include "functions.h"

uint32_t flags_secret = 1; /* what the program knows it by */

static int copy(uint32_t from, uint32_t from_length, uint32_t to, uint32_t to_length)
{
    const void *source = (const void *)from;
    void *target = (void *)to;
    uint32_t count = from_length < to_length ? from_length : to_length;

    __asm__ volatile("rep movsb" : "+S"(source), "+D"(target), "+c"(count) : : "memory");
    return (int)(flags_secret & 0x7FFFFFFF);
}

static int now(uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
    uint32_t flags;

    __asm__ volatile("pushf; pop %0" : "=r"(flags));
    return (int)flags;
}

const privcall_entry_t privcall_table[] = {
    [FLAGS_COPY] = {.function = copy, .kinds = {[0] = PRIVCALL_IN, [2] = PRIVCALL_OUT}},
    [FLAGS_NOW] = {.function = now},
};
const uint32_t privcall_count = FLAGS_COUNT;
