/*
 * Says how long the kernel has been running, and how often it has switched between processes.
 */
#include "../lab_calls.h"
#include "library.h"

int main(const char *argument)
{
    struct uptime uptime;
    int result = system_call(LAB_CALL_UPTIME, (uint32_t)&uptime, 0, 0, 0, 0);
    int switches = system_call(LAB_CALL_SWITCHES, 0, 0, 0, 0, 0);

    (void)argument;
    if (result != OK) {
        print_format("uptime: %s\n", error_name(result));
        return 1;
    }
    print_format("up %u.%02u s", uptime.seconds, uptime.ticks);
    if (switches >= 0) {
        print_format(", %d switches", switches);
    }
    print("\n");
    return 0;
}
