/*
 * Threads of one process in ring 2 at once: each has a stack and buffers of its own there, and what
 * one does in ring 2 gives another in ring 3 no right.
 */
#include "threads.h"

#include "lab_calls.h"
#include "privcall.h"
#include "privuser.h"
#include "roles.h"
#include "thread.h"

#define PAGE 4096u
#define MORE 0x20000000u /* where memory is mapped */

enum { THREADS_MAX = 24, BYTES = 128, MANY = 80, STACK_SIZE = 4096 };

static uint8_t stacks[THREADS_MAX][STACK_SIZE];
static uint8_t given[THREADS_MAX][BYTES], got[THREADS_MAX][BYTES];
static volatile uint32_t results[THREADS_MAX];

/* The grader stops here. */
__attribute__((noinline)) void look_here(void)
{
    __asm__ volatile("" : : : "memory");
}

static int start(void (*function)(uint32_t), uint32_t number)
{
    const int pid = thread_create(function, stacks[number] + STACK_SIZE, number);

    if (pid <= 0) {
        role_give_up("no-thread", pid);
    }
    return pid;
}

static void go_to_meeting(uint32_t number)
{
    results[number] = (uint32_t)privcall(THREADS_MEET, (uint32_t)given[number], BYTES,
                                         (uint32_t)got[number], BYTES);
}

/* How many of `count` threads came back from the meeting with what was theirs. */
static uint32_t meeting(uint32_t count)
{
    int pids[THREADS_MAX];
    uint32_t right = 0;

    privcall(THREADS_INVITE, count, 0, 0, 0);
    for (uint32_t number = 0; number < count; number++) {
        for (uint32_t i = 0; i < BYTES; i++) {
            given[number][i] = (uint8_t)(role.nonce + 31 * number + i * (number + 1));
            got[number][i] = 0;
        }
        results[number] = 0x539;
    }
    for (uint32_t number = 0; number < count; number++) {
        pids[number] = start(go_to_meeting, number);
    }
    for (uint32_t number = 0; number < count; number++) {
        bool same = role_wait(pids[number]) == 0 && results[number] == 0;
        for (uint32_t i = 0; i < BYTES; i++) {
            same = same && got[number][i] == (uint8_t)(given[number][i] + 1);
        }
        right += same;
    }
    return right;
}

static int meet(void)
{
    probe_report("four", meeting(4));
    probe_report("crowd", meeting(THREADS_MAX));
    probe_finish();
}

static void double_it(uint32_t number)
{
    results[number] = (uint32_t)privcall(THREADS_DOUBLE, role.nonce / 4, 0, 0, 0);
}

static void go_inside(uint32_t number)
{
    results[number] = (uint32_t)privcall(THREADS_INSIDE, 0, 0, 0, 0);
}

/* All memory that the kernel gives, for the grader to look at. */
static void show_all_memory(void)
{
    uint32_t end = MORE;

    for (uint32_t step = 64 * PAGE; step >= PAGE; step /= 2) {
        while (memory_map((void *)end, step) == OK) {
            end += step;
        }
    }
    look_here();
    memory_unmap((void *)MORE, end - MORE);
}

/* Many threads, one after the other. On the first one's stack the grader leaves a secret. */
static int many(void)
{
    uint32_t right = 0;

    role_wait(start(go_inside, 0));
    show_all_memory();
    look_here();
    for (uint32_t i = 0; i < MANY; i++) {
        results[0] = 0;
        const int pid = start(double_it, 0);
        right += role_wait(pid) == 0 && results[0] == role.nonce / 4 * 2;
    }
    look_here();
    probe_report("right", right);
    probe_finish();
}

static void dwell(uint32_t number)
{
    results[number] = (uint32_t)privcall(THREADS_DWELL, 0, 0, 0, 0) + role.nonce;
}

/* a: the secret's address. System calls of ring 3 while another thread is in ring 2. */
static void name_the_secret(void)
{
    look_here();
    const int written = write((const void *)role.a, 32);
    print("\n"); /* so that a report begins a line, whatever was written */
    probe_report("write", (uint32_t)written);
    probe_report("read-file", (uint32_t)read_file("hello", (void *)role.a, 0, 32));
    probe_report("list", (uint32_t)list_processes((struct process_entry *)role.a, 1));
    probe_report("parameter", (uint32_t)parameter("nonce", (char *)role.a, 32));
    probe_report("map", (uint32_t)memory_map((void *)(PRIVUSER_END - 4096), 4096));
    look_here();
}

static void wait_for_dweller(uint32_t dwellers)
{
    while ((uint32_t)privcall(THREADS_DWELLS, 0, 0, 0, 0) != dwellers) {
        yield();
    }
}

/* The second thread names the secret while the first is in ring 2. */
static void name_it_there(uint32_t number)
{
    wait_for_dweller(2);
    name_the_secret();
    results[number] = (uint32_t)privcall(THREADS_LET_GO, 0, 0, 0, 0) + role.nonce;
}

static int beside(void)
{
    static struct process_entry entries[4];
    int pid = start(dwell, 0);

    wait_for_dweller(1);
    name_the_secret();
    probe_report("own-list", list_processes(entries, 4) > 0);
    privcall(THREADS_LET_GO, 0, 0, 0, 0);
    probe_report("thread", (uint32_t)role_wait(pid));
    probe_report("dwelt", results[0]);

    pid = start(name_it_there, 1);
    probe_report("dwelt-too", (uint32_t)privcall(THREADS_DWELL, 0, 0, 0, 0));
    probe_report("thread", (uint32_t)role_wait(pid));
    probe_report("let-go", results[1]);
    probe_finish();
}

static void blow_up(uint32_t number)
{
    (void)number;
    privcall(THREADS_BLOW_UP, 0, 0, 0, 0);
}

/* The first thread is in ring 2 for good when another one faults there. */
static int dwell_for_ever(void)
{
    start(blow_up, 0);
    return privcall(THREADS_DWELL, 0, 0, 0, 0);
}

static int read_there(void)
{
    return *(volatile uint8_t *)PRIVUSER_START;
}

static int fault(void)
{
    const int pid = role_start("dwell_for_ever", 0, 0, 0);

    probe_report("before", (uint32_t)privcall(THREADS_DOUBLE, role.nonce / 4, 0, 0, 0));
    probe_report("ended", (uint32_t)role_wait(pid));
    probe_report("after", (uint32_t)privcall(THREADS_DOUBLE, role.nonce / 4, 0, 0, 0));
    role_try("in-ring-3", "read_there", 0, 0, 0);
    probe_finish();
}

int main(const char *argument)
{
    static const role_t roles[] = {
        {"meet", meet},     {"many", many},
        {"beside", beside}, {"dwell_for_ever", dwell_for_ever},
        {"fault", fault},   {"read_there", read_there},
        {NULL, NULL},
    };

    return role_play("threads", argument, roles);
}
