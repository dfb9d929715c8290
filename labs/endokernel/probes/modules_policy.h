/*
 * The policy of the probes with several domains: seven of them, of which one may read the secret.
 * It is a header, since each such program has it in a PrivUser of its own.
 */
#include "endokernel.h"
#include "modules.h"
#include "privuser.h"
#include "system_call.h"

const privcall_entry_t privcall_table[] = {{0}};
const uint32_t privcall_count = 0;

int entry_do(uint32_t what, uint32_t b, uint32_t c);
int entry_look(uint32_t a, uint32_t b, uint32_t c);

static const domain_entry_t entries[] = {
    [ENTRY_DO] = entry_do,
    [ENTRY_LOOK] = entry_look,
};

#define ALL         0xffffffff
#define BUT(number) (ALL & ~CALL_BIT(number))

const domain_t domains[] = {
    [MAIN] = {"main", {ALL, ALL}, ENTRY_COUNT, entries},
    [VAULT] = {"vault", {BUT(SYSTEM_CALL_GETPID), ALL}, ENTRY_COUNT, entries},
    [MODULE] = {"module", {BUT(SYSTEM_CALL_TICKS), ALL}, ENTRY_COUNT, entries},
    [THIRD] = {"third", {ALL, ALL}, ENTRY_COUNT, entries},
    [FOURTH] = {"fourth", {ALL, ALL}, ENTRY_COUNT, entries},
    [FIFTH] = {"fifth", {ALL, ALL}, ENTRY_COUNT, entries},
    [CLOSED] = {"closed", {ALL, ALL}, 0, 0},
};
const uint32_t domain_count = DOMAINS;

const file_rule_t file_rules[] = {
    {VAULT, "secret", RIGHT_READ},    {MODULE, "public", RIGHT_READ},
    {MODULE, "nickname", RIGHT_READ}, {MAIN, "diary", RIGHT_CREATE},
    {MODULE, "diary", RIGHT_CREATE},
};
const uint32_t file_rule_count = sizeof file_rules / sizeof file_rules[0];
