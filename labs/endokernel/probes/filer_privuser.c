/*
 * The PrivUser of the probe `filer`: a treasure that no file call may touch.
 */
#include "files_policy.h"
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
