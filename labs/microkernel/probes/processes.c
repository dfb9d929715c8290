/*
 * The process server seen by its clients: creating, waiting, killing, listing, and requests that
 * make no sense.
 */
#include "crew.h"

enum { LIST = 64, CHUNK = 16 };

static struct process_entry entries[LIST];

/* Ends at tick b (at once if 0) with status a. */
static int leaf(void)
{
    sleep_until(crew.b);
    exit((int)crew.a);
}

static int sleeper(void)
{
    sleep(1000);
    return 1;
}

static int spinner(void)
{
    for (volatile uint32_t count = 0;; count++)
        ;
    return 0;
}

/* Waits for a child of its own that ends at tick b. */
static int parent(void)
{
    return crew_wait(crew_start("leaf", crew.a, crew.b));
}

/* Waits for a message that never comes. */
static int listener(void)
{
    message_t letter;
    return ipc_receive(ENDPOINT_ANY, &letter, 0);
}

/* Creates a children, one after the other, each with an exit status of its own. */
static int create(void)
{
    uint32_t right = 0;
    for (uint32_t i = 0; i < crew.a; i++)
        right += crew_wait(crew_start("leaf", crew.nonce + i, 0)) == (int)(crew.nonce + i);
    probe_report("right", right);
    probe_report("service", (uint32_t)ipc_service(SERVICE_PROCESS));
    probe_finish();
    return 0;
}

static uint32_t hash(const char *text)
{
    uint32_t value = crew.nonce;
    for (; *text != '\0'; text++)
        value = value * 33 + (uint8_t)*text;
    return value;
}

/* Its exit status is a hash of the whole argument it was given. */
static int measure(void)
{
    return (int)hash(crew.argument);
}

static int arguments(void)
{
    char argument[ARGUMENT_MAX + 2];
    char *end = crew_append_number(crew_append(argument, "role=measure"), " nonce=", crew.nonce);
    *end++ = ' ';
    for (uint32_t i = 0; end < argument + ARGUMENT_MAX; i++)
        *end++ = (char)('!' + (crew.nonce + i * i) % 90);
    *end = '\0';
    probe_report("right", crew_wait(spawn(crew.program, argument)) == (int)hash(argument));
    *end++ = 'x';
    *end = '\0';
    probe_report("too_long", (uint32_t)(spawn(crew.program, argument) < 0));
    int from_disk = spawn("greeting", ""); /* this program is on the disk alone */
    probe_report("from_disk", (uint32_t)(from_disk > 0 ? crew_wait(from_disk) : from_disk));
    probe_report("missing", (uint32_t)spawn("no-such-program", ""));
    probe_report("no_program", (uint32_t)spawn("parameters", ""));
    probe_report("long_name", (uint32_t)spawn("a-name-that-is-longer-than-a-name-may-be", ""));
    probe_finish();
    return 0;
}

/* Maps memory that it never gives back itself. */
static int glutton(void)
{
    return memory_map((void *)0x30000000, crew.a) != 0 ? -1 : (int)crew.b;
}

/* Its exit status is how many pages of memory there were. */
static int miser(void)
{
    int pages = 0;
    while (memory_map((char *)0x30000000 + pages * 0x1000, 0x1000) == 0)
        pages++;
    return pages;
}

/* A hundred processes, one after the other, that together use more memory than there is. Then there
 * is as much as before, but for what the servers may have taken for themselves. */
static int hundred(void)
{
    static int pids[100];
    uint32_t right = 0, twice = 0;
    int pages = crew_wait(crew_start("miser", 0, 0));
    for (int i = 0; i < 100; i++) {
        pids[i] = crew_start("glutton", 128 * 1024, (uint32_t)i);
        right += crew_wait(pids[i]) == i;
        for (int j = 0; j < i; j++)
            twice += pids[j] == pids[i];
    }
    probe_report("right", right);
    probe_report("twice", twice);
    probe_report("lost_pages", (uint32_t)(pages - crew_wait(crew_start("miser", 0, 0))));
    probe_finish();
    return 0;
}

