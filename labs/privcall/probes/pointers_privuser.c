/*
 * The PrivUser of the probe `pointers`: functions with a buffer that goes in, and one that comes
 * out. They work on what they are given and believe that the dispatcher has seen to it.
 */
#include "pointers.h"

#include "functions.h"

uint8_t pointers_secret[256] = {1}; /* the grader plants others, and looks whether they stay */
uint32_t pointers_runs;

static __attribute__((noinline)) int pointers_sum(uint32_t from, uint32_t length, uint32_t c,
                                                  uint32_t d)
{
    const uint8_t *bytes = (const uint8_t *)from;
    int sum = 0;

    pointers_runs++;
    for (uint32_t i = 0; i < length; i++) {
        sum += bytes[i];
    }
    return sum;
}

static int second(uint32_t a, uint32_t from, uint32_t length, uint32_t d)
{
    return pointers_sum(from, length, a, d);
}

static int third(uint32_t a, uint32_t b, uint32_t from, uint32_t length)
{
    return pointers_sum(from, length, a, b);
}

static int fourth(uint32_t a, uint32_t b, uint32_t c, uint32_t from)
{
    return pointers_sum(from, 1, a, b);
}

static int fill(uint32_t to, uint32_t length, uint32_t byte, uint32_t how)
{
    uint8_t *bytes = (uint8_t *)to;
    int dirty = 0;

    pointers_runs++;
    for (uint32_t i = 0; i < length; i++) {
        dirty += bytes[i] != 0;
    }
    for (uint32_t i = 0; i < (how == FILL_HALF ? length / 2 : length); i++) {
        bytes[i] = (uint8_t)byte;
    }
    return how == FILL_FAIL ? -1 : dirty;
}

static int copy(uint32_t from, uint32_t from_length, uint32_t to, uint32_t to_length)
{
    const uint8_t *source = (const uint8_t *)from;
    uint8_t *target = (uint8_t *)to;

    pointers_runs++;
    for (uint32_t i = 0; i < from_length && i < to_length; i++) {
        target[i] = (uint8_t)(source[i] + 1);
    }
    return (int)from_length;
}

/* The grader stops here and changes the program's buffer. */
static __attribute__((noinline)) void pointers_between(void)
{
    __asm__ volatile("" : : : "memory");
}

static int twice(uint32_t from, uint32_t length, uint32_t c, uint32_t d)
{
    const volatile uint32_t *words = (const volatile uint32_t *)from;
    uint32_t first[16];
    const uint32_t count = length / sizeof first[0] < 16 ? length / sizeof first[0] : 16;
    int changed = 0;

    for (uint32_t i = 0; i < count; i++) {
        first[i] = words[i];
    }
    pointers_between();
    for (uint32_t i = 0; i < count; i++) {
        changed += words[i] != first[i];
    }
    return changed;
}

static int where(uint32_t from, uint32_t b, uint32_t c, uint32_t d)
{
    return (int)from;
}

static int runs(uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
    return (int)pointers_runs;
}

const privcall_entry_t privcall_table[] = {
    [POINTERS_SUM] = {.function = pointers_sum, .kinds = {PRIVCALL_IN}},
    [POINTERS_SECOND] = {.function = second, .kinds = {[1] = PRIVCALL_IN}},
    [POINTERS_THIRD] = {.function = third, .kinds = {[2] = PRIVCALL_IN}},
    [POINTERS_FOURTH] = {.function = fourth, .kinds = {[3] = PRIVCALL_IN}},
    [POINTERS_FILL] = {.function = fill, .kinds = {PRIVCALL_OUT}},
    [POINTERS_COPY] = {.function = copy, .kinds = {[0] = PRIVCALL_IN, [2] = PRIVCALL_OUT}},
    [POINTERS_TWICE] = {.function = twice, .kinds = {PRIVCALL_IN}},
    [POINTERS_WHERE] = {.function = where, .kinds = {PRIVCALL_IN}},
    [POINTERS_RUNS] = {.function = runs},
};
const uint32_t privcall_count = POINTERS_COUNT;
