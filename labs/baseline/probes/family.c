/*
 * Parents and children: exit, wait, kill, and what becomes of those whose parent is gone.
 */
#include "library.h"
#include "probe.h"

#define ENTRIES 64

static struct process_entry entries[ENTRIES];

/* What the list says of a process: its state, or 99 when it is not there. */
static uint32_t state_of(int pid)
{
    const int count = list_processes(entries, ENTRIES);

    for (int i = 0; i < count; i++) {
        if (entries[i].pid == (uint32_t)pid) {
            return entries[i].state;
        }
    }
    return 99;
}

/* A child that has ended stays as a zombie until it is waited for, once. */
static void try_exit(void)
{
    int status = 0;
    const int pid = spawn("family", "do=exit");

    sleep(2);
    probe_report("zombie", state_of(pid));
    probe_report("kill-zombie", (uint32_t)kill((uint32_t)pid));
    probe_report("wait", wait((uint32_t)pid, &status) == pid);
    probe_report("status", (uint32_t)status);
    probe_report("forgotten", state_of(pid));
    probe_report("wait-again", (uint32_t)wait((uint32_t)pid, &status));
}

/* Only children can be waited for, and there must be one. */
static void try_wrong_waits(void)
{
    int status;

    probe_report("wait-self", (uint32_t)wait((uint32_t)getpid(), &status));
    probe_report("wait-nobody", (uint32_t)wait(0, &status));
    probe_report("wait-unknown", (uint32_t)wait(0xFFFFFFFF, &status));
    probe_report("kill-unknown", (uint32_t)kill(0xFFFFFFFF));
    probe_report("kill-idle", (uint32_t)kill(0));
}

static uint32_t kill_and_wait(const char *argument, uint32_t ticks_before)
{
    int status = 0;
    const int pid = spawn("family", argument);

    sleep(ticks_before);
    kill((uint32_t)pid);
    return wait((uint32_t)pid, &status) == pid ? (uint32_t)status : 0;
}

/* A process can be killed whatever it is doing. */
static void try_kill(void)
{
    probe_report("kill-new", kill_and_wait("do=spin", 0));
    probe_report("kill-running", kill_and_wait("do=spin", 3));
    probe_report("kill-sleeping", kill_and_wait("do=sleep", 3));
    probe_report("kill-reading", kill_and_wait("do=read", 3));
    probe_report("kill-waiting", kill_and_wait("do=wait", 3));
    int status = 0;
    const int pid = spawn("family", "do=suicide");
    probe_report("kill-self", wait((uint32_t)pid, &status) == pid ? (uint32_t)status : 0);
}

/* Any child: the one that ends first is returned first. */
static void try_any(void)
{
    int status;
    const int slow = spawn("family", "do=late");
    const int quick = spawn("family", "do=exit");

    probe_report("any-first", wait(0, &status) == quick);
    probe_report("any-second", wait(0, NULL) == slow);
    probe_report("any-none", (uint32_t)wait(0, &status));
}

/* The child's own children go on without it, and vanish when they end: nobody will ask. */
static void try_orphan(void)
{
    int grandchild = 0;
    const int child = spawn("family", "do=parent");

    wait((uint32_t)child, &grandchild);
    probe_report("orphan-lives", state_of(grandchild) != 99);
    for (int i = 0; i < ENTRIES; i++) {
        if (entries[i].pid == (uint32_t)grandchild) {
            probe_report("orphan-parent", entries[i].parent);
        }
    }
    probe_report("orphan-wait", (uint32_t)wait((uint32_t)grandchild, NULL));
    kill((uint32_t)grandchild);
    sleep(2);
    probe_report("orphan-gone", state_of(grandchild));
}

static int act(const char *action)
{
    if (strcmp(action, "exit") == 0) {
        return -1234567;
    }
    if (strcmp(action, "late") == 0) {
        sleep(5);
    }
    if (strcmp(action, "sleep") == 0) {
        sleep(1000000);
    }
    if (strcmp(action, "read") == 0) {
        char line[16];
        read(line, sizeof line);
    }
    if (strcmp(action, "wait") == 0) {
        wait((uint32_t)spawn("family", "do=late"), NULL);
    }
    if (strcmp(action, "suicide") == 0) {
        kill((uint32_t)getpid());
    }
    if (strcmp(action, "parent") == 0) {
        return spawn("family", "do=spin");
    }
    while (strcmp(action, "spin") == 0) {
    }
    return 7;
}

int main(const char *argument)
{
    char action[16];

    if (probe_text(argument, "do", action, sizeof action)) {
        return act(action);
    }
    try_wrong_waits();
    try_exit();
    try_kill();
    try_any();
    try_orphan();
    probe_finish();
}
