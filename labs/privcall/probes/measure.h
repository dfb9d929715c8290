/*
 * The experiment's secret function: so little work that what is measured is the way to it. The same
 * line is compiled into the program, into its PrivUser, and runs in another process.
 */
#ifndef MEASURE_H
#define MEASURE_H

#include <stdint.h>

enum measure_call { MEASURE_NUMBER, MEASURE_TEXT };

#define MEASURE_TEXT_SIZE 64

static inline uint32_t measure_seal(uint32_t key, uint32_t value)
{
    return (value ^ key) * 16777619u;
}

#endif
