/*
 * A program without a PrivUser, which no monitor mediates. It starts the mediated probes of this
 * lab, looks at what becomes of them, and is the rest of the world to them.
 */
#include "crew.h"

#define BATCH 16u /* processes that are tried at the same time */

/* Waits for ever. */
static int idle(void)
{
    while (sleep(1000) == 0) {
    }
    return HARMFUL;
}

/* Has processes of `interposed` jump to `count` addresses from `start` on, each with `victim` in
 * its sights. One that does not end by itself is ended. */
static uint32_t jump_into(uint32_t start, uint32_t count, uint32_t victim)
{
    uint32_t tried = 0;
    while (tried < count) {
        int pids[BATCH];
        for (uint32_t i = 0; i < BATCH; i++)
            pids[i] = crew_start_program("interposed", "jump", start + tried + i, victim);
        sleep(3);
        for (uint32_t i = 0; i < BATCH; i++) {
            kill((uint32_t)pids[i]);
            crew_wait(pids[i]);
        }
        tried += BATCH;
    }
    return tried;
}

/* The processes jump into the middle of everything that leads out of ring 3: the library's
 * system_call, and the stub of privcall. */
static int jumps(void)
{
    int victim = crew_start_program("plain", "idle", 0, 0);
    uint32_t tried = 0;
    for (uint32_t stub = 0; stub < 2; stub++) {
        int start = crew_wait(crew_start_program("interposed", "where", stub, 0));
        tried += jump_into((uint32_t)start, crew.a, (uint32_t)victim);
    }
    probe_report("tried", tried);
    probe_report("alive", (uint32_t)kill((uint32_t)victim));
    probe_report("status", (uint32_t)crew_wait(victim));
    probe_report("mediated", (uint32_t)crew_wait(crew_start_program("interposed", "steady", 0, 0)));
    probe_finish();
    return 0;
}

/* Copies of `interposed` on the disk: some have an entry in their header that is none. */
static int liars(void)
{
    static const char *const names[] = {"liar0", "liar1", "liar2", "liar3"};
    for (uint32_t i = 0; i < 4; i++)
        crew_report_one("liar", i, (uint32_t)crew_spawn(names[i], "steady", 0, 0));
    probe_report("honest", (uint32_t)crew_wait(crew_start_program("honest", "steady", 0, 0)));
    probe_finish();
    return 0;
}

/* Runs in turns with mediated processes, and is not mediated itself. */
static int mixed(void)
{
    int pids[3];
    uint32_t own = 0;
    int self = getpid();
    for (int i = 0; i < 3; i++)
        pids[i] = crew_start_program("interposed", "steady", 0, 0);
    for (int turn = 0; turn < 20; turn++) {
        own += self > 0 && getpid() == self;
        yield();
    }
    probe_report("own", own);
    for (uint32_t i = 0; i < 3; i++)
        crew_report_one("mediated", i, (uint32_t)crew_wait(pids[i]));
    probe_finish();
    return 0;
}

/* Kills a process that never leaves its ring 2. */
static void kill_in_ring_2(const char *role, const char *end)
{
    int pid = crew_start_program("interposed", role, 0, 0);
    sleep(4);
    probe_report(role, (uint32_t)kill((uint32_t)pid));
    probe_report(end, (uint32_t)crew_wait(pid));
}

static int killer(void)
{
    uint32_t began = ticks();
    kill_in_ring_2("restless", "restless_end");
    kill_in_ring_2("endless", "endless_end");
    probe_report("ticks", ticks() - began);
    probe_report("mediated", (uint32_t)crew_wait(crew_start_program("interposed", "steady", 0, 0)));
    probe_finish();
    return 0;
}

/* The calls between monitors and the kernel, made by a program that has no monitor, and by one that
 * has. */
static int numbers(void)
{
    static const uint32_t values[] = {0, 1, 2, 0xffffffff, DOMAIN_BASE(1)};
    for (uint32_t number = KERNEL_CALL_FIRST; number <= KERNEL_CALL_LAST; number++)
        for (uint32_t i = 0; i < sizeof values / sizeof values[0]; i++)
            must_fail(system_call(number, values[i], values[i], values[i], values[i], values[i]));
    crew_report_attempts();
    for (uint32_t domain = 0; domain <= 2; domain += 2)
        crew_report_one("touch", domain,
                        (uint32_t)crew_wait(crew_start_program("borrower", "numbers", domain, 0)));
    probe_report("vault", (uint32_t)crew_wait(crew_start_program("borrower", "vault_reads", 0, 0)));
    probe_finish();
    return 0;
}

/* Gives files further names, and has `changer` play a role with them. */
static int linker(void)
{
    char role[20] = "aliases";
    uint32_t linked = 0;
    linked += link_file("secret", "nickname") == 0;
    linked += link_file("nickname", "second") == 0;
    linked += link_file("/public", "other") == 0;
    linked += link_file("ledger", "./gone") == 0;
    probe_report("linked", linked);
    if (crew.b != 0)
        crew_append(role, "unjudged");
    probe_report("changer", (uint32_t)crew_wait(crew_start_program("changer", role, crew.a, 0)));
    probe_finish();
    return 0;
}

/* Has `changer` use a name that the grader turns from one file to another. */
static int turner(void)
{
    probe_report("linked", link_file("public", "nickname") == 0);
    probe_report("changer",
                 (uint32_t)crew_wait(crew_start_program("changer", "turning", crew.a, 0)));
    probe_finish();
    return 0;
}

/* Runs whenever `modules` is interrupted in the middle of a domain call. */
static int bystander(void)
{
    uint32_t wrong = 0, self = (uint32_t)getpid();
    int pid = crew_start_program("modules", "calls", crew.a, 0);
    while (crew_lives("modules"))
        wrong += (uint32_t)getpid() != self;
    probe_report("wrong", wrong);
    probe_report("modules", (uint32_t)crew_wait(pid));
    probe_finish();
    return 0;
}

int main(const char *argument)
{
    static const struct crew_role roles[] = {
        {"idle", idle},           {"jumps", jumps},     {"mixed", mixed},   {"liars", liars},
        {"killer", killer},       {"numbers", numbers}, {"linker", linker}, {"turner", turner},
        {"bystander", bystander}, {NULL, NULL},
    };
    return crew_play("plain", argument, roles);
}
