/*
 * The library's functions for open files.
 */
#include "handle.h"
#include "library.h"

int open_file(const char *name)
{
    return system_call(SYSTEM_CALL_OPEN_FILE, (uint32_t)name, 0, 0, 0, 0);
}

int read_handle(int handle, void *buffer, uint32_t offset, uint32_t length)
{
    return system_call(SYSTEM_CALL_READ_HANDLE, (uint32_t)handle, (uint32_t)buffer, offset, length,
                       0);
}

int close_handle(int handle)
{
    return system_call(SYSTEM_CALL_CLOSE_HANDLE, (uint32_t)handle, 0, 0, 0, 0);
}

int duplicate_handle(int handle)
{
    return system_call(SYSTEM_CALL_DUPLICATE_HANDLE, (uint32_t)handle, 0, 0, 0, 0);
}

int handle_name(int handle, char *buffer, uint32_t size)
{
    return system_call(SYSTEM_CALL_HANDLE_NAME, (uint32_t)handle, (uint32_t)buffer, size, 0, 0);
}

int delete_handle(int handle)
{
    return system_call(SYSTEM_CALL_DELETE_HANDLE, (uint32_t)handle, 0, 0, 0, 0);
}

int link_file(const char *name, const char *alias)
{
    return system_call(SYSTEM_CALL_LINK_FILE, (uint32_t)name, (uint32_t)alias, 0, 0, 0);
}
