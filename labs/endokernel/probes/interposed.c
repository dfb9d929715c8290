/*
 * A mediated program, whose policy (interposed_privuser.c) allows it most system calls and forbids
 * it some. It makes both kinds, in every way it can think of, and counts what came back.
 */
#include "interposed.h"

#include "crew.h"
#include "privcall.h"
#include "thread.h"
#include "trap.h"

#define PAGE   0x1000u
#define MAPPED 0x20000000u /* ordinary memory that nobody uses */

/* The call that is forbidden and would show: a process id is above 0. */
static int forbidden_call(void)
{
    return system_call(SYSTEM_CALL_GETPID, 0, 0, 0, 0, 0);
}

static bool is_mediated(void)
{
    return forbidden_call() == E_PERMISSION && system_call(SYSTEM_CALL_TICKS, 0, 0, 0, 0, 0) >= 0;
}

/* Several answers are told by one bit each. */
#define CHECK(condition) (right |= (uint32_t)(condition) << bit++)

/* For a test that looks at each of `a` calls: every second one is forbidden. */
static int calls(void)
{
    uint32_t performed = 0, denied = 0;
    for (uint32_t turn = 0; turn < crew.a; turn++) {
        performed += trap_call(SYSTEM_CALL_TICKS, 0, 0, 0) >= 0;
        denied += trap_call(SYSTEM_CALL_GETPID, 0, 0, 0) == E_PERMISSION;
    }
    probe_report("performed", performed);
    probe_report("denied", denied);
    probe_report("nonce", crew.nonce);
    probe_finish();
    return 0;
}

/* What a system call gives and leaves, with these flags set before it: one bit for each that is
 * right. */
static void calls_with(const char *key, uint32_t flags)
{
    static const char greeting[] = "greeting\n";
    uint32_t right = 0, bit = 0;
    trap_flags = flags;
    uint32_t before = (uint32_t)trap_call(SYSTEM_CALL_TICKS, 0, 0, 0);
    CHECK(trap_call(SYSTEM_CALL_SLEEP, 3, 0, 0) == 0);
    uint32_t slept = (uint32_t)trap_call(SYSTEM_CALL_TICKS, 0, 0, 0) - before;
    CHECK(slept >= 3 && slept <= 5);
    CHECK(trap_call(SYSTEM_CALL_WRITE, (uint32_t)greeting, sizeof greeting - 1, 0) ==
          sizeof greeting - 1);
    CHECK(trap_call(SYSTEM_CALL_YIELD, 0, 0, 0) == 0);
    CHECK(trap_call(SYSTEM_CALL_MEMORY_MAP, MAPPED, PAGE, 0) == 0);
    CHECK(trap_call(SYSTEM_CALL_MEMORY_MAP, MAPPED, PAGE, 0) == E_EXISTS);
    CHECK(trap_call(SYSTEM_CALL_MEMORY_UNMAP, MAPPED, PAGE, 0) == 0);
    CHECK(trap_call(SYSTEM_CALL_WAIT, 0, 0, 0) == E_NO_PROCESS);
    CHECK(trap_call(SYSTEM_CALL_GETPID, 11, 12, 13) == E_PERMISSION);
    trap_flags = 0;
    probe_report(key, right);
}

/* A system call with null selectors in DS and ES and, if asked for, DF set. */
static int call_without_segments(uint32_t flags, uint32_t number, uint32_t ebx, uint32_t ecx,
                                 uint32_t edx)
{
    uint32_t result = number;
    __asm__ volatile("push %%ds\n"
                     "push %%es\n"
                     "push %5\n"
                     "popf\n"
                     "mov %4, %%ds\n"
                     "mov %4, %%es\n"
                     "int $0x80\n"
                     "cld\n"
                     "pop %%es\n"
                     "pop %%ds"
                     : "+a"(result)
                     : "b"(ebx), "c"(ecx), "d"(edx), "S"(0), "D"(0x202 | flags)
                     : "memory");
    return (int)result;
}

/* The monitor and the kernel work with segments and flags of their own: strings are copied there.
 */
static uint32_t calls_without_segments(uint32_t flags)
{
    char text[16];
    uint32_t right = 0, bit = 0;
    CHECK(call_without_segments(flags, SYSTEM_CALL_TICKS, 0, 0, 0) >= 0);
    CHECK(call_without_segments(flags, SYSTEM_CALL_PARAMETER, (uint32_t) "nonce", (uint32_t)text,
                                sizeof text) > 0);
    CHECK(parse_number(text) == crew.nonce);
    CHECK(call_without_segments(flags, SYSTEM_CALL_SPAWN, (uint32_t) "nobody", (uint32_t) "", 0) ==
          E_NOT_FOUND);
    CHECK(call_without_segments(flags, SYSTEM_CALL_GETPID, 0, 0, 0) == E_PERMISSION);
    return right;
}

