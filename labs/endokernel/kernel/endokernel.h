/*
 * What the kernel, the monitor and the programs of this lab agree on: domains and where their
 * memory lies, the policy that a program's NAME_privuser.c states, and the system calls for open
 * files.
 */
#ifndef ENDOKERNEL_H
#define ENDOKERNEL_H

#include <stdint.h>

/* Domains. Domain 0 is where a program starts; its memory is the ordinary memory, which all domains
 * share. Each other domain has a region of its own besides: DOMAIN_SIZE bytes from DOMAIN_BASE on,
 * which is one page table. */
#define DOMAINS_MAX    8
#define DOMAIN_START   0x80000000u
#define DOMAIN_SIZE    0x00400000u
#define DOMAIN_BASE(d) (DOMAIN_START + (d)*DOMAIN_SIZE)

#define DOMAIN_THREADS 4 /* calls into one domain at the same time, at least */
#define CALL_DEPTH_MAX 8 /* calls nested in one another, in one thread */

/* The numbers that are neither the kernel's nor the file layer's: these are between a program and
 * its monitor (such as the call of another domain), and the kernel never performs them ... */
#define MONITOR_CALL_FIRST 47
#define MONITOR_CALL_LAST  49
/* ... and these between the monitor and the kernel: from ring 3 they do nothing. */
#define KERNEL_CALL_FIRST 50
#define KERNEL_CALL_LAST  63

/* The policy. What it does not allow is forbidden. */
typedef int (*domain_entry_t)(uint32_t a, uint32_t b, uint32_t c);

typedef struct {
    const char *name;
    uint32_t calls[2]; /* bit n % 32 of word n / 32: may use system call n */
    uint32_t entry_count;
    const domain_entry_t *entries; /* what other domains may call in it */
} domain_t;

#define CALL_BIT(number) (1u << ((number) % 32))

#define RIGHT_READ   1u
#define RIGHT_CREATE 2u
#define RIGHT_DELETE 4u

typedef struct {
    uint32_t domain;
    const char *file; /* its own name */
    uint32_t rights;
} file_rule_t;

extern const domain_t domains[];
extern const uint32_t domain_count;
extern const file_rule_t file_rules[];
extern const uint32_t file_rule_count;

/* System calls for open files (arguments as in system_call.h). They are there for every process. */
#define HANDLES_MAX 16

enum handle_call {
    SYSTEM_CALL_OPEN_FILE = 40,        /* (name) -> handle, 0 .. HANDLES_MAX - 1 */
    SYSTEM_CALL_READ_HANDLE = 41,      /* (handle, buffer, offset, length) -> bytes read */
    SYSTEM_CALL_CLOSE_HANDLE = 42,     /* (handle) */
    SYSTEM_CALL_DUPLICATE_HANDLE = 43, /* (handle) -> another handle of the same file */
    SYSTEM_CALL_HANDLE_NAME = 44,      /* (handle, buffer, size) -> length of the file's own name */
    SYSTEM_CALL_DELETE_HANDLE = 45,    /* (handle) deletes the file */
    SYSTEM_CALL_LINK_FILE = 46,        /* (name, alias) */
};

#endif
