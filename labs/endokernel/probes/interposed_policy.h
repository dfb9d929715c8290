/*
 * The PrivUser of the probes `interposed` and `borders`: a policy, a treasure that nothing may read
 * or write by way of the monitor, and functions that make system calls of their own or do not
 * return. It is a header, since each program has it in a PrivUser of its own.
 */
#include <stdbool.h>

#include "endokernel.h"
#include "interposed.h"
#include "lab_calls.h"
#include "privuser.h"
#include "system_call.h"

char treasure[INTERPOSED_TREASURE_BYTES] = "the grader plants another text";

static int sum(uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
    return (int)((a + b + c + d) & 0x7fffffff);
}

static int own_getpid(uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
    int pid;
    (void)a;
    (void)b;
    (void)c;
    (void)d;
    __asm__ volatile("int $0x80" : "=a"(pid) : "a"(SYSTEM_CALL_GETPID), "b"(0) : "memory");
    return pid;
}

static int endless(uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
    (void)a;
    (void)b;
    (void)c;
    (void)d;
    static volatile bool leaves;
    while (!leaves) {
    }
    return 0;
}

static int where(uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
    (void)a;
    (void)b;
    (void)c;
    (void)d;
    return (int)((uint32_t)treasure - PRIVUSER_START);
}

#define BY_VALUE                                                                                   \
    {                                                                                              \
        PRIVCALL_VALUE, PRIVCALL_VALUE, PRIVCALL_VALUE, PRIVCALL_VALUE                             \
    }

const privcall_entry_t privcall_table[] = {
    [INTERPOSED_SUM] = {sum, BY_VALUE},
    [INTERPOSED_GETPID] = {own_getpid, BY_VALUE},
    [INTERPOSED_ENDLESS] = {endless, BY_VALUE},
    [INTERPOSED_WHERE] = {where, BY_VALUE},
};
const uint32_t privcall_count = sizeof privcall_table / sizeof privcall_table[0];

/* Not allowed: exit, which needs no permission; and kill, getpid, delete_file, shutdown, link_file.
 */
#define BASELINE_CALLS                                                                             \
    (CALL_BIT(SYSTEM_CALL_WRITE) | CALL_BIT(SYSTEM_CALL_READ) | CALL_BIT(SYSTEM_CALL_SPAWN) |      \
     CALL_BIT(SYSTEM_CALL_WAIT) | CALL_BIT(SYSTEM_CALL_YIELD) | CALL_BIT(SYSTEM_CALL_SLEEP) |      \
     CALL_BIT(SYSTEM_CALL_TICKS) | CALL_BIT(SYSTEM_CALL_LIST_PROCESSES) |                          \
     CALL_BIT(SYSTEM_CALL_LIST_FILES) | CALL_BIT(SYSTEM_CALL_MEMORY_MAP) |                         \
     CALL_BIT(SYSTEM_CALL_MEMORY_UNMAP) | CALL_BIT(SYSTEM_CALL_PARAMETER))

#define LAB_CALLS                                                                                  \
    (CALL_BIT(LAB_CALL_THREAD_CREATE) | CALL_BIT(LAB_CALL_ASK) | CALL_BIT(LAB_CALL_ANSWER))

const domain_t domains[] = {
    {.name = "main", .calls = {BASELINE_CALLS, LAB_CALLS}},
};
const uint32_t domain_count = 1;

const file_rule_t file_rules[] = {{0, "doomed", RIGHT_READ | RIGHT_CREATE | RIGHT_DELETE}};
const uint32_t file_rule_count = 1;
