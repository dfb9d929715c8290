// STAGE 2 FILE
/*
 * What servers ask of the kernel beyond messages. Windows are open to every program; the rest is
 * the privileged part of the process server's work, and E_PERMISSION for everybody else.
 */
#ifndef SERVER_CALLS_H
#define SERVER_CALLS_H

#include "ipc_abi.h"
#include "system_call.h"

/* Flags of ipc_call that open a window: until the reply, the receiver may read or write the bytes
 * of the caller's memory that the request's payload names. E_FAULT when the caller may not itself.
 */
#define IPC_READABLE 2u
#define IPC_WRITABLE 4u

/* The words of the payload that say where a window begins and how many bytes it has. */
#define WINDOW_START  12
#define WINDOW_LENGTH 13

enum server_call {
    SYSTEM_CALL_WINDOW_READ = 40,   /* (caller, offset, buffer, length) out of its window */
    SYSTEM_CALL_WINDOW_WRITE = 41,  /* (caller, offset, buffer, length) into its window */
    SYSTEM_CALL_PROCESS_START = 42, /* (const struct process_plan *) -> its endpoint */
    SYSTEM_CALL_PROCESS_END = 43,   /* (endpoint, status) */
    SYSTEM_CALL_PROCESS_REAP = 44, /* (struct ended_process *) of one that has ended; E_NOT_FOUND */
    SYSTEM_CALL_PROCESS_STATE = 45, /* (endpoint) -> its process_state_t */
    SYSTEM_CALL_ARCHIVE_READ = 46,  /* (name, buffer, offset, length) -> bytes read */
};

/* The bit that the kernel notifies the process server with when a process has ended. */
#define NOTIFY_ENDED 1u

/* All that the kernel needs to know to run a new process. Pid and name are only the kernel's words
 * for it when it reports a fault: the kernel neither checks nor looks up either. */
struct process_plan {
    uint32_t pid;
    char name[FILE_NAME_MAX + 1];
    uint32_t service;     /* the SERVICE_... it will be, or 0 */
    const void *image;    /* an ELF file in the process server's memory */
    uint32_t length;      /* of the image */
    const char *argument; /* the string that main gets */
};

struct ended_process {
    endpoint_t endpoint; /* who it was; the slot is free now */
    int status;
};

#endif
