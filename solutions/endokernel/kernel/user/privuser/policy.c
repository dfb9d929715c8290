/*
 * The policy: reads the tables of NAME_privuser.c, which lie in PrivUser memory that nobody can
 * write. What they do not allow is forbidden; so is everything to a domain that they do not have.
 */
// STAGE 1 {
//: #include "endokernel.h"
//:
//: /* TASK 1: whether a domain may make a system call. */
//: /* TASK 2: what a domain may do with a file. */
#include "monitor.h"

// STAGE 2 {
#include "string.h"

// STAGE 2 }
enum { CALLS = sizeof domains[0].calls * 8 };

bool policy_allows_call(uint32_t domain, uint32_t number)
{
    if (domain >= domain_count || number >= CALLS) {
        return false;
    }
    return (domains[domain].calls[number / 32] & CALL_BIT(number)) != 0;
}
// STAGE 2 {

uint32_t policy_file_rights(uint32_t domain, const char *own_name)
{
    uint32_t rights = 0;

    for (uint32_t i = 0; i < file_rule_count; i++) {
        const file_rule_t *rule = &file_rules[i];
        if (rule->domain == domain && strcmp(rule->file, own_name) == 0) {
            rights |= rule->rights;
        }
    }
    return rights;
}
// STAGE 2 }
// STAGE 1 }