static int full(void)
{
    static int pids[LIST + 1];
    char argument[] = "role=sleeper";
    int count = 0, result = 0;
    while (count <= LIST && (result = spawn(crew.program, argument)) > 0)
        pids[count++] = result;
    probe_report("started", (uint32_t)count);
    probe_report("then", (uint32_t)result);
    probe_report("again", (uint32_t)spawn(crew.program, argument));
    probe_report("listed", (uint32_t)list_processes(entries, LIST));
    kill((uint32_t)pids[count / 2]);
    probe_report("killed", (uint32_t)crew_wait(pids[count / 2]));
    int pid = crew_start("leaf", 77, 0);
    probe_report("new_one", (uint32_t)crew_wait(pid));
    probe_finish();
    return 0;
}

/* Has the kernel's memory written to, in the way a says; its exit status is the result, or that of
 * a fault, if the library writes there by itself. A child's status may not be lost that way. */
static int careless(void)
{
    if (crew.a == 1)
        return list_processes((struct process_entry *)0xc0100000, 4);
    int pid = crew_start("leaf", 6, 0), result = wait((uint32_t)pid, (int *)0xc0100000);
    return result < 0 && crew_wait(pid) != 6 ? 1 : result;
}

static int waits(void)
{
    uint32_t server = 0;
    int status = -1;
    probe_report("kernels_status", (uint32_t)crew_wait(crew_start("careless", 0, 0)));
    probe_report("kernels_list", (uint32_t)crew_wait(crew_start("careless", 1, 0)));
    probe_report("no_child", (uint32_t)wait(0, &status));
    crew_find("process_server", &server);
    probe_report("not_a_child", (uint32_t)wait(server, &status));
    uint32_t start = ticks();
    int late = crew_start("leaf", crew.nonce, start + CREW_LEAD + 3);
    int early = crew_start("leaf", 0x80000001, start + CREW_LEAD);
    probe_report("any", (uint32_t)(wait(0, &status) == early));
    probe_report("any_status", (uint32_t)status);
    probe_report("this_one", (uint32_t)(wait((uint32_t)late, &status) == late));
    probe_report("status", (uint32_t)status);
    probe_report("waited", ticks() - start);
    probe_report("twice", (uint32_t)wait((uint32_t)late, &status));
    int unasked = crew_start("leaf", 5, 0);
    probe_report("no_status", (uint32_t)(wait((uint32_t)unasked, NULL) == unasked));
    probe_finish();
    return 0;
}

/* Does what a program must not do, in the way a says. */
static int offender(void)
{
    switch (crew.a) {
    case 0:
        __asm__ volatile("divl %0" : : "r"(0), "a"(1), "d"(0));
        break;
    case 1:
        __asm__ volatile("ud2");
        break;
    case 2:
        __asm__ volatile("cli");
        break;
    case 3:
        *(volatile uint32_t *)0xc0100000 = crew.nonce;
        break;
    default:
        *(volatile uint32_t *)0 = crew.nonce;
    }
    return 0;
}

static int faults(void)
{
    static const char *const keys[] = {"divide_error", "invalid_opcode", "privileged",
                                       "kernel_write", "null_write"};
    for (uint32_t i = 0; i < 5; i++)
        probe_report(keys[i], (uint32_t)crew_wait(crew_start("offender", i, 0)));
    probe_report("harmless", (uint32_t)crew_wait(crew_start("leaf", 42, 0)));
    probe_finish();
    return 0;
}

