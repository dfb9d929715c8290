/*
 * PrivUser's pages as ring 3 meets them: it touches them, maps and unmaps memory around and in
 * them, and lives and dies with secrets in them. The grader looks on from outside.
 */
#include "privuser.h"
#include "roles.h"

#define PAGE      4096u
#define KBASE     0xC0000000u
#define MANY      25
#define MORE      0x20000000u /* where `reuse` maps memory */
#define MORE_STEP (256u << 10)

static volatile uint32_t own_word = 42;

/* Reads, writes, or jumps to address a. Returns only if ring 3 may do that. */
static int read_there(void)
{
    return (int)(*(volatile uint32_t *)role.a & 0xFFF);
}

static int write_there(void)
{
    *(volatile uint32_t *)role.a = role.nonce;
    return ROLE_DONE;
}

static int own_function(void)
{
    return ROLE_DONE;
}

static int jump_there(void)
{
    return ((int (*)(void))role.a)();
}

/* The grader says where the PrivUser's data lies: a is an address there. */
static int touch(void)
{
    static const struct {
        const char *key, *how;
        bool in_data;
    } attacks[] = {
        {"read-code", "read_there", false},  {"write-code", "write_there", false},
        {"jump-code", "jump_there", false},  {"read-data", "read_there", true},
        {"write-data", "write_there", true}, {"jump-data", "jump_there", true},
    };

    for (size_t i = 0; i < sizeof attacks / sizeof attacks[0]; i++) {
        role_try(attacks[i].key, attacks[i].how, attacks[i].in_data ? role.a : PRIVUSER_START, 0,
                 0);
    }
    role_try("read-own", "read_there", (uint32_t)&own_word, 0, 0);
    role_try("write-own", "write_there", (uint32_t)&own_word, 0, 0);
    role_try("jump-own", "jump_there", (uint32_t)own_function, 0, 0);
    probe_finish();
}

/* The grader stops here: in each process that is alive, or when a process has a secret to keep. */
__attribute__((noinline)) int look_here(void)
{
    __asm__ volatile("" : : : "memory");
    return 1;
}

static int stay(void)
{
    look_here();
    sleep(30);
    return ROLE_DONE;
}

/* Two more processes of this program, all three alive at once. */
static int copies(void)
{
    const int first = role_start("stay", 0, 0, 0);
    const int second = role_start("stay", 0, 0, 0);

    sleep(5);
    look_here();
    probe_report("first", (uint32_t)role_wait(first));
    probe_report("second", (uint32_t)role_wait(second));
    probe_finish();
}

static int leave(void)
{
    return ROLE_DONE;
}

/* Has a secret to keep, and faults. */
static int stay_and_fault(void)
{
    stay();
    return *(volatile uint8_t *)KBASE;
}

/* The programs on the disk are this one with another header; `right` is this one as it is. */
static int formats(void)
{
    static const char *const names[] = {
        "right",           "other-magic", "entry-zero", "entry-in-data", "entry-below",
        "entry-in-kernel", "entry-after", "half-out",   "no-header",     "header-moved",
    };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        int status = 0;
        const int pid = spawn(names[i], "role=leave");
        if (pid > 0) {
            wait((uint32_t)pid, &status);
        }
        probe_report(names[i], (uint32_t)(pid > 0 ? status : pid));
    }
    probe_finish();
}

