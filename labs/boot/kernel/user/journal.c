/*
 * Writes entries into the kernel's journal and shows what it still knows: `journal 5` writes five.
 */
#include "../lab_calls.h"
#include "library.h"

int main(const char *argument)
{
    uint32_t count = argument[0] != '\0' ? parse_number(argument) : 1;
    int last = -1;

    for (uint32_t i = 1; i <= count; i++) {
        last = system_call(LAB_CALL_JOURNAL_ADD, 100 * i, 0, 0, 0, 0);
    }
    for (int number = 0; number <= last; number++) {
        struct journal_entry entry;
        int result =
            system_call(LAB_CALL_JOURNAL_READ, (uint32_t)number, (uint32_t)&entry, 0, 0, 0);

        if (result == OK) {
            print_format("entry %d: %u, written at tick %u\n", number, entry.value, entry.tick);
        }
    }
    return 0;
}
