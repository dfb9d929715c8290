/*
 * Counts, one number a second: `count 5` counts to five. With `&` behind it in the shell, it shows
 * that two programs run at once.
 */
#include "library.h"

int main(const char *argument)
{
    uint32_t last = argument[0] != '\0' ? parse_number(argument) : 10;

    for (uint32_t number = 1; number <= last; number++) {
        print_format("count: %u\n", number);
        sleep(TICKS_PER_SECOND);
    }
    return 0;
}