/* a is the first address after the PrivUser's own pages: from there on is a hole. */
static int map(void)
{
    const struct {
        const char *key;
        uint32_t start, length;
    } bad[] = {
        {"map-hole", role.a, PAGE},
        {"map-last", PRIVUSER_END - PAGE, PAGE},
        {"map-into", PRIVUSER_START - PAGE, PAGE + 1},
        {"map-out-of", PRIVUSER_END - PAGE, 2 * PAGE},
        {"map-around", PRIVUSER_START - PAGE, PRIVUSER_END - PRIVUSER_START + 2 * PAGE},
        {"map-all", PRIVUSER_START, PRIVUSER_END - PRIVUSER_START},
    };

    look_here();
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const int result = memory_map((void *)bad[i].start, bad[i].length);
        probe_report(bad[i].key, (uint32_t)result);
    }
    probe_report("unmap-first", (uint32_t)memory_unmap((void *)PRIVUSER_START, PAGE));
    probe_report("unmap-data", (uint32_t)memory_unmap((void *)(role.a - PAGE), PAGE));
    probe_report("unmap-all",
                 (uint32_t)memory_unmap((void *)PRIVUSER_START, role.a - PRIVUSER_START));
    look_here();

    volatile uint32_t *const below = (uint32_t *)(PRIVUSER_START - PAGE);
    volatile uint32_t *const after = (uint32_t *)PRIVUSER_END;
    probe_report("below", (uint32_t)memory_map((void *)below, PAGE));
    probe_report("after", (uint32_t)memory_map((void *)after, PAGE));
    *below = role.nonce;
    *after = role.nonce + 1;
    probe_report("in-below", *below);
    probe_report("in-after", *after);
    probe_report("unmap-below", (uint32_t)memory_unmap((void *)below, PAGE));
    probe_report("unmap-after", (uint32_t)memory_unmap((void *)after, PAGE));
    probe_report("unmap-into", (uint32_t)memory_unmap((void *)(PRIVUSER_START - PAGE), 2 * PAGE));
    probe_finish();
}

/* All memory that the kernel gives, for the grader to look at. */
static void show_all_memory(void)
{
    uint32_t end = MORE;

    for (uint32_t step = MORE_STEP; step >= PAGE; step /= 2) {
        while (memory_map((void *)end, step) == OK) {
            end += step;
        }
    }
    look_here();
    memory_unmap((void *)MORE, end - MORE);
}

/* Processes with secrets die, in every way; whoever gets their memory, by memory_map or by being
 * started, must not find them. Then come many more. */
static int reuse(void)
{
    int right = 0;

    probe_report("exits", (uint32_t)role_wait(role_start("stay", 0, 0, 0)));
    show_all_memory();
    const int victim = role_start("stay", 0, 0, 0);
    sleep(5);
    kill((uint32_t)victim);
    probe_report("is-killed", (uint32_t)role_wait(victim));
    show_all_memory();
    probe_report("faults", (uint32_t)role_wait(role_start("stay_and_fault", 0, 0, 0)));
    show_all_memory();
    const int next = role_start("stay", 0, 0, 0);
    sleep(5);
    look_here();
    role_wait(next);
    for (int i = 0; i < MANY; i++) {
        right += role_wait(role_start("leave", 0, 0, 0)) == ROLE_DONE;
    }
    probe_report("right", (uint32_t)right);
    probe_finish();
}

/* An ordinary life, with most of what a program can ask of the kernel. */
static int live(void)
{
    static struct process_entry entries[8];
    static char text[64];

    look_here();
    const int child = role_start("stay", 0, 0, 0);
    probe_report("listed", (uint32_t)list_processes(entries, 8));
    probe_report("nonce-length", (uint32_t)parameter("nonce", text, sizeof text));
    probe_report("mapped", (uint32_t)memory_map((void *)MORE, 16 * PAGE));
    probe_report("fault", (uint32_t)role_wait(role_start("read_there", PRIVUSER_START, 0, 0)));
    sleep(2);
    look_here();
    probe_report("child", (uint32_t)role_wait(child));
    probe_finish();
}

int main(const char *argument)
{
    static const role_t roles[] = {
        {"touch", touch},
        {"read_there", read_there},
        {"write_there", write_there},
        {"jump_there", jump_there},
        {"stay", stay},
        {"stay_and_fault", stay_and_fault},
        {"copies", copies},
        {"leave", leave},
        {"formats", formats},
        {"map", map},
        {"reuse", reuse},
        {"live", live},
        {NULL, NULL},
    };

    return role_play("pages", argument, roles);
}
