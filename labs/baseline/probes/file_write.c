/*
 * Creates "made" with `length` bytes of the run's own content.
 */
#include "file_pattern.h"

static uint8_t content[256 * 1024];

int main(const char *argument)
{
    uint32_t length = probe_number(argument, "length", 0);

    fill_pattern(content, length, probe_number(argument, "nonce", 0));
    probe_report("create", (uint32_t)create_file("made", content, length));
    probe_finish();
    return 0;
}
