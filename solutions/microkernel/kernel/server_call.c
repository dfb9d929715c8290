// STAGE 2 FILE
/*
 * What the kernel does for servers: it starts and ends processes as the process server says, and
 * copies between a server and the window of a client that waits for it. The process server is
 * trusted with processes, but its pointers are checked like anybody's.
 */
#include "server_call.h"

#include "archive.h"
#include "error.h"
#include "ipc.h"
#include "process.h"
#include "server_calls.h"
#include "string.h"
#include "user_memory.h"
#include "window.h"

static bool is_process_server(void)
{
    return ipc_is_service(SERVICE_PROCESS, current_process);
}

static int start(const trap_frame_t *caller)
{
    struct process_plan plan;
    char argument[ARGUMENT_MAX + 1];
    const int error = copy_from_user(&plan, caller->ebx, sizeof(plan));

    if (error != OK) {
        return error;
    }
    if (user_range_check((virtual_address_t)plan.image, plan.length, false) != OK) {
        return E_FAULT;
    }
    const int length =
        copy_string_from_user(argument, (virtual_address_t)plan.argument, sizeof(argument));
    if (length < 0) {
        return length;
    }
    plan.argument = argument;
    plan.name[FILE_NAME_MAX] = '\0';
    return process_start(&plan);
}

static int end(const trap_frame_t *caller)
{
    port_t *port;
    const int error = ipc_find(caller->ebx, &port);

    if (error != OK) {
        return error;
    }
    if (port->process == current_process) {
        return E_INVALID;
    }
    process_kill(port->process, (int)caller->ecx);
    return OK;
}

static int reap(const trap_frame_t *caller)
{
    struct ended_process ended;

    if (user_range_check(caller->ebx, sizeof(ended), true) != OK) {
        return E_FAULT;
    }
    const int result = process_reap(&ended);
    return result == OK ? copy_to_user(caller->ebx, &ended, sizeof(ended)) : result;
}

static int state(const trap_frame_t *caller)
{
    port_t *port;
    const int error = ipc_find(caller->ebx, &port);

    return error == OK ? (int)port->process->state : error;
}

static int archive_read(const trap_frame_t *caller)
{
    char name[FILE_NAME_MAX + 1];
    const void *data;
    uint32_t length;
    uint32_t wanted = caller->esi;
    int result = copy_string_from_user(name, caller->ebx, sizeof(name));

    if (result >= 0) {
        result = archive_find(name, &data, &length);
    }
    if (result < 0 || caller->edx >= length) {
        return result;
    }
    if (wanted > length - caller->edx) {
        wanted = length - caller->edx;
    }
    result = copy_to_user(caller->ecx, (const uint8_t *)data + caller->edx, wanted);
    return result == OK ? (int)wanted : result;
}

int server_call(const trap_frame_t *caller)
{
    switch (caller->eax) {
    case SYSTEM_CALL_WINDOW_READ:
        return window_read(caller->ebx, caller->ecx, caller->edx, caller->esi);
    case SYSTEM_CALL_WINDOW_WRITE:
        return window_write(caller->ebx, caller->ecx, caller->edx, caller->esi);
    case SYSTEM_CALL_PROCESS_START:
        return is_process_server() ? start(caller) : E_PERMISSION;
    case SYSTEM_CALL_PROCESS_END:
        return is_process_server() ? end(caller) : E_PERMISSION;
    case SYSTEM_CALL_PROCESS_REAP:
        return is_process_server() ? reap(caller) : E_PERMISSION;
    case SYSTEM_CALL_PROCESS_STATE:
        return is_process_server() ? state(caller) : E_PERMISSION;
    case SYSTEM_CALL_ARCHIVE_READ:
        return is_process_server() ? archive_read(caller) : E_PERMISSION;
    default:
        return E_NO_CALL;
    }
}
