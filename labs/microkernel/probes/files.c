/*
 * The file server seen by its clients: the same files as ever, and what a client lives through when
 * the server dies.
 */
#include "crew.h"

enum { BIG = 20000, BLOCK = 3000 };

static uint8_t buffer[BIG + 16];

/* The byte at `place` of every file of this run. */
static uint8_t content(uint32_t place)
{
    uint32_t word = crew.seed + place / 4 * 0x9e3779b1u;
    return (uint8_t)(word >> place % 4 * 8);
}

static uint32_t right_bytes(const uint8_t *bytes, uint32_t offset, uint32_t length)
{
    uint32_t right = 0;
    for (uint32_t i = 0; i < length; i++)
        right += bytes[i] == content(offset + i);
    return right;
}

static int create_big(const char *name, uint32_t length)
{
    for (uint32_t i = 0; i < length; i++)
        buffer[i] = content(i);
    return create_file(name, buffer, length);
}

/* Right bytes of the file `name`, read from its start, or an error. */
static int read_big(const char *name, uint32_t length)
{
    memset(buffer, 0, sizeof buffer);
    int result = read_file(name, buffer, 0, length);
    return result < 0 ? result : (int)right_bytes(buffer, 0, (uint32_t)result);
}

static int listed(const char *name)
{
    static struct file_entry entries[64];
    int count = list_files(entries, 64);
    for (int i = 0; i < count; i++)
        if (strcmp(entries[i].name, name) == 0)
            return (int)entries[i].length;
    return -1;
}

/* The disk holds `poem` (BIG bytes of this run's content) and `old` when this starts. */
static int files(void)
{
    probe_report("service", (uint32_t)ipc_service(SERVICE_FILE));
    probe_report("poem", (uint32_t)read_big("poem", BIG));
    probe_report("listed", (uint32_t)listed("poem"));
    memset(buffer, 0, sizeof buffer);
    probe_report("part",
                 read_file("poem", buffer, 777, 1000) == 1000 ? right_bytes(buffer, 777, 1000) : 0);
    probe_report("end", (uint32_t)read_file("poem", buffer, BIG - 10, 1000));
    probe_report("create", (uint32_t)create_big("new", BLOCK));
    probe_report("new", (uint32_t)read_big("new", BIG));
    probe_report("delete", (uint32_t)delete_file("old"));
    probe_report("gone", (uint32_t)listed("old"));
    probe_report("empty", (uint32_t)create_file("empty", buffer, 0));
    probe_report("empty_length", (uint32_t)listed("empty"));
    probe_finish();
    return 0;
}

/* Passes the kernel's memory to a function, in the way a says; its exit status is the result, or
 * that of a fault, if the library touches that memory by itself. */
static int careless(void)
{
    void *kernels = (void *)0xc0100000;
    if (crew.a == 0)
        return read_file("poem", kernels, 0, 10);
    return crew.a == 1 ? create_file("stolen", kernels, 10) : list_files(kernels, 3);
}

static int errors(void)
{
    probe_report("kernels_read", (uint32_t)crew_wait(crew_start("careless", 0, 0)));
    probe_report("kernels_data", (uint32_t)crew_wait(crew_start("careless", 1, 0)));
    probe_report("kernels_list", (uint32_t)crew_wait(crew_start("careless", 2, 0)));
    probe_report("read_missing", (uint32_t)read_file("missing", buffer, 0, 10));
    probe_report("delete_missing", (uint32_t)delete_file("missing"));
    probe_report("create_twice", (uint32_t)create_file("poem", buffer, 10));
    probe_report("long_name",
                 (uint32_t)create_file("a-name-that-is-longer-than-a-name-may-be", buffer, 10));
    probe_report("empty_name", (uint32_t)create_file("", buffer, 10));
    probe_report("too_large",
                 (uint32_t)create_big("large", BIG)); /* the test left less room than this */
    probe_report("poem", (uint32_t)read_big("poem", BIG));
    probe_report("fits", (uint32_t)create_big("small", 100));
    probe_finish();
    return 0;
}

static int old_calls(void)
{
    uint32_t name = (uint32_t) "poem", to = (uint32_t)buffer;
    probe_report("create",
                 (uint32_t)system_call(SYSTEM_CALL_CREATE_FILE, (uint32_t) "stray", to, 10, 0, 0));
    probe_report("read", (uint32_t)system_call(SYSTEM_CALL_READ_FILE, name, to, 0, 10, 0));
    probe_report("list", (uint32_t)system_call(SYSTEM_CALL_LIST_FILES, to, 10, 0, 0, 0));
    probe_report("delete", (uint32_t)system_call(SYSTEM_CALL_DELETE_FILE, name, 0, 0, 0, 0));
    probe_report("by_library", (uint32_t)read_big("poem", BIG));
    probe_finish();
    return 0;
}

/* Reads the disk's status port, which is not its own; with a = 1, having just been served by the
 * file server. */
static int thief(void)
{
    uint8_t status;
    if (crew.a == 1 && read_big("poem", BLOCK) != BLOCK)
        return -1;
    __asm__ volatile("inb %w1, %0" : "=a"(status) : "d"(crew.b));
    return status;
}

static int ports(void)
{
    probe_report("poem", (uint32_t)read_big("poem", BIG));
    probe_report("status", (uint32_t)crew_wait(crew_start("thief", 0, 0x1f7)));
    probe_report("after_service", (uint32_t)crew_wait(crew_start("thief", 1, 0x1f7)));
    probe_report("control", (uint32_t)crew_wait(crew_start("thief", 1, 0x3f6)));
    probe_report("poem_again", (uint32_t)read_big("poem", BIG));
    probe_finish();
    return 0;
}

