/*
 * The PrivUser of the probe `changer`: a policy, and no function.
 */
#include "files_policy.h"
#include "privuser.h"

const privcall_entry_t privcall_table[] = {{0}};
const uint32_t privcall_count = 0;
