/*
 * The process server: an ordinary program, in ring 3, that owns the processes list. It says which
 * processes there are, whose children they are, who waits for whom, and what becomes of an exit
 * status. The kernel keeps only what it needs to run a process, and tells this server when one
 * ends.
 */
// STAGE 2 {
//: #include "ipc.h"
//: #include "library.h"
#include "process_server.h"

#include "library_server.h"
// STAGE 2 }

// STAGE 2 {
//: // TASK 2: make this the owner of the processes. It needs a function `process_create`, which runs
//: // for every process that is made, and a loop that receives requests and answers them. A function
//: // that a debugger (or the grader) must find may not be inlined:
//: //     __attribute__((noinline, noclone)) int process_create(...)
#define PROCESSES_MAX ENDPOINT_SLOTS

/* Where a program's file is read to before the kernel makes a process of it. */
#define IMAGE_START 0x20000000u
#define IMAGE_PIECE 0x10000u

/* The process control block: the part of it that is policy. */
typedef struct {
    uint32_t pid;    /* unique, never used again; 0: this entry is free */
    uint32_t parent; /* 0 when none will ask for the exit status */
    endpoint_t endpoint;
    char name[FILE_NAME_MAX + 1];
    uint32_t service; /* the SERVICE_... it is, or 0 */
    bool ended;       /* a zombie: only its exit status is left */
    int exit_status;
    bool waiting;         /* has asked to wait, and is owed the answer */
    uint32_t waiting_for; /* for this pid; 0: for any child */
    // STAGE 4 {
    uint32_t started; /* the tick at which it was */
    // STAGE 4 }
} process_t;

static process_t processes[PROCESSES_MAX];
static uint32_t processes_count;
static uint32_t last_pid;

static process_t *find_pid(uint32_t pid)
{
    for (uint32_t i = 0; pid != 0 && i < PROCESSES_MAX; i++) {
        if (processes[i].pid == pid) {
            return &processes[i];
        }
    }
    return NULL;
}

static process_t *find_endpoint(endpoint_t endpoint)
{
    for (uint32_t i = 0; i < PROCESSES_MAX; i++) {
        if (processes[i].pid != 0 && !processes[i].ended && processes[i].endpoint == endpoint) {
            return &processes[i];
        }
    }
    return NULL;
}

static process_t *find_free(void)
{
    for (uint32_t i = 0; i < PROCESSES_MAX; i++) {
        if (processes[i].pid == 0) {
            return &processes[i];
        }
    }
    return NULL;
}

static void process_forget(process_t *process)
{
    process->pid = 0;
    processes_count--;
}

/* Enters a process that the kernel has started into the list. */
static void process_init(process_t *process, const struct process_plan *plan, endpoint_t endpoint,
                         uint32_t parent)
{
    *process = (process_t){
        .pid = plan->pid, .parent = parent, .endpoint = endpoint, .service = plan->service};
    memcpy(process->name, plan->name, sizeof(process->name));
    // STAGE 4 {
    process->started = ticks();
    // STAGE 4 }
    processes_count++;
}

/* A piece of a program's file: from the boot archive, or else from the disk. */
static int read_program(const char *name, void *buffer, uint32_t offset, uint32_t length)
{
    const int bytes =
        system_call(SYSTEM_CALL_ARCHIVE_READ, (uint32_t)name, (uint32_t)buffer, offset, length, 0);

    return bytes == E_NOT_FOUND ? read_file(name, buffer, offset, length) : bytes;
}

static void release_image(uint32_t mapped)
{
    if (mapped > 0) {
        memory_unmap((void *)IMAGE_START, mapped);
    }
}

/* Reads a whole program to IMAGE_START. Returns its length or an error; *mapped is how much memory
 * to release in either case. */
static int read_image(const char *name, uint32_t *mapped)
{
    uint32_t length = 0;
    int bytes;

    *mapped = 0;
    do {
        void *piece = (void *)(IMAGE_START + *mapped);

        bytes = memory_map(piece, IMAGE_PIECE);
        if (bytes == OK) {
            *mapped += IMAGE_PIECE;
            bytes = read_program(name, piece, length, IMAGE_PIECE);
        }
        if (bytes < 0) {
            return bytes;
        }
        length += (uint32_t)bytes;
    } while (bytes == IMAGE_PIECE);
    return (int)length;
}

