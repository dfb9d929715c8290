/*
 * The policy of the probes that use files. It is a header, since each such program has it in a
 * PrivUser of its own.
 */
#include "endokernel.h"

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
    {0, "ledger", RIGHT_DELETE}, /* with the next rule, both */
    {0, "ledger", RIGHT_READ},
    {1, "public", RIGHT_CREATE | RIGHT_DELETE}, /* not domain 0's either */
    {0, "nickname", RIGHT_READ | RIGHT_DELETE},
};
const uint32_t file_rule_count = sizeof file_rules / sizeof file_rules[0];
