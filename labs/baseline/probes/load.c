/*
 * Starts every file whose name begins with "elf-" and reports how that went: a pid is reported as
 * 1, and the exit status follows; anything else is the error.
 */
#include "library.h"
#include "probe.h"

#define FILES_MAX 64

int main(const char *argument)
{
    static struct file_entry files[FILES_MAX];
    const int count = list_files(files, FILES_MAX);

    (void)argument;
    for (int i = 0; i < count; i++) {
        if (strncmp(files[i].name, "elf-", 4) != 0) {
            continue;
        }
        int status = 0;
        const int pid = spawn(files[i].name, "");
        probe_report(files[i].name + 4, pid > 0 ? 1 : (uint32_t)pid);
        if (pid > 0) {
            wait((uint32_t)pid, &status);
            probe_report("status", (uint32_t)status);
        }
    }
    probe_finish();
}
