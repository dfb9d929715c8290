/*
 * The privcalls of the probe `flags`, by number.
 */
#ifndef FLAGS_H
#define FLAGS_H

enum flags_number {
    FLAGS_COPY, /* (IN from, length, OUT to, length) by a string instruction */
    FLAGS_NOW,  /* () -> EFLAGS as the function finds them */
    FLAGS_COUNT,
};

#endif
