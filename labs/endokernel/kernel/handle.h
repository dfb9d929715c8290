/*
 * Handles: files that a process has opened. A handle means the file that was there when it was
 * opened, whatever happens to its names afterwards. All threads of a process have the same handles;
 * a child starts without any.
 */
#ifndef HANDLE_H
#define HANDLE_H

#include "types.h"

/* All of them are about the process that runs. A handle that is not open is an E_INVALID, one whose
 * file has been deleted an E_NOT_FOUND. */

/* Opens a file by any of its names. Returns the lowest free handle, E_FULL, or what the disk says.
 */
int handle_open(const char *name);

/* Reads as read_file does. */
int handle_read(uint32_t handle, void *buffer, uint32_t offset, uint32_t length);

int handle_close(uint32_t handle);

/* Opens the same file again. Returns the new handle or E_FULL. */
int handle_duplicate(uint32_t handle);

/* Finds the file's own name, which stays valid until the handle is closed. Returns its length. */
int handle_name(uint32_t handle, const char **name);

/* Deletes the file. The handle stays open, as a handle of nothing. */
int handle_delete(uint32_t handle);

/* Makes all handles of that file, given by its own name, handles of nothing. */
void handle_forget_file(const char *own_name);

#endif
