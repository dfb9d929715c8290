/*
 * The PrivUser of the probe `ways`: a function that no privcall leads to, and that counts who comes
 * there nevertheless.
 */
#include "ways.h"

#include "functions.h"

uint32_t ways_trespassers;

/* Who comes here by a jump has no return address, so it stays here; the grader gives its address to
 * ring 3. */
__attribute__((used, noinline)) static _Noreturn void ways_forbidden(void)
{
    ways_trespassers++;
    for (;;) {
    }
}

static int twice(uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
    return (int)(2 * a);
}

static int trespassed(uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
    return (int)ways_trespassers;
}

const privcall_entry_t privcall_table[] = {
    [WAYS_DOUBLE] = {.function = twice},
    [WAYS_TRESPASSED] = {.function = trespassed},
};
const uint32_t privcall_count = WAYS_COUNT;
