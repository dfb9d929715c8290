/*
 * Starts and ends many processes, one after the other, with a place before and after where the
 * grader can count the kernel's free memory.
 */
#include "library.h"
#include "probe.h"

__attribute__((noinline)) void checkpoint(void)
{
    __asm__ volatile("");
}

int main(const char *argument)
{
    const uint32_t rounds = probe_number(argument, "rounds", 0);
    uint32_t failed = 0;

    if (probe_number(argument, "child", 0) != 0) {
        return 0;
    }
    checkpoint();
    for (uint32_t i = 0; i < rounds; i++) {
        failed += wait((uint32_t)spawn("spawns", "child=1"), NULL) < 0;
    }
    /* Attempts that fail must not cost memory either. */
    for (uint32_t i = 0; i < rounds / 10; i++) {
        failed += spawn("nosuchprogram", "") != E_NOT_FOUND;
    }
    checkpoint();
    probe_report("failed", failed);
    probe_finish();
}
