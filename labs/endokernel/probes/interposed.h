/*
 * What the probes `interposed` and `borders` and their PrivUser part agree on: the functions of the
 * privcall table.
 */
#ifndef INTERPOSED_H
#define INTERPOSED_H

#define INTERPOSED_THREADS        50
#define INTERPOSED_TREASURE_BYTES 32

enum {
    INTERPOSED_SUM,     /* the sum of the four arguments */
    INTERPOSED_GETPID,  /* the process id, asked of the kernel from ring 2 */
    INTERPOSED_ENDLESS, /* does not return */
    INTERPOSED_WHERE,   /* where the treasure lies, as an offset into PrivUser */
};

#endif
