/*
 * Asks for the uptime with a buffer that must be refused, then with a good one. The bad buffer
 * begins at `address`, or with kind=code at this program's own instructions, or with kind=edge 4
 * bytes before the end of its memory.
 */
#include "../kernel/lab_calls.h"
#include "library.h"
#include "probe.h"

#define PAGE_SIZE 4096u
#define PAGE      ((uint8_t *)0x20000000) /* nothing of the program lies near */
#define UNTOUCHED 0x5A5A5A5Au

static int uptime(uint32_t address)
{
    return system_call(LAB_CALL_UPTIME, address, 0, 0, 0, 0);
}

int main(const char *argument)
{
    volatile uint32_t *last_word = (volatile uint32_t *)(PAGE + PAGE_SIZE - sizeof(uint32_t));
    uint32_t bad = probe_number(argument, "address", 0);
    struct uptime now = {0};
    char kind[8] = "";

    memory_map(PAGE, PAGE_SIZE);
    *last_word = UNTOUCHED;
    probe_text(argument, "kind", kind, sizeof(kind));
    if (strcmp(kind, "code") == 0) {
        bad = (uint32_t)&main;
    } else if (strcmp(kind, "edge") == 0) {
        bad = (uint32_t)last_word;
    }
    sleep(probe_number(argument, "ticks", 1));

    probe_report("refused", (uint32_t)uptime(bad));
    probe_report("edge", *last_word);
    /* The positive control, between two readings of the clock. */
    probe_report("earliest", ticks());
    probe_report("granted", (uint32_t)uptime((uint32_t)&now));
    probe_report("latest", ticks());
    probe_report("seconds", now.seconds);
    probe_report("ticks", now.ticks);
    probe_finish();
}
