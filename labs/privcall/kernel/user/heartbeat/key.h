/*
 * The module that has the key.
 */
#ifndef KEY_H
#define KEY_H

#include <stdint.h>

/* The seal of a response (heartbeat.h). */
uint32_t seal(const void *bytes, uint32_t length);

#endif
