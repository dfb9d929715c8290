/*
 * Handles, a table for each process. It belongs to the pid for which it was last used, and is empty
 * for any other: pids are never used again, so no end of a process needs to be waited for.
 */
#include "handle.h"

#include "disk_filesystem.h"
#include "endokernel.h"
#include "error.h"
#include "file_name.h"
#include "filesystem.h"
#include "process.h"
#include "string.h"

typedef struct {
    bool open;
    char file[FILE_NAME_MAX + 1]; /* its own name; empty: deleted since */
} handle_t;

typedef struct {
    uint32_t pid;
    handle_t handles[HANDLES_MAX];
} handle_table_t;

static handle_table_t tables[PROCESSES_MAX];

/* The table of the running thread's process. */
static handle_table_t *own_table(void)
{
    const process_t *process = current_process->first;
    handle_table_t *table = &tables[process->slot];

    if (table->pid != process->pid) {
        *table = (handle_table_t){.pid = process->pid};
    }
    return table;
}

/* An open handle, or NULL. */
static handle_t *find_handle(uint32_t number)
{
    handle_t *handle = number < HANDLES_MAX ? &own_table()->handles[number] : NULL;

    return handle != NULL && handle->open ? handle : NULL;
}

/* A handle whose file is there, or NULL with *error set. */
static handle_t *find_file(uint32_t number, int *error)
{
    handle_t *handle = find_handle(number);

    *error = handle == NULL ? E_INVALID : handle->file[0] == '\0' ? E_NOT_FOUND : OK;
    return *error == OK ? handle : NULL;
}

/* Opens the lowest free handle for the file of that own name. */
static int take_handle(const char *own_name)
{
    handle_table_t *table = own_table();

    for (uint32_t number = 0; number < HANDLES_MAX; number++) {
        if (!table->handles[number].open) {
            table->handles[number].open = true;
            strcpy(table->handles[number].file, own_name);
            return (int)number;
        }
    }
    return E_FULL;
}

int handle_open(const char *name)
{
    const int size = file_size(name);

    return size < 0 ? size : take_handle(file_own_name(name));
}

int handle_read(uint32_t handle, void *buffer, uint32_t offset, uint32_t length)
{
    int error;
    const handle_t *found = find_file(handle, &error);

    return found == NULL ? error : disk_read_file(found->file, buffer, offset, length);
}

int handle_close(uint32_t handle)
{
    handle_t *found = find_handle(handle);

    if (found == NULL) {
        return E_INVALID;
    }
    found->open = false;
    return OK;
}

int handle_duplicate(uint32_t handle)
{
    int error;
    const handle_t *found = find_file(handle, &error);

    return found == NULL ? error : take_handle(found->file);
}

int handle_name(uint32_t handle, const char **name)
{
    int error;
    const handle_t *found = find_file(handle, &error);

    if (found == NULL) {
        return error;
    }
    *name = found->file;
    return (int)strlen(found->file);
}

int handle_delete(uint32_t handle)
{
    int error;
    const handle_t *found = find_file(handle, &error);

    return found == NULL ? error : delete_file(found->file);
}

void handle_forget_file(const char *own_name)
{
    for (uint32_t i = 0; i < PROCESSES_MAX * HANDLES_MAX; i++) {
        handle_t *handle = &tables[i / HANDLES_MAX].handles[i % HANDLES_MAX];
        if (strcmp(handle->file, own_name) == 0) {
            handle->file[0] = '\0';
        }
    }
}
