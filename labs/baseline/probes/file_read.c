/*
 * Reads pieces of the file "given", each `forN` bytes from `atN` on, and reports what came, as
 * a sum that depends on every byte and its place.
 */
#include "file_pattern.h"

static uint8_t buffer[64 * 1024];

int main(const char *argument)
{
    char offset_key[] = "at0";
    char length_key[] = "for0";

    for (char piece = '0'; piece <= '9'; piece++) {
        offset_key[2] = piece;
        length_key[3] = piece;
        uint32_t length = probe_number(argument, length_key, 0);

        if (length == 0) {
            break;
        }
        uint32_t offset = probe_number(argument, offset_key, 0);
        int result = read_file("given", buffer, offset, length);
        uint32_t sum = 0;

        for (int i = 0; i < result; i++) {
            sum = sum * 31 + buffer[i];
        }
        probe_report("result", (uint32_t)result);
        probe_report("sum", sum);
    }
    probe_finish();
    return 0;
}
