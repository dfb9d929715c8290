// STAGE 1 FILE
/*
 * Memory that a system call's arguments lead to. The kernel lets the monitor use PrivUser memory,
 * and the monitor's calls are what it sees: so the monitor has to ask, for each pointer that comes
 * from the program, whether the program could have used that memory itself.
 */
#include "error.h"
#include "lab_calls.h"
#include "monitor.h"
#include "privuser.h"

#include <stddef.h>

/* Where in the frame an argument is. */
#define ARGUMENT(name) ((uint8_t)(offsetof(monitor_frame_t, name) / sizeof(uint32_t)))
#define ONE            0 /* in place of a length: one unit */

/* The calls that have a buffer: its address, its length, and how many bytes one of that is. */
typedef struct {
    uint8_t address;
    uint8_t length;
    uint8_t unit;
} buffer_t;

static const buffer_t buffers[] = {
    [SYSTEM_CALL_WRITE] = {ARGUMENT(ebx), ARGUMENT(ecx), 1},
    [SYSTEM_CALL_READ] = {ARGUMENT(ebx), ARGUMENT(ecx), 1},
    [SYSTEM_CALL_WAIT] = {ARGUMENT(ecx), ONE, sizeof(int)},
    [SYSTEM_CALL_CREATE_FILE] = {ARGUMENT(ecx), ARGUMENT(edx), 1},
    [SYSTEM_CALL_READ_FILE] = {ARGUMENT(ecx), ARGUMENT(esi), 1},
    [SYSTEM_CALL_LIST_FILES] = {ARGUMENT(ebx), ARGUMENT(ecx), sizeof(struct file_entry)},
    [SYSTEM_CALL_LIST_PROCESSES] = {ARGUMENT(ebx), ARGUMENT(ecx), sizeof(struct process_entry)},
    [SYSTEM_CALL_MEMORY_MAP] = {ARGUMENT(ebx), ARGUMENT(ecx), 1},
    [SYSTEM_CALL_MEMORY_UNMAP] = {ARGUMENT(ebx), ARGUMENT(ecx), 1},
    [SYSTEM_CALL_PARAMETER] = {ARGUMENT(ecx), ARGUMENT(edx), 1},
    [LAB_CALL_ANSWER] = {ARGUMENT(ecx), ONE, sizeof(uint32_t)},
    [SYSTEM_CALL_READ_HANDLE] = {ARGUMENT(ecx), ARGUMENT(esi), 1},
    [SYSTEM_CALL_HANDLE_NAME] = {ARGUMENT(ecx), ARGUMENT(edx), 1},
};

static uint32_t argument(const monitor_frame_t *caller, uint8_t place)
{
    return ((const uint32_t *)caller)[place];
}

static bool overlaps(uint32_t start, uint32_t end, uint32_t other_start, uint32_t other_end)
{
    return start < other_end && other_start < end;
}

// STAGE 3 {
/* Whether the range touches the memory of another domain than that. */
static bool overlaps_another_domain(uint32_t start, uint32_t end, uint32_t domain)
{
    for (uint32_t other = 1; other < DOMAINS_MAX; other++) {
        if (other != domain &&
            overlaps(start, end, DOMAIN_BASE(other), DOMAIN_BASE(other) + DOMAIN_SIZE)) {
            return true;
        }
    }
    return false;
}

// STAGE 3 }
/* Whether all of the range is memory that ring 3 can use in the caller's domain, as far as
 * addresses tell: whether something is mapped there, the kernel will see. */
static bool is_the_callers(const monitor_frame_t *caller, uint32_t start, uint32_t length)
{
    if (length == 0) {
        return true;
    }
    /* Not `start + length > ORDINARY_END`: the sum may wrap around. */
    if (start < ORDINARY_START || start >= ORDINARY_END || length > ORDINARY_END - start) {
        return false;
    }
    // STAGE 3 {
    //: (void)caller;
    if (overlaps_another_domain(start, start + length, caller->domain)) {
        return false;
    }
    // STAGE 3 }
    return !overlaps(start, start + length, PRIVUSER_START, PRIVUSER_END);
}

/* The kernel writes two words below a new thread's stack pointer. */
static bool new_stack_is_the_callers(const monitor_frame_t *caller)
{
    const uint32_t words = 2 * sizeof(uint32_t);

    return is_the_callers(caller, caller->ecx - words, words);
}

bool buffers_are_the_callers(const monitor_frame_t *caller)
{
    const uint32_t number = caller->eax;

    if (number == LAB_CALL_THREAD_CREATE) {
        return new_stack_is_the_callers(caller);
    }
    if (number >= sizeof buffers / sizeof buffers[0] || buffers[number].unit == 0) {
        return true;
    }
    const buffer_t *buffer = &buffers[number];
    const uint32_t start = argument(caller, buffer->address);
    const uint32_t count = buffer->length == ONE ? 1 : argument(caller, buffer->length);
    if (number == SYSTEM_CALL_WAIT && start == 0) {
        return true; /* no status is wanted */
    }
    return count <= ORDINARY_END / buffer->unit &&
           is_the_callers(caller, start, count * buffer->unit);
}

/* The kernel sees at each page whether there is memory to read, where the monitor would fault. How
 * long the string is, nobody knows before: so it is copied first and judged then, in the copy. */
int string_copy(const monitor_frame_t *caller, char *to, uint32_t from, uint32_t size)
{
    const int length = kernel_call(KERNEL_CALL_COPY_STRING, (uint32_t)to, from, size, 0, 0);
    const uint32_t seen = length >= 0 ? (uint32_t)length + 1 : length == E_NAME ? size : 1;

    return is_the_callers(caller, from, seen) ? length : E_FAULT;
}