static int kills(void)
{
    static const char *const roles[] = {"spinner", "sleeper", "listener", "parent"};
    static const char *const keys[] = {"spinner_status", "sleeper_status", "listener_status",
                                       "parent_status"};
    uint32_t other = 0;
    int last = 0;
    for (int i = 0; i < 4; i++) {
        last = crew_start(roles[i], 3, ticks() + 100);
        sleep(2);
        probe_report(roles[i], (uint32_t)kill((uint32_t)last));
        probe_report(keys[i], (uint32_t)crew_wait(last));
    }
    probe_report("dead", (uint32_t)kill((uint32_t)last));
    probe_report("unknown", (uint32_t)kill(0x7ffffff0));
    int pid = crew_start_known("known", 9, 0, &other);
    probe_report("living_answers", (uint32_t)letter_send(other, 9));
    probe_report("living", (uint32_t)crew_wait(pid));
    probe_finish();
    return 0;
}

static int known(void)
{
    message_t letter = {0};
    int result = crew_hello();
    if (result == 0)
        result = ipc_receive(ENDPOINT_ANY, &letter, 0);
    return result != 0 ? result : (int)letter_words(&letter, crew.a);
}

static const struct process_entry *entry_of(uint32_t pid, int count)
{
    for (int i = 0; i < count; i++)
        if (entries[i].pid == pid)
            return &entries[i];
    return NULL;
}

static int lists(void)
{
    uint32_t server = 0;
    int pid = crew_start("sleeper", 0, 0);
    probe_report("server", crew_find("process_server", &server));
    int before = list_processes(entries, LIST);
    const struct process_entry *child = entry_of((uint32_t)pid, before),
                               *self = entry_of((uint32_t)getpid(), before);
    probe_report("child", child != NULL && strcmp(child->name, crew.program) == 0);
    probe_report("its_parent", child != NULL && child->parent == (uint32_t)getpid());
    probe_report("itself", self != NULL && strcmp(self->name, crew.program) == 0);
    probe_report("at_most", (uint32_t)list_processes(entries, 1));
    kill((uint32_t)pid);
    crew_wait(pid);
    int after = list_processes(entries, LIST);
    probe_report("one_less", (uint32_t)(before - after));
    probe_report("forgotten", entry_of((uint32_t)pid, after) == NULL);
    probe_finish();
    return 0;
}

/* The kernel no longer knows the old system calls: not even with the arguments that the library
 * once gave. */
static int old_calls(void)
{
    int pid = crew_start("listener", 0, 0), status = 0;
    uint32_t argument = (uint32_t) "role=leaf";
    probe_report("spawn", (uint32_t)system_call(SYSTEM_CALL_SPAWN, (uint32_t)crew.program, argument,
                                                0, 0, 0));
    probe_report(
        "wait", (uint32_t)system_call(SYSTEM_CALL_WAIT, (uint32_t)pid, (uint32_t)&status, 0, 0, 0));
    probe_report("list", (uint32_t)system_call(SYSTEM_CALL_LIST_PROCESSES, (uint32_t)entries, LIST,
                                               0, 0, 0));
    probe_report("kill", (uint32_t)system_call(SYSTEM_CALL_KILL, (uint32_t)pid, 0, 0, 0, 0));
    probe_report("by_library", (uint32_t)kill((uint32_t)pid));
    probe_report("status", (uint32_t)crew_wait(pid));
    probe_finish();
    return 0;
}

/* Calls the process server with the types from a on, each with a payload that fits no rule. */
static int vandal(void)
{
    uint32_t server = (uint32_t)ipc_service(SERVICE_PROCESS);
    for (uint32_t type = crew.a; type < crew.a + CHUNK; type++) {
        message_t message = {.type = type};
        for (int i = 0; i < MESSAGE_WORDS; i++)
            message.payload[i] = crew.b;
        ipc_call(server, &message, 0);
    }
    return 0;
}

/* Sends without waiting for an answer, which the server may not wait to deliver either. */
static int rude(void)
{
    uint32_t server = (uint32_t)ipc_service(SERVICE_PROCESS);
    for (uint32_t type = crew.a; type < crew.a + CHUNK; type++) {
        message_t message = {.type = type};
        for (int i = 0; i < MESSAGE_WORDS; i++)
            message.payload[i] = crew.b;
        ipc_send(server, &message, 0);
    }
    ipc_notify(server, crew.b);
    return 0;
}

