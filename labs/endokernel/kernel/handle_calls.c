/*
 * The system calls for open files: takes names and buffers from the program, and calls handle.c.
 */
#include "handle_calls.h"

#include "endokernel.h"
#include "error.h"
#include "file_name.h"
#include "handle.h"
#include "string.h"
#include "system_call.h"
#include "user_memory.h"

static int call_open_file(const trap_frame_t *caller)
{
    char name[FILE_NAME_MAX + 1];
    const int length = copy_string_from_user(name, caller->ebx, sizeof name);

    return length < 0 ? length : handle_open(name);
}

static int call_read_handle(const trap_frame_t *caller)
{
    if (user_range_check(caller->ecx, caller->esi, true) != OK) {
        return E_FAULT;
    }
    return handle_read(caller->ebx, (void *)caller->ecx, caller->edx, caller->esi);
}

static int call_handle_name(const trap_frame_t *caller)
{
    const char *name;
    const int length = handle_name(caller->ebx, &name);

    if (length < 0) {
        return length;
    }
    if ((uint32_t)length >= caller->edx) {
        return E_INVALID;
    }
    const int error = copy_to_user(caller->ecx, name, (uint32_t)length + 1);
    return error == OK ? length : error;
}

static int call_link_file(const trap_frame_t *caller)
{
    char name[FILE_NAME_MAX + 1];
    char alias[FILE_NAME_MAX + 1];
    int length = copy_string_from_user(name, caller->ebx, sizeof name);

    if (length >= 0) {
        length = copy_string_from_user(alias, caller->ecx, sizeof alias);
    }
    return length < 0 ? length : link_file(name, alias);
}

int handle_system_call(const trap_frame_t *caller)
{
    switch (caller->eax) {
    case SYSTEM_CALL_OPEN_FILE:
        return call_open_file(caller);
    case SYSTEM_CALL_READ_HANDLE:
        return call_read_handle(caller);
    case SYSTEM_CALL_CLOSE_HANDLE:
        return handle_close(caller->ebx);
    case SYSTEM_CALL_DUPLICATE_HANDLE:
        return handle_duplicate(caller->ebx);
    case SYSTEM_CALL_HANDLE_NAME:
        return call_handle_name(caller);
    case SYSTEM_CALL_DELETE_HANDLE:
        return handle_delete(caller->ebx);
    case SYSTEM_CALL_LINK_FILE:
        return call_link_file(caller);
    default:
        return E_NO_CALL;
    }
}
