/*
 * Creates and deletes files around those that were there, so that the test can stop the machine in
 * the midst of it.
 */
#include "file_pattern.h"

static uint8_t content[1200];

int main(const char *argument)
{
    uint32_t wrong = 0;

    fill_pattern(content, sizeof(content), probe_number(argument, "nonce", 0));
    wrong += create_file("new", content, sizeof(content)) != OK;
    wrong += delete_file("middle") != OK;
    wrong += create_file("small", content, 1) != OK;
    wrong += create_file("large", content, sizeof(content)) != OK;
    wrong += delete_file("new") != OK;
    wrong += delete_file("last") != OK;
    probe_report("wrong", wrong);
    probe_finish();
    return 0;
}
