/*
 * The filesystem on the disk, which knows a file by its own name alone: filesystem.h's functions
 * under other names. filesystem.c stands before it and understands all the names a file has.
 */
#ifndef DISK_FILESYSTEM_H
#define DISK_FILESYSTEM_H

#include "system_call.h"
#include "types.h"

int disk_filesystem_init(void);
int disk_create_file(const char *name, const void *data, uint32_t length);
int disk_read_file(const char *name, void *buffer, uint32_t offset, uint32_t length);
int disk_file_size(const char *name);
int disk_delete_file(const char *name);
int disk_list_files(struct file_entry *entries, uint32_t max);

#endif