static int registers(void)
{
    probe_report("null", calls_without_segments(0));
    probe_report("null_df", calls_without_segments(FLAG_DF));
    calls_with("plain", 0);
    calls_with("odd", FLAG_DF | FLAG_NT | FLAG_AC);
    probe_report("changed", trap_changed);
    probe_report("flags_changed", trap_flags_changed);
    probe_report("traced", (uint32_t)crew_run("traced", 0, 0));
    probe_finish();
    return 0;
}

/* Makes a call with TF set: it works, and the trap comes afterwards or not at all, or it ends the
 * process. */
static int traced(void)
{
    trap_flags = FLAG_TF;
    int result = trap_call(SYSTEM_CALL_GETPID, 0, 0, 0);
    return result == E_PERMISSION ? HARMLESS : HARMFUL;
}

/* Ends with status 77 when it was left alone for a few ticks. */
static int victim(void)
{
    sleep(8);
    return 77;
}

/* Each forbidden call, and after it what would show if it had been performed. */
static int forbidden(void)
{
    int pid = crew_start("victim", 0, 0);
    probe_report("getpid", (uint32_t)getpid());
    probe_report("kill", (uint32_t)kill((uint32_t)pid));
    probe_report("delete", (uint32_t)delete_file("doomed"));
    probe_report("shutdown", (uint32_t)system_call(SYSTEM_CALL_SHUTDOWN, 0, 0, 0, 0, 0));
    probe_report("open", (uint32_t)open_file("doomed"));
    probe_report("sealed", (uint32_t)crew_wait(crew_start_program("sealed", "all", 0, 0)));
    probe_report("victim", (uint32_t)crew_wait(pid));
    probe_report("nonce", crew.nonce);
    probe_finish();
    return 0;
}

/* The two instructions `int $0x80; ret`, as they stand in memory. */
static int call_at(uint8_t *place, uint32_t number)
{
    int result;
    place[0] = 0xcd;
    place[1] = 0x80;
    place[2] = 0xc3;
    __asm__ volatile("call *%2" : "=a"(result) : "a"(number), "r"(place) : "memory");
    return result;
}

#define PLACES_PAGES 64u

/* Traps from `a` places of memory, drawn from the nonce, and one from the stack. */
static int places(void)
{
    uint32_t denied = 0, performed = 0, random = crew.nonce;
    uint8_t on_stack[4];
    if (memory_map((void *)MAPPED, PLACES_PAGES * PAGE) != 0)
        crew_give_up("no_memory", 0);
    for (uint32_t turn = 0; turn < crew.a; turn++) {
        random = random * 1664525u + 1013904223u;
        uint8_t *place = (uint8_t *)MAPPED + (random >> 8) % (PLACES_PAGES * PAGE - 3);
        denied += call_at(place, SYSTEM_CALL_GETPID) == E_PERMISSION;
        if (turn % 16 == 0)
            performed += call_at(place, SYSTEM_CALL_TICKS) >= 0;
    }
    probe_report("denied", denied);
    probe_report("performed", performed);
    probe_report("stack", (uint32_t)call_at(on_stack, SYSTEM_CALL_GETPID));
    probe_finish();
    return 0;
}

/* Jumps to the address `a` with the arguments of kill(b) in the registers and on the stack, from
 * which whatever returns ends this process. */
static int jump(void)
{
    static uint32_t stack[256];
    for (uint32_t i = 0; i < sizeof stack / sizeof stack[0]; i++)
        stack[i] = (uint32_t)exit;
    stack[129] = SYSTEM_CALL_KILL;
    stack[130] = crew.b;
    __asm__ volatile("mov %%ecx, %%esp\n"
                     "mov %%ebx, %%edi\n"
                     "jmp *%%edx"
                     :
                     : "a"(SYSTEM_CALL_KILL), "b"(crew.b), "c"(&stack[128]), "d"(crew.a),
                       "S"(crew.b)
                     : "memory");
    __builtin_unreachable();
}

/* The addresses that a launcher has its jumpers try: the library's call, and the stub of privcall.
 */
static int where(void)
{
    return (int)(crew.a == 0 ? (uint32_t)system_call : (uint32_t)privcall);
}

