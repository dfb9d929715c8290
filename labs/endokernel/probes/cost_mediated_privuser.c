/*
 * The PrivUser of the probe cost_mediated: its policy.
 */
#include "endokernel.h"
#include "privuser.h"

int entry_double(uint32_t value, uint32_t b, uint32_t c);

static const domain_entry_t entries[] = {entry_double};

const domain_t domains[] = {
    {.name = "main", .calls = {0xFFFFFFFF, 0xFFFFFFFF}},
    {.name = "other", .entry_count = 1, .entries = entries},
};
const uint32_t domain_count = 2;

const file_rule_t file_rules[] = {{0, "public", RIGHT_READ}};
const uint32_t file_rule_count = 1;

const privcall_entry_t privcall_table[] = {{0}};
const uint32_t privcall_count = 0;
