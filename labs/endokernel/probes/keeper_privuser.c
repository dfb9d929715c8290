/*
 * The PrivUser of the probe `keeper`: its policy, and no function.
 */
#include "endokernel.h"
#include "privuser.h"

const privcall_entry_t privcall_table[] = {{0}};
const uint32_t privcall_count = 0;

const domain_t domains[] = {{.name = "main", .calls = {0xffffffff, 0xffffffff}}};
const uint32_t domain_count = 1;

const file_rule_t file_rules[] = {{0, "secret", RIGHT_READ}};
const uint32_t file_rule_count = 1;
