/*
 * Starting programs by name: finds the program's file, and has a process made of it.
 */
#include "spawn.h"

#include "archive.h"
#include "filesystem.h"
#include "heap.h"
#include "process.h"

/* Reads a file as a whole; *data is to be freed with kfree. Returns its length or an error. */
static int read_whole_file(const char *name, void **data)
{
    const int length = file_size(name);

    if (length < 0) {
        return length;
    }
    *data = kalloc(length + 1); /* kalloc(0) would be NULL */
    if (*data == NULL) {
        return E_MEMORY;
    }
    const int result = read_file(name, *data, 0, length);
    if (result < 0) {
        kfree(*data);
    }
    return result;
}

int process_spawn(const char *name, const char *argument)
{
    const void *archived;
    uint32_t archived_length;
    void *file;

    if (archive_find(name, &archived, &archived_length) == OK) {
        return process_create(name, archived, archived_length, argument);
    }
    const int length = read_whole_file(name, &file);
    if (length < 0) {
        return length;
    }
    const int result = process_create(name, file, length, argument);
    kfree(file);
    return result;
}
