/*
 * The kernel as a confused deputy. It may read and write all of PrivUser, so ring 3 asks it to: by
 * every system call that takes a pointer. Then PrivUser itself asks, for whom it is right.
 */
#include "deputy.h"

#include "lab_calls.h"
#include "privcall.h"
#include "privuser.h"
#include "roles.h"

#define PAGE 4096u

/* Where in PrivUser there is what: the grader writes the addresses of the symbols here. */
enum place {
    PLACE_SECRET,
    PLACE_PROGRAM,
    PLACE_ARGUMENT,
    PLACE_FILE,
    PLACE_NEW,
    PLACE_KEY,
    PLACE_ROOM,
    PLACES
};
volatile uint32_t deputy_places[PLACES];
static uint8_t ordinary[512];

/* The grader stops here. */
__attribute__((noinline)) void look_here(void)
{
    __asm__ volatile("" : : : "memory");
}

static int leave(void)
{
    return ROLE_DONE;
}

/* The page below PrivUser is ordinary memory that holds no NUL: a string there runs on. */
static void map_below(void)
{
    const int result = memory_map((void *)(PRIVUSER_START - PAGE), PAGE);

    if (result != OK) {
        role_give_up("no-memory", result);
    }
    memset((void *)(PRIVUSER_START - PAGE), 'x', PAGE);
}

static uint32_t at(enum place place)
{
    return deputy_places[place];
}

static void report_call(const char *key, uint32_t number, uint32_t first, uint32_t second,
                        uint32_t third, uint32_t fourth)
{
    const int result = system_call(number, first, second, third, fourth, 0);

    print("\n"); /* so that a report begins a line, whatever was written */
    probe_report(key, (uint32_t)result);
}

/* Ring 3 has the kernel read PrivUser. */
static void have_it_read(void)
{
    const uint32_t own_new = (uint32_t)DEPUTY_NEW, own_program = (uint32_t) "deputy";
    const uint32_t secret = at(PLACE_SECRET), below = PRIVUSER_START - 8;
    const uint32_t room = (uint32_t)ordinary;

    report_call("write", SYSTEM_CALL_WRITE, secret, 32, 0, 0);
    report_call("write", SYSTEM_CALL_WRITE, PRIVUSER_START, 16, 0, 0);
    report_call("write", SYSTEM_CALL_WRITE, below, 16, 0, 0);
    report_call("write", SYSTEM_CALL_WRITE, PRIVUSER_END - PAGE, 1, 0, 0);
    report_call("spawn", SYSTEM_CALL_SPAWN, at(PLACE_PROGRAM), (uint32_t)DEPUTY_CHILD, 0, 0);
    report_call("spawn", SYSTEM_CALL_SPAWN, own_program, at(PLACE_ARGUMENT), 0, 0);
    report_call("spawn", SYSTEM_CALL_SPAWN, own_program, below, 0, 0);
    report_call("create-file", SYSTEM_CALL_CREATE_FILE, at(PLACE_NEW), room, 4, 0);
    report_call("create-file", SYSTEM_CALL_CREATE_FILE, own_new, secret, 32, 0);
    report_call("create-file", SYSTEM_CALL_CREATE_FILE, own_new, below, 16, 0);
    report_call("create-file", SYSTEM_CALL_CREATE_FILE, below, room, 4, 0);
    report_call("read-file", SYSTEM_CALL_READ_FILE, at(PLACE_FILE), room, 0, 4);
    report_call("delete-file", SYSTEM_CALL_DELETE_FILE, at(PLACE_FILE), 0, 0, 0);
    report_call("parameter", SYSTEM_CALL_PARAMETER, at(PLACE_KEY), room, 64, 0);
}

/* A call that waits, if the kernel believes its pointer. a: number; b: pointer. */
static int wait_there(void)
{
    return role.a == SYSTEM_CALL_READ ? read((void *)role.b, 16)
                                      : system_call(role.a, 0, role.b, 0, 0, 0);
}

static void report_waiting_call(const char *key, uint32_t number, uint32_t pointer)
{
    const int pid = role_start("wait_there", number, pointer, 0);

    sleep(2);
    kill((uint32_t)pid);
    probe_report(key, (uint32_t)role_wait(pid));
}

