/*
 * The heartbeat service with its key in PrivUser (secure_heartbeat_privuser.c). The flaw is still
 * there; what it can reach is not the key.
 */
#include "heartbeat.h"
#include "library.h"
#include "privcall.h"

static char record[HEARTBEAT_RECORD_SIZE] = "nothing received yet";

static uint32_t seal(const void *bytes, uint32_t length)
{
    uint32_t mac = 0;
    const int error = privcall(0, (uint32_t)bytes, length, (uint32_t)&mac, sizeof mac);

    if (error != OK) {
        print_format("secure_heartbeat: no seal: %s\n", error_name(error));
    }
    return mac;
}

int main(const char *argument)
{
    (void)argument;
    heartbeat_serve(record, seal);
    return 0;
}
