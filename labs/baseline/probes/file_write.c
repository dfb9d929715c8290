/*
 * Creates files "made0", "made1" and so on, of `length0`, `length1` ... bytes of the run's own
 * content.
 */
#include "file_pattern.h"

static uint8_t content[256 * 1024];

int main(const char *argument)
{
    char key[] = "length0";
    char name[] = "made0";
    uint32_t count = probe_number(argument, "count", 0);

    fill_pattern(content, sizeof(content), probe_number(argument, "nonce", 0));
    for (uint32_t i = 0; i < count; i++) {
        key[6] = (char)('0' + i);
        name[4] = (char)('0' + i);
        probe_report("create",
                     (uint32_t)create_file(name, content, probe_number(argument, key, 0)));
    }
    probe_finish();
    return 0;
}
