/*
 * The library's functions for processes. In a file of their own, since it is not a matter of course
 * that the kernel itself does this work: in the microkernel lab a server does.
 */
#include "library.h"

_Noreturn void exit(int status)
{
    system_call(SYSTEM_CALL_EXIT, (uint32_t)status, 0, 0, 0, 0);
    __builtin_unreachable();
}

int spawn(const char *name, const char *argument)
{
    return system_call(SYSTEM_CALL_SPAWN, (uint32_t)name, (uint32_t)argument, 0, 0, 0);
}

int wait(uint32_t pid, int *status)
{
    return system_call(SYSTEM_CALL_WAIT, pid, (uint32_t)status, 0, 0, 0);
}

int kill(uint32_t pid)
{
    return system_call(SYSTEM_CALL_KILL, pid, 0, 0, 0, 0);
}

int list_processes(struct process_entry *entries, uint32_t max)
{
    return system_call(SYSTEM_CALL_LIST_PROCESSES, (uint32_t)entries, max, 0, 0, 0);
}
