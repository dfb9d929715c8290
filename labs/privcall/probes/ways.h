/*
 * The privcalls of the probe `ways`, by number.
 */
#ifndef WAYS_H
#define WAYS_H

enum ways_number {
    WAYS_DOUBLE,     /* (a) -> 2 a: the legal way works */
    WAYS_TRESPASSED, /* () -> how often somebody came to the forbidden function */
    WAYS_COUNT,
};

#endif
