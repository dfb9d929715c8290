/*
 * Ticks and sleeping, beside the processor's own clock, which the grader can compute from outside.
 */
#include "library.h"
#include "probe.h"

static uint64_t cycles(void)
{
    uint32_t low, high;

    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
}

static void try_sleep(const char *key, uint32_t duration)
{
    const uint32_t before = ticks();
    const int result = sleep(duration);

    probe_report(key, result == OK ? ticks() - before : (uint32_t)result);
}

/* How long ten ticks take while nobody sleeps. */
static void try_busy(void)
{
    const uint32_t first = ticks();

    while (ticks() == first) {
    }
    const uint64_t start = cycles();
    while (ticks() != first + 11) {
    }
    probe_report("busy", (uint32_t)((cycles() - start) / 1000));
}

int main(const char *argument)
{
    (void)argument;
    try_sleep("sleep-1", 1);
    const uint64_t start = cycles();
    try_sleep("sleep-50", 50);
    probe_report("microseconds", (uint32_t)((cycles() - start) / 1000));
    try_busy();
    try_sleep("sleep-forever", 0x80000000);
    probe_finish();
}
