/*
 * The privcalls of the probe `pointers`, by number.
 */
#ifndef POINTERS_H
#define POINTERS_H

enum pointers_number {
    POINTERS_SUM,    /* (IN from, length) -> the sum of its bytes */
    POINTERS_SECOND, /* (ignored, IN from, length, ignored) the same */
    POINTERS_THIRD,  /* (ignored, ignored, IN from, length) the same */
    POINTERS_FOURTH, /* (ignored, ignored, ignored, IN from) is not to be called: no length */
    POINTERS_FILL,   /* (OUT to, length, byte, how) -> how many bytes were not zero before */
    POINTERS_COPY,   /* (IN from, length, OUT to, length) every byte + 1 */
    POINTERS_TWICE,  /* (IN from, length) -> how many words differ when they are read again */
    POINTERS_WHERE,  /* (IN from, length) -> the address that the function is given */
    POINTERS_RUNS,   /* () -> how often those before TWICE have run */
    POINTERS_COUNT,
};

enum fill {
    FILL_ALL,
    FILL_HALF, /* the other half must come out zero */
    FILL_FAIL, /* fills all and returns -1: nothing may come out */
};

#endif
