/*
 * The privcalls of the probe `threads`, by number.
 */
#ifndef THREADS_H
#define THREADS_H

enum threads_number {
    THREADS_MEET,   /* (IN from, length, OUT to, length) with others -> words that were disturbed */
    THREADS_INVITE, /* (count) that many come to the next meeting */
    THREADS_DOUBLE, /* (a) -> 2 a */
    THREADS_DWELL,  /* () returns when it is let go */
    THREADS_DWELLS, /* () -> how many came to THREADS_DWELL so far */
    THREADS_LET_GO, /* () */
    THREADS_BLOW_UP, /* () an invalid opcode in ring 2 */
    THREADS_INSIDE,  /* () the grader stops in it */
    THREADS_COUNT,
};

#endif
