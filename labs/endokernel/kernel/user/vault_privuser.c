/*
 * The policy of vault: two domains. The one in which the program starts talks to the world and
 * opens no file; the other one may read the key, and nothing else, and gives nothing but seals
 * away.
 */
#include "endokernel.h"
#include "privuser.h"
#include "system_call.h"

/* The program's own functions (vault.c). */
int entry_seal(uint32_t bytes, uint32_t length, uint32_t result);

static const domain_entry_t keeper_entries[] = {entry_seal};

const domain_t domains[] = {
    {
        .name = "service",
        .calls = {CALL_BIT(SYSTEM_CALL_WRITE) | CALL_BIT(SYSTEM_CALL_READ)},
    },
    {
        .name = "keeper",
        .calls = {[1] = CALL_BIT(SYSTEM_CALL_OPEN_FILE) | CALL_BIT(SYSTEM_CALL_READ_HANDLE) |
                        CALL_BIT(SYSTEM_CALL_CLOSE_HANDLE)},
        .entry_count = sizeof keeper_entries / sizeof keeper_entries[0],
        .entries = keeper_entries,
    },
};
const uint32_t domain_count = sizeof domains / sizeof domains[0];

const file_rule_t file_rules[] = {
    {.domain = 1, .file = "key", .rights = RIGHT_READ},
};
const uint32_t file_rule_count = sizeof file_rules / sizeof file_rules[0];

/* There are no privcalls. */
const privcall_entry_t privcall_table[] = {{0}};
const uint32_t privcall_count = 0;
