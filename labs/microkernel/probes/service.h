/*
 * The experiment's service: so little work that what is measured is the way to it. The same lines
 * are compiled into the client, into a server, and into a monolithic kernel.
 */
#ifndef SERVICE_H
#define SERVICE_H

#include <stdint.h>

#define SERVICE_CALL      63 /* the monolithic kernel's system call: (words, count) */
#define SERVICE_WORDS_MAX 14

static inline void serve_words(uint32_t *words, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        words[i] = ~words[i];
}

#endif
