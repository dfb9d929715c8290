/*
 * Asks a disk that is broken, missing or no filesystem for everything it can be asked for.
 */
#include "file_pattern.h"

int main(const char *argument)
{
    static struct file_entry entries[64];
    char buffer[600];

    (void)argument;
    probe_report("list", (uint32_t)list_files(entries, 64));
    probe_report("read", (uint32_t)read_file("given", buffer, 0, sizeof(buffer)));
    probe_report("create", (uint32_t)create_file("made", "x", 1));
    probe_report("delete", (uint32_t)delete_file("given"));
    probe_finish();
    return 0;
}
