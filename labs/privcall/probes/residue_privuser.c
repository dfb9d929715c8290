/*
 * The PrivUser of the probe `residue`: functions that work with a secret, and leave it where a
 * function may leave anything: in EAX, ECX, EDX while they work, in the registers that it gives
 * back undefined, in FS and GS's place, and on the stack.
 */
#include "residue.h"

#include "functions.h"

uint32_t residue_secret[4] = {1, 2, 3, 4}; /* the grader plants others */

/* A number or an argument that is taken from here is RESIDUE_TRAP. */
uint32_t residue_bait[256] = {[0 ... 255] = RESIDUE_TRAP};
uint32_t residue_trapped;

/* Returns EAX; ECX and EDX, which a function need not preserve, hold words of the secret, and so
 * does the stack below. The flags tell the secret's last bit. */
int residue_leave(int result);
__asm__(".text\n"
        "residue_leave:\n"
        "    mov 4(%esp), %eax\n"
        "    pushl residue_secret\n"
        "    pushl residue_secret+4\n"
        "    pushl residue_secret+8\n"
        "    pushl residue_secret+12\n"
        "    pop %edx\n"
        "    pop %ecx\n"
        "    add $8, %esp\n"
        "    testb $1, residue_secret\n"
        "    ret\n");

static int spread(uint32_t from, uint32_t length, uint32_t c, uint32_t d)
{
    return residue_leave(539);
}

static int fail(uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
    return residue_leave(-1);
}

static int digest(uint32_t from, uint32_t length, uint32_t to, uint32_t to_length)
{
    const uint8_t *bytes = (const uint8_t *)from;
    uint8_t *result = (uint8_t *)to;
    uint32_t hash = residue_secret[0];

    for (uint32_t i = 0; i < length; i++) {
        hash = (hash ^ bytes[i] ^ residue_secret[i % 4]) * 0x01000193;
    }
    for (uint32_t i = 0; i < to_length; i++) {
        result[i] = (uint8_t)(hash >> (i % 4 * 8));
    }
    return residue_leave((int)to_length);
}

static int trap(uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
    residue_trapped += a == RESIDUE_TRAP;
    return 0;
}

static int trapped(uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
    return (int)residue_trapped;
}

const privcall_entry_t privcall_table[] = {
    [RESIDUE_SPREAD] = {.function = spread, .kinds = {PRIVCALL_IN}},
    [RESIDUE_FAIL] = {.function = fail},
    [RESIDUE_TRAP] = {.function = trap},
    [RESIDUE_TRAPPED] = {.function = trapped},
    [RESIDUE_DIGEST] = {.function = digest, .kinds = {[0] = PRIVCALL_IN, [2] = PRIVCALL_OUT}},
};
const uint32_t privcall_count = RESIDUE_COUNT;
