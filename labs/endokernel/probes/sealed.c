/*
 * A mediated program that may open a file, and make no other system call but exit: all others have
 * no bit in its policy, although its rules give it every right to the file.
 */
#include "crew.h"
#include "lab_calls.h"

#define MAPPED 0x20000000u /* ordinary memory that nobody uses */

static uint8_t buffer[256] __attribute__((aligned(16)));

static void thread(uint32_t argument)
{
    exit((int)argument);
}

/* A call that would do its work, or fail in another way, if it were performed. */
static int make_call(uint32_t number, uint32_t handle)
{
    const uint32_t place = (uint32_t)buffer, name = (uint32_t) "doomed";
    switch (number) {
    case SYSTEM_CALL_SPAWN:
        return spawn("sealed", "role=none");
    case SYSTEM_CALL_WAIT:
        return system_call(number, 0, place, 0, 0, 0);
    case SYSTEM_CALL_KILL:
        return system_call(number, 0xffff, 0, 0, 0, 0);
    case SYSTEM_CALL_SLEEP:
        return system_call(number, 1, 0, 0, 0, 0);
    case SYSTEM_CALL_CREATE_FILE:
        return system_call(number, (uint32_t) "planted", place, 1, 0, 0);
    case SYSTEM_CALL_READ_FILE:
        return system_call(number, name, place, 0, 1, 0);
    case SYSTEM_CALL_DELETE_FILE:
        return delete_file("doomed");
    case SYSTEM_CALL_MEMORY_MAP:
    case SYSTEM_CALL_MEMORY_UNMAP:
        return system_call(number, MAPPED, 0x1000, 0, 0, 0);
    case SYSTEM_CALL_PARAMETER:
        return system_call(number, (uint32_t) "nonce", place, sizeof buffer, 0, 0);
    case LAB_CALL_THREAD_CREATE:
        return system_call(number, (uint32_t)thread, place + sizeof buffer, 0, 0, 0);
    case LAB_CALL_ASK:
        return system_call(number, 0xffff, 0, 0, 0, 0);
    case LAB_CALL_ANSWER:
        return system_call(number, 0, place, 0, 0, 0);
    case SYSTEM_CALL_READ_HANDLE:
        return read_handle((int)handle, buffer, 0, 1);
    case SYSTEM_CALL_CLOSE_HANDLE:
    case SYSTEM_CALL_DUPLICATE_HANDLE:
    case SYSTEM_CALL_DELETE_HANDLE:
        return system_call(number, handle, 0, 0, 0, 0);
    case SYSTEM_CALL_HANDLE_NAME:
        return handle_name((int)handle, (char *)buffer, sizeof buffer);
    case SYSTEM_CALL_LINK_FILE:
        return link_file("doomed", "planted");
    default: /* a buffer and its length, or nothing */
        return system_call(number, place, 1, 0, 0, 0);
    }
}

/* Is there a call of this number, which needs a bit? Those from 47 on are no program's. */
static bool is_call(uint32_t number)
{
    return (number > SYSTEM_CALL_EXIT && number <= SYSTEM_CALL_SHUTDOWN) ||
           (number >= LAB_CALL_THREAD_CREATE && number <= LAB_CALL_ANSWER) ||
           (number > SYSTEM_CALL_OPEN_FILE && number <= SYSTEM_CALL_LINK_FILE);
}

/* Every number. Returns the first whose call was not denied. */
static int all(void)
{
    int handle = open_file("doomed");
    if (handle < 0)
        return SYSTEM_CALL_OPEN_FILE;
    for (uint32_t number = 1; number < 64; number++) {
        if (number == SYSTEM_CALL_OPEN_FILE ||
            (number >= MONITOR_CALL_FIRST && number <= MONITOR_CALL_LAST))
            continue;
        int result = make_call(number, (uint32_t)handle);
        if (is_call(number) ? result != E_PERMISSION : result >= 0)
            return (int)number;
    }
    return HARMLESS;
}

int main(const char *argument)
{
    static const struct crew_role roles[] = {{"all", all}, {NULL, NULL}};
    return crew_play("sealed", argument, roles);
}
