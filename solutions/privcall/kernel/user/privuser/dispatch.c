/*
 * The dispatcher: from the number of a privcall to the function, in ring 2. Whatever ring 3 passes
 * may be wrong, by mistake or by intent. It is judged here, as the kernel judges system calls.
 */
#include "error.h"
#include "privuser.h"
// STAGE 4 {
#include "string.h"

#include <stdbool.h>

/* One call. It is on the thread's own PrivUser stack, never in a variable that threads share. */
typedef struct {
    const uint8_t *kinds;
    uint32_t given[PRIVCALL_ARGUMENTS];  /* by ring 3 */
    uint32_t passed[PRIVCALL_ARGUMENTS]; /* to the function */
    uint8_t buffers[PRIVCALL_ARGUMENTS][PRIVCALL_BUFFER_MAX];
} privcall_t;

/* Whether ring 3 could itself use the range, if it is mapped. If it is not, that is a page fault,
 * of ring 2 instead of ring 3; it ends the process, as it would there. */
static bool is_ordinary(uint32_t start, uint32_t length)
{
    if (length == 0) {
        return true;
    }
    /* Not `start + length > ORDINARY_END`: the sum may wrap around. */
    if (start < ORDINARY_START || start >= ORDINARY_END || length > ORDINARY_END - start) {
        return false;
    }
    return start >= PRIVUSER_END || start + length <= PRIVUSER_START;
}

/* Puts a buffer of PrivUser's in the place of a pointer. What is there is read once, here: the next
 * moment another thread may have changed it. */
static int replace_pointer(privcall_t *call, uint32_t i)
{
    if (i + 1 == PRIVCALL_ARGUMENTS || call->given[i + 1] > PRIVCALL_BUFFER_MAX) {
        return E_INVALID;
    }
    const uint32_t length = call->given[i + 1];
    if (!is_ordinary(call->given[i], length)) {
        return E_FAULT;
    }
    if (call->kinds[i] == PRIVCALL_IN) {
        memcpy(call->buffers[i], (const void *)call->given[i], length);
    } else {
        memset(call->buffers[i], 0, length);
    }
    call->passed[i] = (uint32_t)call->buffers[i];
    return OK;
}

static int copy_in(privcall_t *call)
{
    for (uint32_t i = 0; i < PRIVCALL_ARGUMENTS; i++) {
        call->passed[i] = call->given[i];
        if (call->kinds[i] != PRIVCALL_VALUE) {
            const int error = replace_pointer(call, i);
            if (error != OK) {
                return error;
            }
        }
    }
    return OK;
}

static void copy_out(const privcall_t *call)
{
    for (uint32_t i = 0; i < PRIVCALL_ARGUMENTS; i++) {
        if (call->kinds[i] == PRIVCALL_OUT) {
            memcpy((void *)call->given[i], call->buffers[i], call->given[i + 1]);
        }
    }
}
// STAGE 4 }

/* Called by entry.asm. */
int privcall_dispatch(uint32_t number, uint32_t a, uint32_t b, uint32_t c, uint32_t d);

int privcall_dispatch(uint32_t number, uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
    // STAGE 2 {
    //: // TASK 2: call the function with this number, if there is one; arguments are values.
    //: // TASK 4: some are pointers, and say so in the table.
    //: (void)number, (void)a, (void)b, (void)c, (void)d;
    //: return E_NO_CALL;
    if (number >= privcall_count) {
        return E_NO_CALL;
    }
    const privcall_entry_t *entry = &privcall_table[number];
    // STAGE 4 {
    //: return entry->function(a, b, c, d);
    privcall_t call;

    call.kinds = entry->kinds;
    call.given[0] = a;
    call.given[1] = b;
    call.given[2] = c;
    call.given[3] = d;
    int result = copy_in(&call);
    if (result != OK) {
        return result;
    }
    result = entry->function(call.passed[0], call.passed[1], call.passed[2], call.passed[3]);
    if (result >= 0) {
        copy_out(&call);
    }
    return result;
    // STAGE 4 }
    // STAGE 2 }
}
