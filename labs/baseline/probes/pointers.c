/*
 * Every system call that takes a pointer is given every kind of wrong one, and then a right one. A
 * report's value has one digit (base 16) for each kind: 0 when the call returned the error that was
 * expected, 1 otherwise. For the right pointer the result itself is reported.
 */
#include "library.h"
#include "probe.h"

#define PAGE 4096u
#define AREA 0x20000000u /* three pages of which the middle one is not mapped */
#define EDGE (AREA + PAGE - 16)

typedef struct {
    const char *name;
    uint32_t pointer;
    uint32_t length; /* for calls that take one */
} bad_pointer_t;

static const bad_pointer_t bad_pointers[] = {
    {"null", 0, 16},
    {"kernel", 0xC0100000, 16},
    {"last page", 0xFFFFFFF0, 32}, /* start + length wraps around */
    {"straddles KBASE", 0xBFFFFFF0, 32},
    {"hole in the middle", EDGE, 2 * PAGE},
    {"into the hole", EDGE, 17},
    {"huge", AREA, 0x80000000},
    {"all of memory", AREA, 0xFFFFFFFF},
};
#define BAD_POINTERS (sizeof bad_pointers / sizeof bad_pointers[0])

/* Calls `number` with one bad pointer after the other in `place` (1: EBX ...), its length in the
 * place after it or, for place 5, nowhere. */
static uint32_t try_all(uint32_t number, const uint32_t given[5], uint32_t pointer_place,
                        uint32_t length_place, uint32_t unit)
{
    uint32_t wrong = 0;

    for (uint32_t i = 0; i < BAD_POINTERS; i++) {
        uint32_t arguments[6] = {0, given[0], given[1], given[2], given[3], given[4]};
        arguments[pointer_place] = bad_pointers[i].pointer;
        if (length_place != 0) {
            /* Rounded up: what is bad in bytes must be bad in entries too. */
            arguments[length_place] =
                bad_pointers[i].length / unit + (bad_pointers[i].length % unit != 0);
        }
        const int result = system_call(number, arguments[1], arguments[2], arguments[3],
                                       arguments[4], arguments[5]);
        wrong |= (result != E_FAULT) << (4 * i);
    }
    return wrong;
}

/* The same for a string, which has no length: only those kinds that are bad from the first byte,
 * and one that runs into the hole. */
static uint32_t try_string(uint32_t number, const uint32_t given[5], uint32_t place)
{
    static const uint32_t bad[] = {0, 0xC0100000, 0xFFFFFFF0, 0xBFFFFFF0, EDGE, AREA + PAGE};
    uint32_t wrong = 0;

    for (uint32_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uint32_t arguments[6] = {0, given[0], given[1], given[2], given[3], given[4]};
        arguments[place] = bad[i];
        const int result = system_call(number, arguments[1], arguments[2], arguments[3],
                                       arguments[4], arguments[5]);
        wrong |= (result != E_FAULT) << (4 * i);
    }
    return wrong;
}

static void make_hole(void)
{
    memory_map((void *)AREA, 3 * PAGE);
    memset((void *)AREA, 'x', 3 * PAGE); /* no NUL: a string runs on into the hole */
    memory_unmap((void *)(AREA + PAGE), PAGE);
}

static void try_strings(void)
{
    static char buffer[16];
    const uint32_t name = (uint32_t) "pointers";
    const uint32_t out = (uint32_t)buffer;

    probe_report("spawn-name", try_string(SYSTEM_CALL_SPAWN, (uint32_t[5]){0, name}, 1));
    probe_report("spawn-argument", try_string(SYSTEM_CALL_SPAWN, (uint32_t[5]){name}, 2));
    probe_report("create-name", try_string(SYSTEM_CALL_CREATE_FILE, (uint32_t[5]){0, name, 1}, 1));
    probe_report("read-name", try_string(SYSTEM_CALL_READ_FILE, (uint32_t[5]){0, out, 0, 1}, 1));
    probe_report("delete-name", try_string(SYSTEM_CALL_DELETE_FILE, (uint32_t[5]){0}, 1));
    probe_report("parameter-key", try_string(SYSTEM_CALL_PARAMETER, (uint32_t[5]){0, out, 16}, 1));
}

