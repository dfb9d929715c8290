/*
 * Does nothing but wait for ticks: something that runs while the grader looks at the machine.
 */
#include "library.h"
#include "probe.h"

int main(const char *argument)
{
    const uint32_t duration = probe_number(argument, "ticks", 1);

    sleep(duration);
    probe_report("slept", duration);
    probe_finish();
}
