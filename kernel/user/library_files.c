/*
 * The library's functions for files. In a file of their own, for the same reason as those of
 * library_process.c.
 */
#include "library.h"

int create_file(const char *name, const void *data, uint32_t length)
{
    return system_call(SYSTEM_CALL_CREATE_FILE, (uint32_t)name, (uint32_t)data, length, 0, 0);
}

int read_file(const char *name, void *buffer, uint32_t offset, uint32_t length)
{
    return system_call(SYSTEM_CALL_READ_FILE, (uint32_t)name, (uint32_t)buffer, offset, length, 0);
}

int delete_file(const char *name)
{
    return system_call(SYSTEM_CALL_DELETE_FILE, (uint32_t)name, 0, 0, 0, 0);
}

int list_files(struct file_entry *entries, uint32_t max)
{
    return system_call(SYSTEM_CALL_LIST_FILES, (uint32_t)entries, max, 0, 0, 0);
}
