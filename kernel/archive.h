/*
 * The boot archive: programs and parameters that the boot sector loaded beside the kernel, there
 * before any driver works.
 */
#ifndef ARCHIVE_H
#define ARCHIVE_H

#include "types.h"

/* Takes the archive at this physical address. A damaged archive is treated as an empty one. */
void archive_init(physical_address_t address);

/* Finds an entry by name and sets *data and *length. Returns OK or E_NOT_FOUND. */
int archive_find(const char *name, const void **data, uint32_t *length);

/* Copies the value of a `key=value` line of the entry `parameters`, with a NUL, to the buffer.
 * Returns its length, E_NOT_FOUND, or E_INVALID when it does not fit. */
int parameter_get(const char *key, char *buffer, uint32_t size);

#endif
