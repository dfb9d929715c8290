/*
 * Files by any of their names: what the rest of the kernel, and so each of the system calls 10 to
 * 13, knows of files. Each function makes the file's own name of the one it is given, and leaves
 * the work to the filesystem on the disk.
 */
#include "filesystem.h"

#include "disk_filesystem.h"
#include "error.h"
#include "file_name.h"
#include "handle.h"
#include "string.h"

int filesystem_init(void)
{
    return disk_filesystem_init();
}

/* An alias is a name that is taken, so nothing is ever created in a place that a name leads to. */
int create_file(const char *name, const void *data, uint32_t length)
{
    return file_name_is_alias(name) ? E_EXISTS
                                    : disk_create_file(file_name_start(name), data, length);
}

int read_file(const char *name, void *buffer, uint32_t offset, uint32_t length)
{
    return disk_read_file(file_own_name(name), buffer, offset, length);
}

int file_size(const char *name)
{
    return disk_file_size(file_own_name(name));
}

/* Whoever has the file open has a handle of nothing from now on, also when there is soon another
 * file of that name. */
int delete_file(const char *name)
{
    char file[FILE_NAME_MAX + 1];
    const char *own_name = file_own_name(name);
    const int error = disk_delete_file(own_name);

    if (error == OK) {
        strcpy(file, own_name);
        file_name_forget(file);
        handle_forget_file(file);
    }
    return error;
}

int list_files(struct file_entry *entries, uint32_t max)
{
    return disk_list_files(entries, max);
}
