/*
 * The PrivUser of the probe `threads`: functions in which several threads are at once.
 */
#include "threads.h"

#include "functions.h"
#include "system_call.h"

enum { LOCAL_WORDS = 256 }; /* what each thread keeps on its stack meanwhile */

uint8_t threads_secret[512] =
    "not yet a secret, but soon one."; /* room for a kernel to write too */
volatile uint32_t threads_invited, threads_came, threads_wrote;
volatile uint32_t threads_dwelling, threads_let_go;

static void yield(void)
{
    int result;

    __asm__ volatile("int $0x80" : "=a"(result) : "a"(SYSTEM_CALL_YIELD) : "memory");
}

/* One more, and wait for the others; the timer may interrupt anywhere. */
static void wait_for_all(volatile uint32_t *count)
{
    __asm__ volatile("lock incl %0" : "+m"(*count));
    while (*count < threads_invited) {
        yield();
    }
}

/* The grader stops here, once in each thread. */
static __attribute__((noinline)) void threads_inside(void)
{
    __asm__ volatile("" : : : "memory");
}

static int meet(uint32_t from, uint32_t from_length, uint32_t to, uint32_t to_length)
{
    const volatile uint8_t *source = (const volatile uint8_t *)from;
    volatile uint8_t *target = (volatile uint8_t *)to;
    volatile uint32_t local[LOCAL_WORDS];
    int disturbed = 0;

    for (uint32_t i = 0; i < LOCAL_WORDS; i++) {
        local[i] = source[i % from_length] + i;
    }
    threads_inside();
    wait_for_all(&threads_came);
    for (uint32_t i = 0; i < to_length; i++) {
        target[i] = (uint8_t)(source[i] + 1);
    }
    wait_for_all(&threads_wrote);
    for (uint32_t i = 0; i < LOCAL_WORDS; i++) {
        disturbed += local[i] != source[i % from_length] + i;
    }
    return disturbed;
}

static int invite(uint32_t count, uint32_t b, uint32_t c, uint32_t d)
{
    threads_invited = count;
    threads_came = 0;
    threads_wrote = 0;
    return 0;
}

static int twice(uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
    return (int)(2 * a);
}

static int dwell(uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
    threads_let_go = 0;
    __asm__ volatile("lock incl %0" : "+m"(threads_dwelling));
    while (!threads_let_go) {
        yield();
    }
    return 0;
}

static int dwells(uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
    return (int)threads_dwelling;
}

/* All that dwell. */
static int let_go(uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
    threads_let_go = 1;
    return 0;
}

static int blow_up(uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
    __asm__ volatile("ud2");
    return 0;
}

static int inside(uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
    threads_inside();
    return 0;
}

const privcall_entry_t privcall_table[] = {
    [THREADS_MEET] = {.function = meet, .kinds = {[0] = PRIVCALL_IN, [2] = PRIVCALL_OUT}},
    [THREADS_INVITE] = {.function = invite},
    [THREADS_DOUBLE] = {.function = twice},
    [THREADS_DWELL] = {.function = dwell},
    [THREADS_DWELLS] = {.function = dwells},
    [THREADS_LET_GO] = {.function = let_go},
    [THREADS_BLOW_UP] = {.function = blow_up},
    [THREADS_INSIDE] = {.function = inside},
};
const uint32_t privcall_count = THREADS_COUNT;
