/*
 * The system calls: what a program can ask of the kernel. A program puts the number in EAX and up
 * to five arguments in EBX, ECX, EDX, ESI and EDI, executes `int 0x80`, and finds the result in
 * EAX: zero or more, or a negative error of error.h. All other registers keep their values. The
 * kernel and the programs both include this file.
 */
#ifndef SYSTEM_CALL_H
#define SYSTEM_CALL_H

#include <stdint.h>

enum system_call {
    SYSTEM_CALL_EXIT = 0,            /* (status), does not return */
    SYSTEM_CALL_WRITE = 1,           /* (buffer, length) to the console -> length */
    SYSTEM_CALL_READ = 2,            /* (buffer, length) a line from the console -> its length */
    SYSTEM_CALL_SPAWN = 3,           /* (name, argument) -> pid of the new child */
    SYSTEM_CALL_WAIT = 4,            /* (pid, or 0 for any child; int *status or NULL) -> pid */
    SYSTEM_CALL_KILL = 5,            /* (pid) */
    SYSTEM_CALL_YIELD = 6,           /* () */
    SYSTEM_CALL_SLEEP = 7,           /* (ticks) */
    SYSTEM_CALL_GETPID = 8,          /* () -> pid */
    SYSTEM_CALL_TICKS = 9,           /* () -> ticks since the kernel's start */
    SYSTEM_CALL_CREATE_FILE = 10,    /* (name, data, length) */
    SYSTEM_CALL_READ_FILE = 11,      /* (name, buffer, offset, length) -> bytes read */
    SYSTEM_CALL_DELETE_FILE = 12,    /* (name) */
    SYSTEM_CALL_LIST_FILES = 13,     /* (struct file_entry *, entries) -> entries filled in */
    SYSTEM_CALL_LIST_PROCESSES = 14, /* (struct process_entry *, entries) -> entries filled in */
    SYSTEM_CALL_MEMORY_MAP = 15,     /* (address, length) zeroed, writable pages appear there */
    SYSTEM_CALL_MEMORY_UNMAP = 16,   /* (address, length) */
    SYSTEM_CALL_PARAMETER = 17,      /* (key, buffer, size) -> length of the boot parameter */
    SYSTEM_CALL_SHUTDOWN = 18,       /* (status), does not return */

    SYSTEM_CALL_LAB_FIRST = 32, /* the numbers from here ... */
    SYSTEM_CALL_LAB_LAST = 63,  /* ... to here are a lab's own: see lab_system_call */
};

#define TICKS_PER_SECOND 100

/* Longest strings the kernel takes, without the NUL at their end. */
#define FILE_NAME_MAX 31
#define ARGUMENT_MAX  255
#define KEY_MAX       31
#define PARAMETER_MAX 255

/* The exit status that wait() reports for a process that did not end by itself. */
#define EXIT_FAULT(vector) (-(256 + (int)(vector)))
#define EXIT_KILLED        (-512)

struct file_entry {
    char name[FILE_NAME_MAX + 1];
    uint32_t length; /* in bytes */
};

struct process_entry {
    char name[FILE_NAME_MAX + 1];
    uint32_t pid;
    uint32_t parent; /* pid of the process that spawned it, 0 if none is left */
    uint32_t state;  /* a process_state_t of process_state.h */
};

#endif
