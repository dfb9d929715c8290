// STAGE 2 FILE
/*
 * Windows: for more than fits into a message. With a call, a client may let the server read or
 * write one range of its memory, until the server has replied. Nothing else of it can be reached,
 * and nothing by anybody else.
 */
#ifndef WINDOW_H
#define WINDOW_H

#include "ipc.h"

/* Copy `length` bytes between the running process's buffer and, from `offset` on, the window of a
 * client to which it owes a reply. Return OK, E_FAULT (past the window, or the memory is not
 * there), E_PERMISSION (no such window), or what ipc_find says. */
int window_read(endpoint_t client, uint32_t offset, virtual_address_t buffer, uint32_t length);
int window_write(endpoint_t client, uint32_t offset, virtual_address_t buffer, uint32_t length);

#endif
