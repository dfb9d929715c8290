/*
 * Messages between processes, as the kernel and the programs both see them: the shape of a message,
 * the numbers of the system calls, what the flags and the types mean. The handout's section "The
 * contract" says what each call does. This file is given; it is not handed in.
 */
#ifndef IPC_ABI_H
#define IPC_ABI_H

#include <stdint.h>

/* An endpoint names a process: the place it has among the kernel's processes, and how many times
 * that place has been used, so that who comes to sit there later is not taken for the former. */
typedef uint32_t endpoint_t;

#define ENDPOINT_SLOTS                64u
#define ENDPOINT_SLOT(endpoint)       ((endpoint) % ENDPOINT_SLOTS)
#define ENDPOINT_GENERATION(endpoint) ((endpoint) / ENDPOINT_SLOTS)

#define ENDPOINT_KERNEL 0u          /* the kernel itself; no process has generation 0 */
#define ENDPOINT_ANY    0xFFFFFFFFu /* in receive: from whoever comes first */

#define MESSAGE_WORDS 14

/* 64 bytes. The kernel writes `sender`, whatever stood there before. */
typedef struct {
    endpoint_t sender;
    uint32_t type;
    uint32_t payload[MESSAGE_WORDS];
} message_t;

enum ipc_system_call {
    SYSTEM_CALL_IPC_SEND = 32,      /* (to, const message_t *, flags) */
    SYSTEM_CALL_IPC_RECEIVE = 33,   /* (from, message_t *, flags) */
    SYSTEM_CALL_IPC_CALL = 34,      /* (to, message_t *, flags) send, and wait for its reply */
    SYSTEM_CALL_IPC_REPLY = 35,     /* (to, const message_t *) to a caller that waits for it */
    SYSTEM_CALL_IPC_NOTIFY = 36,    /* (to, bits) */
    SYSTEM_CALL_IPC_ENDPOINT = 37,  /* () -> the caller's endpoint */
    SYSTEM_CALL_IPC_SERVICE = 38,   /* (which) -> the endpoint that serves it, or E_DEAD */
    SYSTEM_CALL_IPC_SUBSCRIBE = 39, /* (irq, bits) every such interrupt notifies the caller */
};

#define IPC_NONBLOCKING 1u /* E_BLOCKED instead of waiting */

/* What `which` of SYSTEM_CALL_IPC_SERVICE may be. */
enum service {
    SERVICE_PROCESS = 1,
    SERVICE_SCHEDULER = 2,
    SERVICE_FILE = 3,
};

/* The types of the kernel's own messages (sender ENDPOINT_KERNEL). Requests to servers have types
 * that the servers choose. */
enum message_type {
    MESSAGE_NOTIFICATION = 1, /* payload[0]: all bits that were notified since the last one */
    MESSAGE_SCHEDULE = 2,     /* payload[0]: slot whose quantum ended, or SLOT_NONE; payload[1]: the
                                 tick count; payload[2], payload[3]: bit s % 32 of word s / 32 is
                                 set when slot s is ready */
    MESSAGE_RUN = 3,          /* the answer to MESSAGE_SCHEDULE: payload[0] is the slot to run */
};

#define SLOT_NONE 0xFFFFFFFFu

#endif
