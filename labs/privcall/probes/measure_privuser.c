/*
 * The PrivUser of the probe `measure`: the secret function, of a number, and of a text that is
 * copied in.
 */
#include "measure.h"
#include "privuser.h"

static uint32_t key = 0x539;

static int seal_number(uint32_t value, uint32_t b, uint32_t c, uint32_t d)
{
    (void)b;
    (void)c;
    (void)d;
    return (int)measure_seal(key, value);
}

/* Looks at no more than one word: what is measured is the copy. */
static int seal_text(uint32_t text, uint32_t length, uint32_t c, uint32_t d)
{
    (void)length;
    (void)c;
    (void)d;
    return (int)measure_seal(key, *(const uint32_t *)text);
}

const privcall_entry_t privcall_table[] = {
    [MEASURE_NUMBER] = {.function = seal_number},
    [MEASURE_TEXT] = {.function = seal_text, .kinds = {PRIVCALL_IN}},
};
const uint32_t privcall_count = sizeof privcall_table / sizeof privcall_table[0];
