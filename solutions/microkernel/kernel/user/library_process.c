// STAGE 2 FILE
/*
 * The library's functions for processes: requests to the process server.
 */
#include "library_server.h"
#include "process_server.h"

/* The kernel ends the process, since it alone can, and tells the process server. */
_Noreturn void exit(int status)
{
    system_call(SYSTEM_CALL_EXIT, (uint32_t)status, 0, 0, 0, 0);
    __builtin_unreachable();
}

int spawn(const char *name, const char *argument)
{
    message_t request = {.type = PROCESS_SPAWN};
    const int error = request_name(&request, name);

    request_window(&request, argument, strlen(argument) + 1);
    return error == OK ? request_call(SERVICE_PROCESS, &request, IPC_READABLE) : error;
}

int wait(uint32_t pid, int *status)
{
    message_t request = {.type = PROCESS_WAIT, .payload = {pid}};

    request_window(&request, status, status != NULL ? sizeof(*status) : 0);
    return request_call(SERVICE_PROCESS, &request, IPC_WRITABLE);
}

int kill(uint32_t pid)
{
    message_t request = {.type = PROCESS_KILL, .payload = {pid}};

    return request_call(SERVICE_PROCESS, &request, 0);
}

int list_processes(struct process_entry *entries, uint32_t max)
{
    message_t request = {.type = PROCESS_LIST};

    request_window(&request, entries, max * sizeof(*entries));
    return max <= UINT32_MAX / sizeof(*entries)
               ? request_call(SERVICE_PROCESS, &request, IPC_WRITABLE)
               : E_FAULT;
}