int process_create(const char *name, const char *argument, uint32_t parent, uint32_t service)
{
    struct process_plan plan = {.image = (void *)IMAGE_START, .argument = argument};
    process_t *process = find_free();
    uint32_t mapped;

    if (process == NULL) {
        return E_FULL;
    }
    int result = read_image(name, &mapped);

    if (result >= 0) {
        plan.pid = last_pid + 1;
        strcpy(plan.name, name);
        plan.service = service;
        plan.length = (uint32_t)result;
        result = system_call(SYSTEM_CALL_PROCESS_START, (uint32_t)&plan, 0, 0, 0, 0);
    }
    release_image(mapped);
    if (result < 0) {
        return result;
    }
    last_pid = plan.pid;
    process_init(process, &plan, (endpoint_t)result, parent);
    return (int)plan.pid;
}

/* The servers that this one starts. */
static const struct {
    uint32_t service;
    const char *name;
} SERVERS[] = {
    {SERVICE_PROCESS, "process_server"}, /* this very one: the kernel has started it */
    // STAGE 3 {
    {SERVICE_SCHEDULER, "scheduler_server"},
    // STAGE 3 }
    // STAGE 4 {
    {SERVICE_FILE, "file_server"},
    // STAGE 4 }
};
enum { SERVERS_COUNT = sizeof(SERVERS) / sizeof(SERVERS[0]) };

/* Answers a wait with a child that has ended, which is forgotten then. */
static void answer_wait(process_t *parent, process_t *child)
{
    const uint32_t pid = child->pid;
    const int status = child->exit_status;

    parent->waiting = false;
    process_forget(child);
    /* Fails only if there is nowhere to write to, which the parent may well have wanted. */
    window_write(parent->endpoint, 0, &status, sizeof(status));
    request_reply(parent->endpoint, (int)pid);
}

static bool is_awaited(const process_t *parent, const process_t *child)
{
    return parent->waiting && (parent->waiting_for == 0 || parent->waiting_for == child->pid);
}

/* The children of a process that has ended have nobody to wait for them any more. */
static void release_children(uint32_t parent)
{
    for (uint32_t i = 0; i < PROCESSES_MAX; i++) {
        if (processes[i].pid != 0 && processes[i].parent == parent) {
            processes[i].parent = 0;
            if (processes[i].ended) {
                process_forget(&processes[i]);
            }
        }
    }
}

/* Whether there is anybody but servers. */
static bool has_clients(void)
{
    for (uint32_t i = 0; i < PROCESSES_MAX; i++) {
        if (processes[i].pid != 0 && processes[i].service == 0) {
            return true;
        }
    }
    return false;
}

// STAGE 4 {
/* A server that dies at once, time after time, is not started for ever. */
enum { RESTART_TICKS = 5, QUICK_FAILURES_MAX = 20 };

static uint32_t quick_failures[SERVERS_COUNT];

/* Starts a server anew that has ended. */
static void restart(const process_t *dead)
{
    uint32_t index = 0;

    while (SERVERS[index].service != dead->service) {
        index++;
    }
    const bool quick = dead->exit_status != EXIT_KILLED && ticks() - dead->started < RESTART_TICKS;

    quick_failures[index] = quick ? quick_failures[index] + 1 : 0;
    if (quick_failures[index] == QUICK_FAILURES_MAX) {
        print_format("process_server: gave up %s\n", SERVERS[index].name);
        return;
    }
    print_format("process_server: restarts %s\n", SERVERS[index].name);
    const int result = process_create(SERVERS[index].name, "", 0, dead->service);

    if (result < 0) {
        print_format("process_server: %s: %s\n", SERVERS[index].name, error_name(result));
    }
}
// STAGE 4 }

static void process_ended(process_t *process, int status)
{
    process_t *parent = find_pid(process->parent);

    process->ended = true;
    process->exit_status = status;
    process->waiting = false;
    release_children(process->pid);
    if (parent == NULL) {
        // STAGE 4 {
        const process_t dead = *process;

        // STAGE 4 }
        process_forget(process);
        // STAGE 4 {
        if (dead.service != 0) {
            restart(&dead);
        }
        // STAGE 4 }
    } else if (is_awaited(parent, process)) {
        answer_wait(parent, process);
    }
    if (!has_clients()) {
        print("no process is left\n");
        shutdown(0);
    }
}

/* Learns from the kernel who has ended, and frees their slots there. */
static void collect_ended(void)
{
    struct ended_process ended;

    while (system_call(SYSTEM_CALL_PROCESS_REAP, (uint32_t)&ended, 0, 0, 0, 0) == OK) {
        process_t *process = find_endpoint(ended.endpoint);

        if (process != NULL) {
            process_ended(process, ended.status);
        }
    }
}

/* The requests. Each returns the result that the client is to get. */

