/*
 * Reads the kernel's count of switches before and after something that switches. The grader reads a
 * counter of its own at the same two moments, and compares.
 */
#include "../kernel/lab_calls.h"
#include "library.h"
#include "probe.h"

/* Keeps the processor until so many ticks have passed: only the timer can take it away. */
static void spin(uint32_t duration)
{
    uint32_t start = ticks();

    while (ticks() - start < duration) {
    }
}

static void act(uint32_t yields, uint32_t sleeps, uint32_t spins)
{
    for (uint32_t i = 0; i < yields; i++) {
        yield();
    }
    for (uint32_t i = 0; i < sleeps; i++) {
        sleep(1);
    }
    spin(spins);
}

int main(const char *argument)
{
    if (probe_number(argument, "partner", 0) != 0) {
        for (;;) {
            act(probe_number(argument, "yields", 0), 0, probe_number(argument, "spins", 0));
        }
    }
    char partner[64];
    if (probe_text(argument, "beside", partner, sizeof(partner))) {
        /* "beside=yields" is a partner that gives the processor back at once, "beside=spins" one
         * that never does. */
        spawn("count_switches", partner[0] == 'y' ? "partner=1 yields=1" : "partner=1 spins=1000");
    }
    sleep(1);

    int before = system_call(LAB_CALL_SWITCHES, 0, 0, 0, 0, 0);
    act(probe_number(argument, "yields", 0), probe_number(argument, "sleeps", 0),
        probe_number(argument, "spins", 0));
    int after = system_call(LAB_CALL_SWITCHES, 0, 0, 0, 0, 0);

    probe_report("before", (uint32_t)before);
    probe_report("after", (uint32_t)after);
    probe_finish();
}