/* Reads the big file a times; its exit status is the number of right bytes of all. */
static int reader(void)
{
    int bytes = 0;
    for (uint32_t i = 0; i < crew.a; i++) {
        int result = read_big("poem", BIG);
        if (result < 0)
            return result;
        bytes += result;
    }
    return bytes;
}

/* Calls `attempt` until it does something else than tell of a dead server, for at most 120 ticks.
 */
static int retried(int (*attempt)(void), uint32_t *waited)
{
    uint32_t start = ticks();
    int result = attempt();
    while (result == E_DEAD && ticks() - start < 120) {
        sleep(1);
        result = attempt();
    }
    *waited = ticks() - start;
    return result;
}

static int read_poem(void)
{
    return read_big("poem", BIG);
}

static int create_new(void)
{
    return create_big("new", BLOCK);
}

/* The grader stops here: the server is to die while it serves the next request. */
__attribute__((noinline)) void request_starts(void)
{
    __asm__ volatile("");
}

/* The server dies in the middle of a read: the grader sees to that. */
static int read_through_death(void)
{
    uint32_t waited, old = (uint32_t)ipc_service(SERVICE_FILE);
    request_starts();
    probe_report("during", (uint32_t)read_poem());
    probe_report("afterwards", (uint32_t)retried(read_poem, &waited));
    probe_report("waited", waited);
    probe_report("old", old);
    probe_report("new", (uint32_t)ipc_service(SERVICE_FILE));
    probe_finish();
    return 0;
}

/* The same in the middle of a write: what was there stays whole, and the new file is there or is
 * not. */
static int write_through_death(void)
{
    uint32_t waited;
    request_starts();
    probe_report("during", (uint32_t)create_new());
    probe_report("poem", (uint32_t)retried(read_poem, &waited));
    delete_file("new"); /* half of it may be known, or nothing */
    probe_report("create", (uint32_t)retried(create_new, &waited));
    probe_report("new", (uint32_t)read_big("new", BLOCK));
    probe_finish();
    return 0;
}

/* Kills the file server a times. */
static int killed(void)
{
    uint32_t kills = 0, reads = 0, waited = 0, longest = 0, others = 0;
    int endpoint = ipc_service(SERVICE_FILE);
    for (uint32_t i = 0; i < crew.a; i++) {
        uint32_t pid = 0;
        crew_find("file_server", &pid);
        kills += kill(pid) == OK;
        reads += retried(read_poem, &waited) == BIG;
        longest = waited > longest ? waited : longest;
        others += ipc_service(SERVICE_FILE) != endpoint;
        endpoint = ipc_service(SERVICE_FILE);
    }
    probe_report("kills", kills);
    probe_report("reads", reads);
    probe_report("longest", longest);
    probe_report("new_endpoints", others);
    probe_finish();
    return 0;
}

/* Lives beside a villain: its memory and its messages must not suffer. Exit status: right words. */
static int bystander(void)
{
    static uint32_t memory[1024];
    message_t letter = {0};
    for (uint32_t i = 0; i < 1024; i++)
        memory[i] = letter_word(i, i);
    int result = crew_hello();
    if (result == 0)
        result = ipc_receive(ENDPOINT_ANY, &letter, 0);
    if (result != 0)
        return result;
    int words = (int)letter_words(&letter, 1);
    for (uint32_t i = 0; i < 1024; i++)
        words += memory[i] == letter_word(i, i);
    return words;
}

static int ask_villain(uint32_t crime)
{
    message_t letter;
    letter_write(&letter, crime);
    int endpoint = ipc_service(SERVICE_FILE);
    return endpoint <= 0 ? endpoint : ipc_call((uint32_t)endpoint, &letter, 0);
}

static int ask_harmless(void)
{
    return ask_villain(0);
}

/* The file server is the villain of villain.c: it commits each crime once, and is started anew
 * after each. */
static int crimes(void)
{
    uint32_t dead = 0, alive = 0, waited, other;
    int pid = crew_start_known("bystander", 0, 0, &other);
    for (uint32_t crime = 1; crime <= 8; crime++) {
        alive |= (uint32_t)(retried(ask_harmless, &waited) == OK) << crime;
        dead |= (uint32_t)(ask_villain(crime) == E_DEAD) << crime;
    }
    probe_report("alive_before", alive);
    probe_report("dead_after", dead);
    probe_report("alive_at_last", (uint32_t)retried(ask_harmless, &waited));
    probe_report("sent", (uint32_t)letter_send(other, 1));
    probe_report("bystander", (uint32_t)crew_wait(pid));
    probe_finish();
    return 0;
}

/* Two clients at once. */
static int clients(void)
{
    int pids[2] = {crew_start("reader", 2, 0), crew_start("reader", 2, 0)};
    probe_report("first", (uint32_t)crew_wait(pids[0]));
    probe_report("second", (uint32_t)crew_wait(pids[1]));
    probe_report("service", (uint32_t)ipc_service(SERVICE_FILE));
    probe_finish();
    return 0;
}

int main(const char *argument)
{
    static const struct crew_role roles[] = {
        {"files", files},
        {"errors", errors},
        {"old_calls", old_calls},
        {"ports", ports},
        {"clients", clients},
        {"read_through", read_through_death},
        {"write_through", write_through_death},
        {"killed", killed},
        {"crimes", crimes},
        {"thief", thief},
        {"careless", careless},
        {"reader", reader},
        {"bystander", bystander},
        {NULL, NULL},
    };
    return crew_play("files", argument, roles);
}
