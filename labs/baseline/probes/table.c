/*
 * As many processes as there can be, twice over: the table fills, says so, and is empty again.
 */
#include "library.h"
#include "probe.h"

#define MANY 100

static int pids[MANY];

static void fill_and_empty(void)
{
    uint32_t count = 0;
    int result = 0;
    bool growing = true;
    uint32_t lost = 0;

    while (count < MANY && (result = spawn("table", "child=1")) > 0) {
        growing = growing && (count == 0 || result > pids[count - 1]);
        pids[count++] = result;
    }
    probe_report("spawned", count);
    probe_report("error", (uint32_t)result);
    probe_report("growing", growing);
    probe_report("first", (uint32_t)pids[0]);
    probe_report("last", (uint32_t)pids[count - 1]);
    for (uint32_t i = 0; i < count; i++) {
        kill((uint32_t)pids[i]);
        lost += wait((uint32_t)pids[i], NULL) != pids[i];
    }
    probe_report("lost", lost);
}

int main(const char *argument)
{
    if (probe_number(argument, "child", 0) == 1) {
        sleep(1000000);
    }
    fill_and_empty();
    fill_and_empty();
    probe_finish();
}