/* The test's own instructions run first here: it makes the forbidden call before main does
 * anything. */
static int first(void)
{
    probe_report("nonce", crew.nonce);
    probe_finish();
    return 0;
}

static volatile struct {
    uint32_t denied, slept, argument;
} seen[INTERPOSED_THREADS];

/* The grader stops here to see the monitor's next stack. */
__attribute__((noinline)) void thread_begins(uint32_t number)
{
    uint32_t began = ticks();
    seen[number].argument = crew_word(number);
    seen[number].denied += forbidden_call() == E_PERMISSION;
    sleep(4 + number % 5); /* all of them wait in their monitors at the same time */
    seen[number].slept = ticks() - began >= 4 + number % 5;
    seen[number].denied += forbidden_call() == E_PERMISSION;
    exit((int)number);
}

static int threads(void)
{
    static uint8_t stacks[INTERPOSED_THREADS][1024] __attribute__((aligned(16)));
    int pids[INTERPOSED_THREADS];
    uint32_t denied = 0, slept = 0, ended = 0;
    for (uint32_t i = 0; i < INTERPOSED_THREADS; i++) {
        pids[i] = thread_create(thread_begins, stacks[i] + sizeof stacks[i], i);
        if (pids[i] <= 0)
            crew_give_up("no_thread", pids[i]);
    }
    for (uint32_t i = 0; i < INTERPOSED_THREADS; i++) {
        ended += crew_wait(pids[i]) == (int)i && seen[i].argument == crew_word(i);
        denied += seen[i].denied;
        slept += seen[i].slept;
    }
    probe_report("ended", ended);
    probe_report("denied", denied);
    probe_report("slept", slept);
    probe_finish();
    return 0;
}

/* A child, and its child in turn: mediated both? */
static int child(void)
{
    if (!is_mediated())
        return HARMFUL;
    return crew.a == 0 ? HARMLESS : crew_run("child", crew.a - 1, 0);
}

static int children(void)
{
    probe_report("child", (uint32_t)crew_run("child", 2, 0));
    probe_report("unmediated", (uint32_t)crew_spawn("plain", "idle", 0, 0));
    probe_report("from_disk", (uint32_t)crew_spawn("escape", "idle", 0, 0));
    probe_report("of_the_tree", (uint32_t)spawn("spin", ""));
    probe_report("lives", crew_lives("plain") || crew_lives("escape") || crew_lives("spin"));
    probe_report("denied", (uint32_t)forbidden_call());
    probe_report("again", (uint32_t)crew_run("child", 0, 0));
    probe_finish();
    return 0;
}

/* Sleeps and calls in turn, for ever. */
static int restless(void)
{
    for (;;) {
        if (!is_mediated())
            return HARMFUL;
        sleep(1);
    }
}

/* Calls a PrivUser function that does not return. */
static int endless(void)
{
    return privcall(INTERPOSED_ENDLESS, 0, 0, 0, 0);
}

/* A few calls of both kinds, with others running in between; HARMLESS if all were mediated. */
static int steady(void)
{
    for (uint32_t turn = 0; turn < 20; turn++) {
        if (!is_mediated())
            return HARMFUL;
        yield();
    }
    return HARMLESS;
}

/* Code of PrivUser asks the kernel itself; the same question from ring 3 is refused. */
static int own_calls(void)
{
    int pid = crew_start("asks_inside", 0, 0);
    probe_report("same", crew_wait(pid) == pid);
    probe_report("sum", (uint32_t)privcall(INTERPOSED_SUM, crew.nonce >> 8, 2, 3, 4));
    probe_report("denied", (uint32_t)forbidden_call());
    probe_finish();
    return 0;
}

static int asks_inside(void)
{
    int pid = privcall(INTERPOSED_GETPID, 0, 0, 0, 0);
    return is_mediated() ? pid : HARMFUL;
}

int main(const char *argument)
{
    static const struct crew_role roles[] = {
        {"calls", calls},
        {"registers", registers},
        {"traced", traced},
        {"forbidden", forbidden},
        {"victim", victim},
        {"places", places},
        {"jump", jump},
        {"where", where},
        {"first", first},
        {"threads", threads},
        {"children", children},
        {"child", child},
        {"restless", restless},
        {"endless", endless},
        {"steady", steady},
        {"own_calls", own_calls},
        {"asks_inside", asks_inside},
        {NULL, NULL},
    };
    return crew_play("interposed", argument, roles);
}
