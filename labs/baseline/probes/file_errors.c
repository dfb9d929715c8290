/*
 * What every file call answers to names and places that are wrong, and right beside it to ones that
 * are right.
 */
#include "file_pattern.h"

static const char LONGEST[] = "a-name-of-thirty-one-characters";
static const char TOO_LONG[] = "a-name-of-thirty-two-characters!";

static void report_names(void)
{
    char buffer[8];

    probe_report("read_missing", (uint32_t)read_file("missing", buffer, 0, sizeof(buffer)));
    probe_report("delete_missing", (uint32_t)delete_file("missing"));
    probe_report("create_empty", (uint32_t)create_file("", "x", 1));
    probe_report("read_empty", (uint32_t)read_file("", buffer, 0, 1));
    probe_report("create_long", (uint32_t)create_file(TOO_LONG, "x", 1));
    probe_report("create_31", (uint32_t)create_file(LONGEST, "x", 1));
    probe_report("read_31", (uint32_t)read_file(LONGEST, buffer, 0, sizeof(buffer)));
    probe_report("create_first", (uint32_t)create_file("twice", "first", 5));
    probe_report("create_second", (uint32_t)create_file("twice", "second", 6));
    probe_report("read_twice", (uint32_t)read_file("twice", buffer, 0, sizeof(buffer)));
    probe_report("is_the_first", memcmp(buffer, "first", 5) == 0);
}

static void report_empty_file(void)
{
    char byte = '?';
    struct file_entry entry;

    probe_report("create_nothing", (uint32_t)create_file("nothing", NULL, 0));
    probe_report("read_nothing", (uint32_t)read_file("nothing", &byte, 0, 1));
    probe_report("untouched", byte == '?');
    probe_report("list_none", (uint32_t)list_files(&entry, 0));
    probe_report("list_one", (uint32_t)list_files(&entry, 1));
}

int main(const char *argument)
{
    (void)argument;
    report_names();
    report_empty_file();
    probe_finish();
    return 0;
}