static void try_buffers(void)
{
    const uint32_t name = (uint32_t) "pointers";
    const uint32_t key = (uint32_t) "nonce";

    probe_report("write", try_all(SYSTEM_CALL_WRITE, (uint32_t[5]){0}, 1, 2, 1));
    probe_report("read", try_all(SYSTEM_CALL_READ, (uint32_t[5]){0}, 1, 2, 1));
    probe_report("create-data", try_all(SYSTEM_CALL_CREATE_FILE, (uint32_t[5]){name}, 2, 3, 1));
    probe_report("read-buffer", try_all(SYSTEM_CALL_READ_FILE, (uint32_t[5]){name}, 2, 4, 1));
    probe_report("list-files", try_all(SYSTEM_CALL_LIST_FILES, (uint32_t[5]){0}, 1, 2,
                                       sizeof(struct file_entry)));
    probe_report("list-processes", try_all(SYSTEM_CALL_LIST_PROCESSES, (uint32_t[5]){0}, 1, 2,
                                           sizeof(struct process_entry)));
    probe_report("parameter-value", try_all(SYSTEM_CALL_PARAMETER, (uint32_t[5]){key}, 2, 3, 1));
}

/* Memory that may be read but not written is no place for a result. */
static void try_read_only(void)
{
    static const char text[512] = "constant";
    struct process_entry *entries = (struct process_entry *)text;

    probe_report("ro-read", (uint32_t)read((void *)text, 16));
    probe_report("ro-read-file", (uint32_t)read_file("pointers", (void *)text, 0, 16));
    probe_report("ro-list", (uint32_t)list_processes(entries, 1));
    probe_report("ro-parameter", (uint32_t)parameter("nonce", (char *)text, 16));
    probe_report("ro-intact", strcmp(text, "constant") == 0);
    probe_report("ro-write", (uint32_t)write(text, 0)); /* as a source it is a right pointer */
}

/* A bad status pointer must not cost the child's status. */
static void try_wait(void)
{
    static const int constant;
    const uint32_t bad[] = {0xC0100000,      0xFFFFFFFE,  0xBFFFFFFE,
                            AREA + PAGE - 2, AREA + PAGE, (uint32_t)&constant};
    const uint32_t pid = (uint32_t)spawn("pointers", "child=1");
    uint32_t wrong = 0;
    int status = 0;

    for (uint32_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        wrong |= (wait(pid, (int *)bad[i]) != E_FAULT) << (4 * i);
    }
    probe_report("wait-status", wrong);
    probe_report("right-wait", wait(pid, &status) == (int)pid);
    probe_report("right-status", (uint32_t)status);
}

static void try_right_ones(void)
{
    static char buffer[64];
    static struct process_entry entries[2];

    probe_report("right-write", (uint32_t)write("right\n", 6));
    probe_report("right-parameter", (uint32_t)parameter("nonce", buffer, sizeof buffer));
    probe_report("right-list", (uint32_t)list_processes(entries, 2));
    probe_report("right-pid", entries[0].pid == (uint32_t)getpid());
    probe_report("unknown-call", (uint32_t)system_call(19, 0, 0, 0, 0, 0));
    probe_report("unknown-huge", (uint32_t)system_call(0x80000000, 0, 0, 0, 0, 0));
}

int main(const char *argument)
{
    if (probe_number(argument, "child", 0) == 1) {
        return 42;
    }
    make_hole();
    try_strings();
    try_buffers();
    try_read_only();
    try_right_ones();
    try_wait();
    probe_finish();
}
