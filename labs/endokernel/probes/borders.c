/*
 * A mediated program with the policy of `interposed` that tries the borders of its memory: it
 * passes buffers that are not its own, or not wholly, and maps and unmaps pages beside and over
 * PrivUser.
 */
#include "crew.h"
#include "interposed.h"
#include "lab_calls.h"
#include "privcall.h"
#include "privuser.h"

#define PAGE   0x1000u
#define MAPPED 0x20000000u /* ordinary memory that nobody uses */
#define KERNEL 0xc0100000u

static int forbidden_call(void)
{
    return system_call(SYSTEM_CALL_GETPID, 0, 0, 0, 0, 0);
}

static int child(void)
{
    return HARMLESS;
}

/* The function of a thread that is never started. */
static void nobody(uint32_t unused)
{
    (void)unused;
}

/* Every call that takes a buffer is given one at `address`, whose `length` bytes are not all the
 * program's. */
static void pass_buffer(uint32_t address, uint32_t length)
{
    void *bad = (void *)address;
    must_fail(write(bad, length));
    must_fail(list_processes(bad, length / sizeof(struct process_entry)));
    must_fail(list_files(bad, length / sizeof(struct file_entry)));
    must_fail(parameter("nonce", bad, length));
}

/* The same for strings, the first byte of which is not the program's. */
static void pass_string(uint32_t address)
{
    const char *bad = (const char *)address;
    must_fail(spawn(bad, ""));
    must_fail(spawn(crew.program, bad));
    int result = parameter(bad, (char *)MAPPED, 16);
    must_fail(result == E_FAULT || result == E_PERMISSION ? result : 0); /* it is not looked for */
}

/* The grader stops here and plants the treasure. */
__attribute__((noinline)) void buffers_begin(void)
{
    __asm__ volatile("");
}

static int buffers(void)
{
    char text[16];
    int status, pid = crew_start("child", 0, 0);
    if (memory_map((void *)MAPPED, PAGE) != 0 ||
        memory_map((void *)(PRIVUSER_START - PAGE), PAGE) != 0)
        crew_give_up("no_memory", 0);
    buffers_begin();
    uint32_t treasure = PRIVUSER_START + (uint32_t)privcall(INTERPOSED_WHERE, 0, 0, 0, 0);
    const uint32_t places[] = {treasure, PRIVUSER_START, PRIVUSER_END - 32, KERNEL};
    for (uint32_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        pass_buffer(places[i], 64);
        pass_string(places[i]);
    }
    pass_buffer(0xc0000000u - 32, 64);
    must_fail(write((void *)(PRIVUSER_START - 32), 64));
    must_fail(list_processes((void *)(PRIVUSER_START - 32), 2));
    must_fail(write((void *)MAPPED, 0xffffffffu - MAPPED + 2));
    must_fail(list_processes((void *)MAPPED, 0xffffffffu / sizeof(struct process_entry) + 1));
    must_fail(write((void *)MAPPED, PRIVUSER_START + 16 - MAPPED));
    must_fail(read((void *)treasure, 16));
    must_fail(system_call(LAB_CALL_ANSWER, 0, treasure, 0, 0, 0));
    must_fail(wait((uint32_t)pid, (int *)PRIVUSER_START));
    must_fail(wait((uint32_t)pid, (int *)(PRIVUSER_START - 2)));
    must_fail(
        system_call(LAB_CALL_THREAD_CREATE, (uint32_t)nobody, PRIVUSER_START + 4096, 0, 0, 0));
    must_fail(system_call(LAB_CALL_THREAD_CREATE, (uint32_t)nobody, treasure + 16, 0, 0, 0));
    crew_report_attempts();
    probe_report("wait", (uint32_t)wait((uint32_t)pid, &status));
    probe_report("pid", (uint32_t)pid);
    probe_report("status", (uint32_t)status);
    probe_report("length", (uint32_t)parameter("nonce", text, sizeof text));
    probe_report("nonce", parse_number(text));
    probe_report("border", (uint32_t)list_processes((void *)(PRIVUSER_START - 96), 2));
    probe_report("denied", (uint32_t)forbidden_call());
    probe_finish();
    return 0;
}

static void map(uint32_t address, uint32_t length)
{
    must_fail(memory_map((void *)address, length));
}

static void unmap(uint32_t address, uint32_t length)
{
    must_fail(memory_unmap((void *)address, length));
}

/* The grader stops here and looks at PrivUser's pages. */
__attribute__((noinline)) void maps_begin(void)
{
    __asm__ volatile("");
}

/* The memory below PrivUser is mapped, shrunk and grown until it meets the monitor. */
static int maps(void)
{
    maps_begin();
    map(PRIVUSER_START, PAGE);
    map(PRIVUSER_START - PAGE, 2 * PAGE);
    map(PRIVUSER_END - PAGE, PAGE);
    map(PRIVUSER_END - PAGE, 2 * PAGE);
    map(PRIVUSER_START + 0x300000, PAGE);
    map(PRIVUSER_START - PAGE, PRIVUSER_END - PRIVUSER_START + 2 * PAGE);
    map(PRIVUSER_START - PAGE, 0xfffff000u);
    probe_report("below", (uint32_t)memory_map((void *)(PRIVUSER_START - PAGE), PAGE));
    unmap(PRIVUSER_START, PAGE);
    unmap(PRIVUSER_START - PAGE, 2 * PAGE);
    unmap(PRIVUSER_START, PRIVUSER_END - PRIVUSER_START);
    unmap(PRIVUSER_START + 0x300000, PAGE);
    probe_report("code", (uint32_t)memory_unmap((void *)((uint32_t)maps & ~(PAGE - 1)), PAGE));
    *(volatile uint32_t *)(PRIVUSER_START - PAGE) = crew.nonce;
    crew_report_attempts();
    probe_report("kept", *(volatile uint32_t *)(PRIVUSER_START - PAGE));
    probe_report("above", (uint32_t)memory_map((void *)PRIVUSER_END, PAGE));
    probe_report("denied", (uint32_t)forbidden_call());
    probe_finish();
    return 0;
}

int main(const char *argument)
{
    static const struct crew_role roles[] = {
        {"buffers", buffers},
        {"maps", maps},
        {"child", child},
        {NULL, NULL},
    };
    return crew_play("borders", argument, roles);
}
