/*
 * The PrivUser of the probe `filer`: its policy, and a treasure that no file call may touch.
 */
#include "endokernel.h"
#include "privuser.h"

char treasure[32] = "the grader plants another text";

static int where(uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
    (void)a;
    (void)b;
    (void)c;
    (void)d;
    return (int)((uint32_t)treasure - PRIVUSER_START);
}

const privcall_entry_t privcall_table[] = {
    {where, {PRIVCALL_VALUE, PRIVCALL_VALUE, PRIVCALL_VALUE, PRIVCALL_VALUE}},
};
const uint32_t privcall_count = 1;

/* Everything is allowed but what the rules for files say: it is them that are tested. */
#define ALL_CALLS                                                                                  \
    {                                                                                              \
        0xffffffff, 0xffffffff                                                                     \
    }

const domain_t domains[] = {
    {.name = "main", .calls = ALL_CALLS},
    {.name = "other", .calls = ALL_CALLS},
};
const uint32_t domain_count = 2;

const file_rule_t file_rules[] = {
    {1, "secret", RIGHT_READ | RIGHT_CREATE | RIGHT_DELETE}, /* not domain 0's */
    {0, "public", RIGHT_READ},
    {0, "diary", RIGHT_READ | RIGHT_CREATE | RIGHT_DELETE},
    {0, "inbox", RIGHT_CREATE},
    {0, "trash", RIGHT_DELETE},
    {0, "ledger", RIGHT_READ | RIGHT_DELETE},
    {1, "public", RIGHT_CREATE | RIGHT_DELETE}, /* not domain 0's either */
    {0, "nickname", RIGHT_READ | RIGHT_DELETE},
};
const uint32_t file_rule_count = sizeof file_rules / sizeof file_rules[0];
