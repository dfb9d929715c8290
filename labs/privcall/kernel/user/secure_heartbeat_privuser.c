/*
 * The PrivUser of secure_heartbeat: the key, and the one function that uses it. Nothing that it
 * returns is the key, or more of it than a seal says.
 */
#include "error.h"
#include "heartbeat.h"
#include "privuser.h"
#include "string.h"

uint8_t key[HEARTBEAT_KEY_SIZE] = "KEEP THIS SECRET";

/* (bytes, length, result, size of the result): the seal of the bytes. */
static int seal(uint32_t bytes, uint32_t length, uint32_t result, uint32_t size)
{
    const uint32_t mac = heartbeat_mac(key, (const uint8_t *)bytes, length);

    if (size != sizeof mac) {
        return E_INVALID;
    }
    memcpy((void *)result, &mac, sizeof mac);
    return OK;
}

const privcall_entry_t privcall_table[] = {
    {seal, {PRIVCALL_IN, PRIVCALL_VALUE, PRIVCALL_OUT, PRIVCALL_VALUE}},
};
const uint32_t privcall_count = sizeof privcall_table / sizeof privcall_table[0];
