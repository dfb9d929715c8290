/*
 * The PrivUser of the probe `calls`: functions that compute, take long, fault, and make system
 * calls, all in ring 2.
 */
#include "calls.h"

#include "functions.h"
#include "system_call.h"

uint32_t calls_secret = 0x539; /* the grader plants another */
uint32_t calls_made;
uint32_t calls_forbidden;

/* The grader stops here. */
static __attribute__((noinline)) int calls_mix(uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
    calls_made++;
    return (int)((a + 3 * b + 5 * c + 7 * d + calls_secret) & 0x7FFFFFFF);
}

static int made(uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
    return calls_forbidden != 0 ? -1 : (int)calls_made;
}

/* Goes down until its stack begins below `end`. */
static __attribute__((noinline)) uint32_t descend(uint32_t end, uint32_t value)
{
    volatile uint32_t local[16];

    for (uint32_t i = 0; i < 16; i++) {
        local[i] = value + i;
    }
    const uint32_t below = (uint32_t)local <= end ? value : descend(end, value + 1) - 1;
    return below + local[value % 16] - value - value % 16;
}

static int deep(uint32_t bytes, uint32_t value, uint32_t c, uint32_t d)
{
    return (int)descend((uint32_t)__builtin_frame_address(0) - bytes, value);
}

/* The grader stops at each call, and interrupts it. */
static __attribute__((noinline)) int calls_compute(uint32_t rounds, uint32_t value, uint32_t c,
                                                   uint32_t d)
{
    uint32_t hash = value + c + d;

    for (uint32_t i = 0; i < rounds; i++) {
        hash = (hash ^ i) * 0x01000193 + (hash >> 13) + calls_secret;
    }
    return (int)(hash & 0x7FFFFFFF);
}

/* Registers are what a careless kernel prints. */
#define WITH_VALUE_EVERYWHERE(instructions)                                                        \
    __asm__ volatile("mov %%eax, %%ecx; mov %%eax, %%edx; mov %%eax, %%esi; mov %%eax, %%edi\n\t"  \
                     "mov %%eax, %%ebx\n\t" instructions                                           \
                     :                                                                             \
                     : "a"(value)                                                                  \
                     : "ebx", "ecx", "edx", "esi", "edi", "memory")

static int blow(uint32_t how, uint32_t value, uint32_t c, uint32_t d)
{
    switch (how) {
    case BLOW_DIVIDE:
        WITH_VALUE_EVERYWHERE("pushl $0; divl (%%esp); add $4, %%esp");
        break;
    case BLOW_BREAKPOINT:
        WITH_VALUE_EVERYWHERE("int3");
        break;
    case BLOW_OPCODE:
        WITH_VALUE_EVERYWHERE("ud2");
        break;
    case BLOW_HALT:
        WITH_VALUE_EVERYWHERE("hlt");
        break;
    case BLOW_KERNEL_SELECTOR:
        WITH_VALUE_EVERYWHERE("pushl $0x10; pop %%gs");
        break;
    case BLOW_NULL:
        WITH_VALUE_EVERYWHERE("mov %%eax, 8");
        break;
    case BLOW_OWN_CODE:
        WITH_VALUE_EVERYWHERE("1: mov %%eax, 1b");
        break;
    default:
        break;
    }
    return 0;
}

static int call_kernel(uint32_t number, uint32_t first)
{
    int result;

    __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(first) : "memory");
    return result;
}

static int calls_getpid(uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
    return call_kernel(SYSTEM_CALL_GETPID, 0);
}

static int calls_sleep(uint32_t ticks, uint32_t b, uint32_t c, uint32_t d)
{
    const int before = call_kernel(SYSTEM_CALL_TICKS, 0);
    call_kernel(SYSTEM_CALL_SLEEP, ticks);
    return call_kernel(SYSTEM_CALL_TICKS, 0) - before;
}

static _Noreturn int for_ever(uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
    for (;;) {
    }
}

/* No call leads here: neither its number nor its address is one that ring 3 may use. */
static __attribute__((noinline)) int calls_trespass(uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
    calls_forbidden++;
    return 0x539;
}

const privcall_entry_t privcall_table[] = {
    [CALLS_MIX] = {.function = calls_mix},
    [CALLS_MADE] = {.function = made},
    [CALLS_DEEP] = {.function = deep},
    [CALLS_COMPUTE] = {.function = calls_compute},
    [CALLS_BLOW] = {.function = blow},
    [CALLS_GETPID] = {.function = calls_getpid},
    [CALLS_SLEEP] = {.function = calls_sleep},
    [CALLS_FOR_EVER] = {.function = for_ever},
    [CALLS_COUNT] = {.function = calls_trespass},
    [CALLS_FORBIDDEN] = {.function = calls_trespass},
};
const uint32_t privcall_count = CALLS_COUNT;
