/*
 * Messages, for programs: one function for each system call of ipc_abi.h, with the same arguments.
 * All return 0 or more, or a negative error of error.h. This file is given; it is not handed in.
 */
#ifndef USER_IPC_H
#define USER_IPC_H

#include "../ipc_abi.h"

/* Sends a message and returns when the receiver has got it. */
int ipc_send(endpoint_t to, const message_t *message, uint32_t flags);

/* Waits for a message from one process, from the kernel, or from ENDPOINT_ANY. */
int ipc_receive(endpoint_t from, message_t *message, uint32_t flags);

/* Sends a request and waits for the reply to it, which replaces the request in `message`. */
int ipc_call(endpoint_t to, message_t *message, uint32_t flags);

/* Answers a request that was received from `to`. Never waits. */
int ipc_reply(endpoint_t to, const message_t *message);

/* Adds bits to those the receiver will be notified of. Never waits. */
int ipc_notify(endpoint_t to, uint32_t bits);

/* The endpoint of the caller. */
int ipc_endpoint(void);

/* The endpoint of the process that serves a SERVICE_..., or E_DEAD. */
int ipc_service(uint32_t which);

/* Has the caller notified of `bits` at every interrupt on this request line from now on. */
int ipc_subscribe(uint32_t irq, uint32_t bits);

#endif
