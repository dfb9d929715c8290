/*
 * The PrivUser of the probe `sealed`: the policy that forbids it the system calls, and no function.
 */
#include "endokernel.h"
#include "privuser.h"

const privcall_entry_t privcall_table[] = {{0}};
const uint32_t privcall_count = 0;

const domain_t domains[] = {{.name = "main", .calls = {0, CALL_BIT(SYSTEM_CALL_OPEN_FILE)}}};
const uint32_t domain_count = 1;

const file_rule_t file_rules[] = {
    {0, "doomed", RIGHT_READ | RIGHT_CREATE | RIGHT_DELETE},
    {0, "planted", RIGHT_READ | RIGHT_CREATE | RIGHT_DELETE},
};
const uint32_t file_rule_count = 2;
