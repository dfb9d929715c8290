/*
 * Reads `length` bytes at `offset` of the file "given", and reports what came, as a sum that depends
 * on every byte and its place.
 */
#include "file_pattern.h"

static uint8_t buffer[64 * 1024];

int main(const char *argument)
{
    uint32_t offset = probe_number(argument, "offset", 0);
    uint32_t length = probe_number(argument, "length", sizeof(buffer));
    int result = read_file("given", buffer, offset, length);
    uint32_t sum = 0;

    for (int i = 0; i < result; i++) {
        sum = sum * 31 + buffer[i];
    }
    probe_report("result", (uint32_t)result);
    probe_report("sum", sum);
    probe_finish();
    return 0;
}
