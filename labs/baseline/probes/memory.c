/*
 * A process takes all memory there is, gives it back, and takes it again. And the wrong ways to
 * ask.
 */
#include "library.h"
#include "probe.h"

#define PAGE 4096u
#define AREA 0x30000000u

static void *page(uint32_t number)
{
    return (void *)(AREA + number * PAGE);
}

static uint32_t dirty; /* pages that were not zero when they came */

/* Takes page after page, and marks each one so that it is seen if it comes back as it was. */
static uint32_t take_all(void)
{
    uint32_t count = 0;

    while (memory_map(page(count), PAGE) == OK) {
        uint32_t *words = page(count);
        dirty += words[0] != 0 || words[PAGE / 4 - 1] != 0;
        words[0] = 0x539;
        words[PAGE / 4 - 1] = 0x539;
        count++;
    }
    return count;
}

static uint32_t not_zero(void *start, uint32_t bytes)
{
    uint32_t count = 0;

    for (uint32_t *word = start; bytes > 0; word++, bytes -= 4) {
        count += *word != 0;
    }
    return count;
}

static void try_wrong_ways(void)
{
    void *const at = (void *)AREA;

    probe_report("unaligned", (uint32_t)memory_map((void *)(AREA + 1), PAGE));
    probe_report("nothing", (uint32_t)memory_map(at, 0));
    probe_report("null", (uint32_t)memory_map(NULL, PAGE));
    probe_report("kernel", (uint32_t)memory_map((void *)0xC0000000, PAGE));
    probe_report("into-kernel", (uint32_t)memory_map((void *)0xB0000000, 0x20000000));
    probe_report("wraps", (uint32_t)memory_map(at, 0xFFFFF000));
    probe_report("guard", (uint32_t)memory_map((void *)0xBFFF9000, PAGE));
    probe_report("own-text", (uint32_t)memory_map((void *)0x10000000, PAGE));
    probe_report("too-much", (uint32_t)memory_map(at, 0x40000000)); /* 1 GB */
    probe_report("unmap-nothing", (uint32_t)memory_unmap(at, PAGE));
    probe_report("unmap-kernel", (uint32_t)memory_unmap((void *)0xC0100000, PAGE));
}

int main(const char *argument)
{
    (void)argument;
    try_wrong_ways();

    probe_report("two-pages", (uint32_t)memory_map(page(0), PAGE + 1)); /* rounded up */
    probe_report("not-zero", not_zero(page(0), 2 * PAGE));
    probe_report("overlap", (uint32_t)memory_map(page(1), 2 * PAGE));
    probe_report("half-unmap", (uint32_t)memory_unmap(page(1), 2 * PAGE));
    probe_report("unmap", (uint32_t)memory_unmap(page(0), 2 * PAGE));

    const uint32_t first = take_all();
    probe_report("first", first);
    probe_report("spawn", (uint32_t)spawn("memory", "")); /* no memory: an error, no more */
    probe_report("give-back", (uint32_t)memory_unmap(page(0), first * PAGE));
    probe_report("second", take_all());
    probe_report("dirty", dirty);
    probe_finish();
}
