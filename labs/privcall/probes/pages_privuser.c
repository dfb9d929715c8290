/*
 * The PrivUser of the probe `pages`: something of each kind that a PrivUser's pages can hold. No
 * test of stage 1 calls into it; the grader looks at it from outside, and plants its secrets here.
 */
#include "functions.h"

#define FILLER_SIZE (256u << 10)

uint8_t pages_secret[16] = "not yet secret.";
const uint32_t pages_constant[4] = {539, 0x539, 5390, 0x539539};
uint8_t pages_filler[FILLER_SIZE]; /* so that a kernel which never gives frames back runs out */

static int first_byte(uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
    return pages_secret[0] + (int)pages_constant[0] + pages_filler[0];
}

const privcall_entry_t privcall_table[] = {
    {.function = first_byte},
};
const uint32_t privcall_count = 1;
