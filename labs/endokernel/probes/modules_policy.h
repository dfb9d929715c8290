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

/* All but shutdown, to which a jump into the wild might lead. */
#define MOST        (0xffffffff & ~CALL_BIT(SYSTEM_CALL_SHUTDOWN))
#define BUT(number) (MOST & ~CALL_BIT(number))
#define ALL         0xffffffff

const domain_t domains[] = {
    [MAIN] = {"main", {MOST, ALL}, ENTRY_COUNT, entries},
    [VAULT] = {"vault", {BUT(SYSTEM_CALL_GETPID), ALL}, ENTRY_COUNT, entries},
    [MODULE] = {"module", {BUT(SYSTEM_CALL_TICKS), ALL}, ENTRY_COUNT, entries},
    [THIRD] = {"third", {MOST, ALL}, ENTRY_COUNT, entries},
    [FOURTH] = {"fourth", {MOST, ALL}, ENTRY_COUNT, entries},
    [FIFTH] = {"fifth", {MOST, ALL}, ENTRY_COUNT, entries},
    [CLOSED] = {"closed", {MOST, ALL}, 0, 0},
};
const uint32_t domain_count = DOMAINS;

const file_rule_t file_rules[] = {
    {VAULT, "secret", RIGHT_READ},    {MODULE, "public", RIGHT_READ},
    {MODULE, "nickname", RIGHT_READ}, {MAIN, "diary", RIGHT_CREATE},
    {MODULE, "diary", RIGHT_CREATE},
};
const uint32_t file_rule_count = sizeof file_rules / sizeof file_rules[0];