/* A thread that begins with its stack in PrivUser, if the kernel makes one. a: the stack's end. */
static int thread_there(void)
{
    map_below();
    const int result = system_call(LAB_CALL_THREAD_CREATE, (uint32_t)wait_there, role.a, 0, 0, 0);

    sleep(2);
    return result;
}

/* Ring 3 has the kernel write PrivUser. */
static void have_it_write(void)
{
    const uint32_t file = (uint32_t)DEPUTY_FILE, key = (uint32_t) "nonce";
    const uint32_t secret = at(PLACE_SECRET), below = PRIVUSER_START - 8;
    const uint32_t constant = PRIVUSER_START;

    report_waiting_call("read", SYSTEM_CALL_READ, secret);
    report_waiting_call("read", SYSTEM_CALL_READ, below);
    report_waiting_call("answer", LAB_CALL_ANSWER, secret);
    report_call("read-file", SYSTEM_CALL_READ_FILE, file, secret, 0, 4);
    report_call("read-file", SYSTEM_CALL_READ_FILE, file, constant, 0, 4);
    report_call("read-file", SYSTEM_CALL_READ_FILE, file, PRIVUSER_START - 2, 0, 4);
    report_call("list-files", SYSTEM_CALL_LIST_FILES, at(PLACE_ROOM), 1, 0, 0);
    report_call("list-files", SYSTEM_CALL_LIST_FILES, below, 1, 0, 0);
    report_call("list-processes", SYSTEM_CALL_LIST_PROCESSES, at(PLACE_ROOM), 1, 0, 0);
    report_call("list-processes", SYSTEM_CALL_LIST_PROCESSES, below, 1, 0, 0);
    report_call("parameter", SYSTEM_CALL_PARAMETER, key, secret, 32, 0);
    report_call("parameter", SYSTEM_CALL_PARAMETER, key, below, 16, 0);
    role_try("thread-create", "thread_there", secret + 16, 0, 0);
    role_try("thread-create", "thread_there", PRIVUSER_START + 4, 0, 0);

    const int pid = role_start("leave", 0, 0, 0);
    report_call("wait", SYSTEM_CALL_WAIT, (uint32_t)pid, secret, 0, 0);
    report_call("wait", SYSTEM_CALL_WAIT, (uint32_t)pid, PRIVUSER_START - 2, 0, 0);
    int status = 0;
    const int result = wait((uint32_t)pid, &status); /* the bad pointers have not cost the status */
    probe_report("child", (uint32_t)(result == pid ? status : result));
}

/* The same calls with memory of ring 3's own: the kernel still is a deputy for what is right. */
static void have_it_done_right(void)
{
    probe_report("read-back", (uint32_t)read_file(DEPUTY_FILE, ordinary, 0, 8));
    probe_report("delete", (uint32_t)delete_file(DEPUTY_FILE));
    probe_report("files", list_files((struct file_entry *)ordinary, 2) > 0);
    probe_report("parameter-right", parameter("nonce", (char *)ordinary, 64) > 0);
    probe_report("written", (uint32_t)write("ring 3\n", 7));
}

static int ring_3(void)
{
    map_below();
    probe_report("create", (uint32_t)create_file(DEPUTY_FILE, "abcd", 4));
    look_here();
    have_it_read();
    have_it_write();
    look_here();
    probe_report("alive", (uint32_t)privcall(DEPUTY_OWN, 0, 0, 0, 0));
    have_it_done_right();
    probe_finish();
}

static int ring_2(void)
{
    probe_report("create", (uint32_t)create_file(DEPUTY_FILE, "abcd", 4));
    look_here();
    probe_report("own", (uint32_t)privcall(DEPUTY_OWN, 0, 0, 0, 0));
    probe_report("ordinary", (uint32_t)privcall(DEPUTY_ORDINARY, (uint32_t)ordinary, 0, 0, 0));
    probe_report("kernels", (uint32_t)privcall(DEPUTY_KERNELS, 0, 0, 0, 0));
    probe_report("pages", (uint32_t)privcall(DEPUTY_PAGES, 0, 0, 0, 0));
    probe_finish();
}

int main(const char *argument)
{
    static const role_t roles[] = {
        {"ring_3", ring_3},
        {"ring_2", ring_2},
        {"leave", leave},
        {"wait_there", wait_there},
        {"thread_there", thread_there},
        {NULL, NULL},
    };

    return role_play("deputy", argument, roles);
}
