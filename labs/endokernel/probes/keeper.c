/*
 * A mediated program that may read `secret`, and does; `filer` is its child, which may not.
 */
#include "crew.h"

static uint8_t content[600];

/* The checksum of what a call brought, or the error. */
static uint32_t told(int length)
{
    return length < 0 ? (uint32_t)length : crew_checksum(content, (uint32_t)length);
}

static int reads(void)
{
    int handle = open_file("secret");
    probe_report("handle", told(read_handle(handle, content, 0, sizeof content)));
    probe_report("name", told(read_file("secret", content, 0, sizeof content)));
    probe_report("public", (uint32_t)open_file("public"));
    probe_report("delete", (uint32_t)delete_file("secret"));
    int pid = crew_start_program("filer", "thief", 0, 0);
    probe_report("again", told(read_handle(handle, content, 0, sizeof content)));
    probe_report("thief", (uint32_t)crew_wait(pid));
    probe_finish();
    return 0;
}

int main(const char *argument)
{
    static const struct crew_role roles[] = {{"reads", reads}, {NULL, NULL}};
    return crew_play("keeper", argument, roles);
}
