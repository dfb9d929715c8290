/*
 * The errors that kernel functions and system calls return: negative numbers, each with a name that
 * a person can be shown. Zero and above mean success. Programs include this file too.
 */
#ifndef ERROR_H
#define ERROR_H

enum error {
    OK = 0,
    E_INVALID = -1,     /* an argument that makes no sense */
    E_FAULT = -2,       /* a pointer to memory the caller may not use */
    E_MEMORY = -3,      /* out of memory */
    E_NOT_FOUND = -4,   /* no such file, program or parameter */
    E_EXISTS = -5,      /* there is already something of that name or at that address */
    E_FULL = -6,        /* a table or the disk is full */
    E_NAME = -7,        /* a name that is empty or too long */
    E_IO = -8,          /* a device failed */
    E_CORRUPT = -9,     /* data on the disk contradicts itself */
    E_NO_CALL = -10,    /* no system call has this number */
    E_NO_PROCESS = -11, /* no such process, or not a child of the caller */
    E_PERMISSION = -12, /* not allowed */
    E_FORMAT = -13,     /* not a program this kernel can run */
    E_BLOCKED = -14,    /* the operation would have to wait */
    E_DEAD = -15,       /* the process at the other end is gone */
    E_DEADLOCK = -16,   /* waiting would never end */
};

/* The name of an error, such as "E_FAULT"; "E_UNKNOWN" for a number that is none. */
const char *error_name(int error);

#endif
