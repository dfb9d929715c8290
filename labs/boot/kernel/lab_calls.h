/*
 * The system calls that this lab adds to those of system_call.h. The kernel and the programs both
 * include this file, so it is fixed: not handed in.
 */
#ifndef LAB_CALLS_H
#define LAB_CALLS_H

#include <stdint.h>

enum lab_call {
    LAB_CALL_SWITCHES = 32,     /* () -> how often run_next_process has been called so far */
    LAB_CALL_JOURNAL_ADD = 33,  /* (value) -> the new entry's number; the first has number 0 */
    LAB_CALL_JOURNAL_READ = 34, /* (number, struct journal_entry *) -> OK; E_NOT_FOUND; E_FAULT */
    LAB_CALL_UPTIME = 35,       /* (struct uptime *) -> OK; E_FAULT */
};

/* The journal keeps this many entries, the newest; older ones are forgotten. */
#define JOURNAL_ENTRIES 8

struct journal_entry {
    uint32_t value; /* what was written down */
    uint32_t tick;  /* and when */
};

struct uptime {
    uint32_t seconds; /* since the kernel's start */
    uint32_t ticks;   /* of the second that has begun, 0 .. TICKS_PER_SECOND - 1 */
};

#endif
