/*
 * Writes `count` entries into the journal and reports what it then says of the newest ones, of the
 * newest that must be forgotten, and of one that was never written. Entry n has the value nonce + n
 * * n.
 */
#include "../kernel/lab_calls.h"
#include "library.h"
#include "probe.h"

static int read_entry(uint32_t number, struct journal_entry *entry)
{
    return system_call(LAB_CALL_JOURNAL_READ, number, (uint32_t)entry, 0, 0, 0);
}

int main(const char *argument)
{
    const uint32_t count = probe_number(argument, "count", 1);
    const uint32_t nonce = probe_number(argument, "nonce", 0);
    struct journal_entry entry = {0};
    uint32_t misnumbered = 0;
    char key[] = "value0";

    for (uint32_t n = 0; n < count; n++) {
        misnumbered += system_call(LAB_CALL_JOURNAL_ADD, nonce + n * n, 0, 0, 0, 0) != (int)n;
    }
    probe_report("misnumbered", misnumbered);
    /* value0 is the newest. */
    for (uint32_t age = 0; age < JOURNAL_ENTRIES && age < count; age++) {
        key[5] = (char)('0' + age);
        int result = read_entry(count - 1 - age, &entry);
        probe_report(key, result == OK ? entry.value : 0);
    }
    if (count > JOURNAL_ENTRIES) {
        probe_report("forgotten", (uint32_t)read_entry(count - 1 - JOURNAL_ENTRIES, &entry));
        probe_report("first", (uint32_t)read_entry(0, &entry));
    }
    probe_report("unwritten", (uint32_t)read_entry(count, &entry));
    probe_finish();
}