/* The first and last of the numbers that the process server may have system calls of its own for.
 */
enum { FIRST_CALL = 40, LAST_CALL = 63 };

/* Tries the server's own system calls, from a on, on the process with endpoint and pid b / 65536
 * and b % 65536. */
static int intruder(void)
{
    uint32_t endpoint = crew.b >> 16;
    uint32_t names[] = {endpoint, crew.b & 0xffff, endpoint % ENDPOINT_SLOTS};
    for (uint32_t call = crew.a; call < crew.a + CHUNK / 2; call++)
        for (int i = 0; i < 3; i++)
            system_call(call, names[i], 9, 9, 9, 9);
    return 0;
}

static void let_loose(const char *role, uint32_t first_type, uint32_t word)
{
    int pid = crew_start(role, first_type, word);
    sleep(1);
    kill((uint32_t)pid); /* it may be waiting for an answer that need not come */
    crew_wait(pid);
}

static int garbage(void)
{
    uint32_t other;
    int victim = crew_start_known("known", 9, 0, &other);
    int before = list_processes(entries, LIST);
    for (uint32_t type = 0; type < 20 * CHUNK; type += CHUNK)
        let_loose("vandal", type, 0xffffffff);
    let_loose("vandal", crew.nonce | 0x40000000, crew.nonce);
    let_loose("vandal", 0xffffff00, 0xbffffff8);
    let_loose("rude", 0, 0xffffffff);
    let_loose("rude", 0x100, 0xffffffff);
    for (uint32_t call = FIRST_CALL; call <= LAST_CALL; call += CHUNK / 2)
        let_loose("intruder", call, other << 16 | (uint32_t)victim);
    probe_report("before", (uint32_t)before);
    probe_report("after", (uint32_t)list_processes(entries, LIST));
    probe_report("still_creates", (uint32_t)crew_wait(crew_start("leaf", 4711, 0)));
    probe_report("letter", (uint32_t)letter_send(other, 9));
    probe_report("bystander", (uint32_t)crew_wait(victim));
    probe_finish();
    return 0;
}

/* Starts children that outlive it. */
static int negligent(void)
{
    for (int i = 0; i < 4; i++)
        crew_start("leaf", 0, ticks() + 2);
    return 6;
}

/* Clients of the process server that die while it owes them an answer, and children whose parents
 * are gone. */
static int orphans(void)
{
    uint32_t right = 0;
    int before = list_processes(entries, LIST);
    for (int i = 0; i < 4; i++) {
        int pid = crew_start("parent", 3, ticks() + 4);
        sleep(2);
        kill((uint32_t)pid);
        right += crew_wait(pid) == EXIT_KILLED;
    }
    probe_report("killed_parents", right);
    for (int i = 0; i < 16; i++)
        right += crew_wait(crew_start("negligent", 0, 0)) == 6;
    sleep(CREW_LEAD);
    probe_report("right", right);
    probe_report("left", (uint32_t)(list_processes(entries, LIST) - before));
    probe_finish();
    return 0;
}

int main(const char *argument)
{
    static const struct crew_role roles[] = {
        {"create", create},     {"arguments", arguments}, {"hundred", hundred},
        {"full", full},         {"waits", waits},         {"faults", faults},
        {"kills", kills},       {"lists", lists},         {"old_calls", old_calls},
        {"garbage", garbage},   {"orphans", orphans},     {"leaf", leaf},
        {"sleeper", sleeper},   {"spinner", spinner},     {"parent", parent},
        {"listener", listener}, {"measure", measure},     {"careless", careless},
        {"glutton", glutton},   {"offender", offender},   {"known", known},
        {"vandal", vandal},     {"rude", rude},           {"negligent", negligent},
        {"miser", miser},       {"intruder", intruder},   {NULL, NULL},
    };
    return crew_play("processes", argument, roles);
}
