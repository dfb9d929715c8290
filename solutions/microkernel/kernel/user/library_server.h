// STAGE 2 FILE
/*
 * Requests to servers, seen from both sides: how a client makes one, and how a server reaches the
 * client's memory while it works on it. The first word of every reply's payload is the result.
 */
#ifndef LIBRARY_SERVER_H
#define LIBRARY_SERVER_H

#include "../server_calls.h"
#include "ipc.h"
#include "library.h"

/* The client's side. */

/* Puts a name into the first words of the payload. Returns OK, or E_NAME when it is too long. */
int request_name(message_t *request, const char *name);

/* Names the memory that the server may reach during the call. */
void request_window(message_t *request, const void *start, uint32_t length);

/* Makes the request of whoever serves `service` now; `window` is 0, IPC_READABLE or IPC_WRITABLE.
 * Returns the result, or E_DEAD when nobody serves or the server ended during the call. */
int request_call(uint32_t service, message_t *request, uint32_t window);

/* The server's side. */

/* The name that request_name put there; it ends with a NUL whatever the client did. */
const char *request_get_name(message_t *request);

/* Copy between the server and the window of a client whose request it works on. */
int window_read(endpoint_t client, uint32_t offset, void *buffer, uint32_t length);
int window_write(endpoint_t client, uint32_t offset, const void *buffer, uint32_t length);

/* Answers a request. That the client may be dead by now is no concern of the server's. */
void request_reply(endpoint_t client, int result);

#endif
