/*
 * Fills the disk, then deletes and creates files of the same size again and again: nothing may
 * leak, and what stayed must be whole.
 */
#include "file_pattern.h"

enum { LENGTH = 40 * 1024, FILES_MAX = 26, ROUNDS = 12 };

static uint8_t content[LENGTH];
static uint8_t read_back[LENGTH];

static uint32_t fill_disk(int *error)
{
    char name[] = "fill-a";
    uint32_t count = 0;

    for (*error = OK; count < FILES_MAX; count++) {
        name[5] = (char)('a' + count);
        *error = create_file(name, content, LENGTH);
        if (*error != OK) {
            break;
        }
    }
    return count;
}

/* The first three files in turn, each time a little shorter. */
static uint32_t replace_many(void)
{
    uint32_t replaced = 0;

    for (uint32_t round = 0; round < ROUNDS; round++) {
        char name[] = "fill-a";

        name[5] = (char)('a' + round % 3);
        if (delete_file(name) == OK && create_file(name, content, LENGTH - round) == OK) {
            replaced++;
        }
    }
    return replaced;
}

int main(const char *argument)
{
    int error;

    fill_pattern(content, LENGTH, probe_number(argument, "nonce", 0));
    probe_report("files", fill_disk(&error));
    probe_report("error", (uint32_t)error);
    probe_report("replaced", replace_many());
    probe_report("read", (uint32_t)read_file("fill-d", read_back, 0, LENGTH));
    probe_report("whole", memcmp(content, read_back, LENGTH) == 0);
    probe_finish();
    return 0;
}
