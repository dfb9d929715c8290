/*
 * File contents that the tests can work out too: a byte for each place, different in every run.
 */
#ifndef FILE_PATTERN_H
#define FILE_PATTERN_H

#include "library.h"
#include "probe.h"

/* The byte at `offset` of the content drawn for `nonce`; the same as in tests/file_pattern.py. */
static inline uint8_t pattern_byte(uint32_t nonce, uint32_t offset)
{
    return (uint8_t)(nonce + offset * 31 + (offset >> 8));
}

static inline void fill_pattern(uint8_t *buffer, uint32_t length, uint32_t nonce)
{
    for (uint32_t i = 0; i < length; i++) {
        buffer[i] = pattern_byte(nonce, i);
    }
}

#endif
