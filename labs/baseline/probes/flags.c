/*
 * System calls that copy and fill memory, made with flags set that the kernel has no use for: with
 * DF set the kernel's own string instructions would run backwards.
 */
#include "library.h"
#include "probe.h"

#define AREA 0x30000000u
#define PAGE 4096u

#define FLAG_DF 0x00000400u
#define FLAG_NT 0x00004000u /* an IRET would return from a hardware task */
#define FLAG_AC 0x00040000u
#define FLAG_ID 0x00200000u

/* Makes a system call with these flags, and gives back the flags after it. */
static int call_with(uint32_t flags, uint32_t number, uint32_t first, uint32_t second,
                     uint32_t *flags_after)
{
    int result;

    __asm__ volatile("pushf\n\t"
                     "orl %[flags], (%%esp)\n\t"
                     "popf\n\t"
                     "int $0x80\n\t"
                     "pushf\n\t"
                     "popl %[after]\n\t"
                     "pushl $0x202\n\t"
                     "popf"
                     : "=a"(result), [after] "=&r"(*flags_after)
                     : "a"(number), "b"(first), "c"(second), [flags] "r"(flags)
                     : "memory", "cc");
    return result;
}

int main(const char *argument)
{
    static const uint32_t all[] = {FLAG_DF, FLAG_NT, FLAG_AC, FLAG_ID};
    static struct process_entry entries[2];
    uint32_t kept = 0;
    uint32_t after;
    uint32_t failed = 0;

    (void)argument;
    for (uint32_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        const uint32_t page = AREA + i * PAGE;
        failed += call_with(all[i], SYSTEM_CALL_MEMORY_MAP, page, PAGE, &after) != OK;
        kept += (after & all[i]) != 0;
        for (uint32_t *word = (uint32_t *)page; word < (uint32_t *)(page + PAGE); word++) {
            failed += *word != 0;
        }
        entries[0].pid = 0;
        failed += call_with(all[i], SYSTEM_CALL_LIST_PROCESSES, (uint32_t)entries, 2, &after) != 1;
        failed += entries[0].pid != (uint32_t)getpid();
        failed += call_with(all[i], SYSTEM_CALL_YIELD, 0, 0, &after) != OK;
    }
    probe_report("failed", failed);
    probe_report("kept", kept);
    probe_finish();
}
