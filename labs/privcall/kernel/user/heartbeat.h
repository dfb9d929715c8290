/*
 * The heartbeat service, a toy with a well-known flaw. A client sends a short text and says how
 * long it is; the service sends the same text back, sealed with a key that only the service knows.
 */
#ifndef HEARTBEAT_H
#define HEARTBEAT_H

#include <stdint.h>

#define HEARTBEAT_RECORD_SIZE 64
#define HEARTBEAT_CLAIM_MAX   255
#define HEARTBEAT_KEY_SIZE    16

/* Computes the seal of a response; how, and where the key is, differs between the two programs. */
typedef uint32_t (*heartbeat_seal_t)(const void *bytes, uint32_t length);

/* Serves lines `<claimed length> <text>` from the console, until an empty one comes: prints
 * `response <the bytes in hexadecimal> mac <the seal in 8 hexadecimal digits>`. The text is put
 * into `record`, of HEARTBEAT_RECORD_SIZE bytes. */
void heartbeat_serve(char *record, heartbeat_seal_t seal);

/* The seal: a checksum (FNV-1a) of the key and the bytes. It stands for a real code such as HMAC,
 * and is much too weak to be one. */
static inline uint32_t heartbeat_mac(const uint8_t *key, const uint8_t *bytes, uint32_t length)
{
    uint32_t hash = 2166136261u;

    for (uint32_t i = 0; i < HEARTBEAT_KEY_SIZE; i++) {
        hash = (hash ^ key[i]) * 16777619u;
    }
    for (uint32_t i = 0; i < length; i++) {
        hash = (hash ^ bytes[i]) * 16777619u;
    }
    return hash;
}

#endif