static int serve_spawn(process_t *client, message_t *request)
{
    char argument[ARGUMENT_MAX + 1];
    const uint32_t length = request->payload[WINDOW_LENGTH];

    if (length == 0 || length > sizeof(argument)) {
        return E_INVALID;
    }
    const int error = window_read(client->endpoint, 0, argument, length);

    argument[length - 1] = '\0';
    return error == OK ? process_create(request_get_name(request), argument, client->pid, 0)
                       : error;
}

/* Returns E_BLOCKED when the answer must wait until a child ends. */
static int serve_wait(process_t *client, const message_t *request)
{
    const uint32_t pid = request->payload[0];
    bool has_child = false;

    for (uint32_t i = 0; i < PROCESSES_MAX; i++) {
        process_t *child = &processes[i];

        if (child->pid == 0 || child->parent != client->pid || (pid != 0 && child->pid != pid)) {
            continue;
        }
        has_child = true;
        if (child->ended) {
            answer_wait(client, child);
            return E_BLOCKED;
        }
    }
    client->waiting = has_child;
    client->waiting_for = pid;
    return has_child ? E_BLOCKED : E_NO_PROCESS;
}

static int serve_kill(const message_t *request)
{
    process_t *process = find_pid(request->payload[0]);

    if (process == NULL || process->ended) {
        return E_NO_PROCESS;
    }
    if (process->service == SERVICE_PROCESS) {
        return E_PERMISSION;
    }
    system_call(SYSTEM_CALL_PROCESS_END, process->endpoint, (uint32_t)EXIT_KILLED, 0, 0, 0);
    collect_ended();
    return OK;
}

static struct process_entry describe(const process_t *process)
{
    struct process_entry entry = {.pid = process->pid, .parent = process->parent, .state = ZOMBIE};

    memcpy(entry.name, process->name, sizeof(entry.name));
    if (!process->ended) {
        const int state = system_call(SYSTEM_CALL_PROCESS_STATE, process->endpoint, 0, 0, 0, 0);

        entry.state = state < 0 ? ZOMBIE : (uint32_t)state;
    }
    return entry;
}

static int serve_list(const process_t *client, const message_t *request)
{
    const uint32_t max = request->payload[WINDOW_LENGTH] / sizeof(struct process_entry);
    uint32_t count = 0;

    for (uint32_t i = 0; i < PROCESSES_MAX && count < max; i++) {
        if (processes[i].pid == 0) {
            continue;
        }
        const struct process_entry entry = describe(&processes[i]);
        const int error =
            window_write(client->endpoint, count * sizeof(entry), &entry, sizeof(entry));

        if (error != OK) {
            return error;
        }
        count++;
    }
    return (int)count;
}

static int serve(process_t *client, message_t *request)
{
    switch (request->type) {
    case PROCESS_SPAWN:
        return serve_spawn(client, request);
    case PROCESS_WAIT:
        return serve_wait(client, request);
    case PROCESS_KILL:
        return serve_kill(request);
    case PROCESS_LIST:
        return serve_list(client, request);
    default:
        return E_INVALID;
    }
}

static void start_servers(void)
{
    const struct process_plan self = {
        .pid = (uint32_t)getpid(), .name = "process_server", .service = SERVICE_PROCESS};

    last_pid = self.pid;
    process_init(&processes[0], &self, (endpoint_t)ipc_endpoint(), 0);
    for (uint32_t i = 1; i < SERVERS_COUNT; i++) {
        const int result = process_create(SERVERS[i].name, "", 0, SERVERS[i].service);

        if (result < 0) {
            print_format("process_server: %s: %s\n", SERVERS[i].name, error_name(result));
        }
    }
}

/* Starts the program that the boot parameters call `init`. */
static void start_init(void)
{
    char name[PARAMETER_MAX + 1] = "shell";
    char argument[PARAMETER_MAX + 1] = "";

    parameter("init", name, sizeof(name));
    parameter("argument", argument, sizeof(argument));
    name[FILE_NAME_MAX] = '\0';
    const int result = process_create(name, argument, 0, 0);

    if (result < 0) {
        print_format("cannot start %s: %s\n", name, error_name(result));
        shutdown(0);
    }
}

// STAGE 2 }
int main(const char *argument)
{
    // STAGE 2 {
    //: (void)argument;
    //: return 0; /* stage 2: serve for ever */
    message_t message;

    (void)argument;
    start_servers();
    start_init();
    while (true) {
        if (ipc_receive(ENDPOINT_ANY, &message, 0) != OK) {
            continue;
        }
        if (message.sender == ENDPOINT_KERNEL) {
            collect_ended();
            continue;
        }
        process_t *client = find_endpoint(message.sender);
        const int result = client != NULL ? serve(client, &message) : E_PERMISSION;

        if (result != E_BLOCKED) {
            request_reply(message.sender, result);
        }
    }
    // STAGE 2 }
}
