/*
 * PrivUser: what the kernel, the programs and the code inside of PrivUser must agree on. It is
 * fixed: not handed in.
 *
 * A program NAME has a PrivUser when there is a file user/NAME_privuser.c. That file, all of the
 * folder user/privuser/ and string.c become one object of their own, which the linker puts at
 * PRIVUSER_START: first a header, then code and constants, then, on pages of their own, variables.
 */
#ifndef PRIVUSER_H
#define PRIVUSER_H

#include <stdint.h>

/* Where PrivUser lies in a process's address space. All of it is mapped by one page table. */
#define PRIVUSER_START 0xA0000000u
#define PRIVUSER_END   0xA0400000u

/* A program's ordinary memory is all of this range but PrivUser. Above it is the kernel (KBASE). */
#define ORDINARY_START 0x00001000u
#define ORDINARY_END   0xC0000000u

/* A PrivUser stack has at least this many bytes, and each thread has its own. */
#define PRIVUSER_STACK_SIZE 8192u

/* Selectors: index * 8, bit 2 for the local descriptor table, privilege level. */
#define PRIVUSER_CODE_SELECTOR (1u << 3 | 4 | 2)
#define PRIVUSER_DATA_SELECTOR (2u << 3 | 4 | 2)
#define PRIVCALL_GATE_SELECTOR (3u << 3 | 4 | 3)

#define PRIVUSER_MAGIC 0x56495250u /* "PRIV" */

/* What stands at PRIVUSER_START, so that the kernel finds the ways in (user/privuser/header.c). */
typedef struct {
    uint32_t magic;
    uint32_t privcall_entry;    /* where the call gate leads */
    uint32_t system_call_entry; /* 0 in this lab */
    uint32_t reserved;
} privuser_header_t;

#define PRIVCALL_ARGUMENTS  4
#define PRIVCALL_BUFFER_MAX 256u /* bytes that one pointer argument may lead to */

/* What an argument is. A pointer's length is the argument after it. */
enum privcall_kind {
    PRIVCALL_VALUE, /* a number */
    PRIVCALL_IN,    /* a pointer: the function reads a copy of what is there */
    PRIVCALL_OUT,   /* a pointer: what the function writes is copied there when it returns >= 0 */
};

/* One function that ring 3 may call. It returns 0 or more, or a negative error of error.h. */
typedef struct {
    int (*function)(uint32_t a, uint32_t b, uint32_t c, uint32_t d);
    uint8_t kinds[PRIVCALL_ARGUMENTS]; /* of enum privcall_kind */
} privcall_entry_t;

/* user/NAME_privuser.c defines both: the call with number n is privcall_table[n]. */
extern const privcall_entry_t privcall_table[];
extern const uint32_t privcall_count;

#endif
