/*
 * A program without a PrivUser, before, while, and after another program has one. The grader starts
 * the probe `calls` under the name of one of the tree's programs.
 */
#include "privuser.h"
#include "roles.h"

#define LENDER "hello" /* the name under which `calls` is there */

/* Through the gate, if there is one, with nothing that a PrivUser could want. */
static int call(void)
{
    __asm__ volatile("pushl $-1; pushl $-1; pushl $-1; pushl $-1; pushl $-1; pushl $-1\n\t"
                     "lcall %0, $0; add $24, %%esp"
                     :
                     : "i"(PRIVCALL_GATE_SELECTOR)
                     : "eax", "ecx", "edx", "memory");
    return ROLE_DONE;
}

static int read_there(void)
{
    return *(volatile uint8_t *)role.a;
}

static int mixed(void)
{
    role_try("call-before", "call", 0, 0, 0);
    probe_report("lender", (uint32_t)role_wait(role_start_as(LENDER, "lend", 5, 0, 0)));
    role_try("call-after", "call", 0, 0, 0);
    const int turns = role_start_as(LENDER, "turns", 3, 50000, 0);
    sleep(1);
    role_try("call-beside", "call", 0, 0, 0);
    role_try("read-beside", "read_there", PRIVUSER_START, 0, 0);
    probe_report("turns", (uint32_t)role_wait(turns));
    role_try("call-last", "call", 0, 0, 0);
    probe_report("done", role.nonce);
    probe_finish();
}

int main(const char *argument)
{
    static const role_t roles[] = {
        {"mixed", mixed},
        {"call", call},
        {"read_there", read_there},
        {NULL, NULL},
    };

    return role_play("plain", argument, roles);
}
