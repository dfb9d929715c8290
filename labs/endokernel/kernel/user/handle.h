/*
 * Open files, from a program's side; what the calls take and return is said in endokernel.h.
 */
#ifndef USER_HANDLE_H
#define USER_HANDLE_H

#include <stdint.h>

#include "../endokernel.h"

int open_file(const char *name);
int read_handle(int handle, void *buffer, uint32_t offset, uint32_t length);
int close_handle(int handle);
int duplicate_handle(int handle);
int handle_name(int handle, char *buffer, uint32_t size);
int delete_handle(int handle);
int link_file(const char *name, const char *alias);

#endif
