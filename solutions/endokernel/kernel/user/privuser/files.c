// STAGE 2 FILE
/*
 * The system calls that are about files. A file is judged by what it is, not by what it is called:
 * the monitor opens it, asks the kernel which file that was, and goes on with what it has opened.
 */
#include "error.h"
#include "file_name.h"
#include "monitor.h"

// STAGE 3 {
/* Whose each handle is: the number of the domain that opened it plus one; 0 while it is not open.
 */
static uint8_t owners[HANDLES_MAX];

// STAGE 3 }
static int close(int handle)
{
    return kernel_call(SYSTEM_CALL_CLOSE_HANDLE, (uint32_t)handle, 0, 0, 0, 0);
}

/* OK when the caller has one of these rights to the file that the handle means. */
static int judge(const monitor_frame_t *caller, int handle, uint32_t rights)
{
    char name[FILE_NAME_MAX + 1];
    const int length =
        kernel_call(SYSTEM_CALL_HANDLE_NAME, (uint32_t)handle, (uint32_t)name, sizeof name, 0, 0);

    if (length < 0) {
        return length;
    }
    return policy_file_rights(caller->domain, name) & rights ? OK : E_PERMISSION;
}

/* Opens the file that the call names in EBX, if the caller has one of these rights to it. */
static int open_judged(const monitor_frame_t *caller, uint32_t rights)
{
    char name[FILE_NAME_MAX + 1];
    const int length = string_copy(caller, name, caller->ebx, sizeof name);

    if (length < 0) {
        return length;
    }
    // STAGE 4 {
    //: if (!(policy_file_rights(caller->domain, file_name_start(name)) & rights)) {
    //:     return E_PERMISSION;
    //: }
    //: return kernel_call(SYSTEM_CALL_OPEN_FILE, caller->ebx, 0, 0, 0, 0);
    /* What is opened is opened: from here on names may change as they like. */
    const int handle = kernel_call(SYSTEM_CALL_OPEN_FILE, (uint32_t)name, 0, 0, 0, 0);
    if (handle < 0) {
        return handle;
    }
    const int error = judge(caller, handle, rights);
    if (error != OK) {
        close(handle);
        return error;
    }
    return handle;
    // STAGE 4 }
}

/* A new file has no object yet, and is judged by the name that it will have. */
int monitor_create_file(monitor_frame_t *caller)
{
    char name[FILE_NAME_MAX + 1];
    const int length = string_copy(caller, name, caller->ebx, sizeof name);

    if (length < 0) {
        return length;
    }
    if (!(policy_file_rights(caller->domain, file_name_start(name)) & RIGHT_CREATE)) {
        return E_PERMISSION;
    }
    // STAGE 4 {
    //: return kernel_call(SYSTEM_CALL_CREATE_FILE, caller->ebx, caller->ecx, caller->edx, 0, 0);
    return kernel_call(SYSTEM_CALL_CREATE_FILE, (uint32_t)name, caller->ecx, caller->edx, 0, 0);
    // STAGE 4 }
}

int monitor_read_file(monitor_frame_t *caller)
{
    const int handle = open_judged(caller, RIGHT_READ);

    if (handle < 0) {
        return handle;
    }
    const int result = kernel_call(SYSTEM_CALL_READ_HANDLE, (uint32_t)handle, caller->ecx,
                                   caller->edx, caller->esi, 0);
    close(handle);
    return result;
}

int monitor_delete_file(monitor_frame_t *caller)
{
    const int handle = open_judged(caller, RIGHT_DELETE);

    if (handle < 0) {
        return handle;
    }
    const int result = kernel_call(SYSTEM_CALL_DELETE_HANDLE, (uint32_t)handle, 0, 0, 0, 0);
    close(handle);
    return result;
}

/* Who may read a file may give it another name; that changes nothing about who may what. */
int monitor_link_file(monitor_frame_t *caller)
{
    char alias[FILE_NAME_MAX + 1];
    char own_name[FILE_NAME_MAX + 1];
    int result = string_copy(caller, alias, caller->ecx, sizeof alias);

    if (result < 0) {
        return result;
    }
    const int handle = open_judged(caller, RIGHT_READ);
    if (handle < 0) {
        return handle;
    }
    result = kernel_call(SYSTEM_CALL_HANDLE_NAME, (uint32_t)handle, (uint32_t)own_name,
                         sizeof own_name, 0, 0);
    if (result >= 0) {
        result = kernel_call(SYSTEM_CALL_LINK_FILE, (uint32_t)own_name, (uint32_t)alias, 0, 0, 0);
    }
    close(handle);
    return result;
}

/* Handles of the program's. One that a domain has opened is nothing to another domain. */

static int keep(const monitor_frame_t *caller, int handle)
{
    // STAGE 3 {
    //: (void)caller;
    if (handle >= 0) {
        owners[handle] = (uint8_t)(caller->domain + 1);
    }
    // STAGE 3 }
    return handle;
}

/* OK when the handle that the call names in EBX is the caller's. */
static int own_handle(const monitor_frame_t *caller)
{
    if (caller->ebx >= HANDLES_MAX) {
        return E_INVALID;
    }
    // STAGE 3 {
    if (owners[caller->ebx] != caller->domain + 1) {
        return owners[caller->ebx] == 0 ? E_INVALID : E_PERMISSION;
    }
    // STAGE 3 }
    return OK;
}

/* Passes the call on if the handle is the caller's, who has the right to what is to be done. */
static int pass_on_judged(const monitor_frame_t *caller, uint32_t rights)
{
    int error = own_handle(caller);

    if (error == OK) {
        error = judge(caller, (int)caller->ebx, rights);
    }
    if (error != OK) {
        return error;
    }
    return kernel_call(caller->eax, caller->ebx, caller->ecx, caller->edx, caller->esi, 0);
}

int monitor_open_file(monitor_frame_t *caller)
{
    return keep(caller, open_judged(caller, RIGHT_READ | RIGHT_DELETE));
}

int monitor_read_handle(monitor_frame_t *caller)
{
    return pass_on_judged(caller, RIGHT_READ);
}

int monitor_duplicate_handle(monitor_frame_t *caller)
{
    return keep(caller, pass_on_judged(caller, RIGHT_READ | RIGHT_DELETE));
}

int monitor_handle_name(monitor_frame_t *caller)
{
    return pass_on_judged(caller, RIGHT_READ | RIGHT_DELETE);
}

int monitor_delete_handle(monitor_frame_t *caller)
{
    return pass_on_judged(caller, RIGHT_DELETE);
}

int monitor_close_handle(monitor_frame_t *caller)
{
    const int error = own_handle(caller);

    if (error != OK) {
        return error;
    }
    // STAGE 3 {
    owners[caller->ebx] = 0; /* before the number can be somebody else's */
    // STAGE 3 }
    return close((int)caller->ebx);
}
