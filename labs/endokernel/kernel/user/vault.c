/*
 * The heartbeat service once more, with its flaw; its key is in the file `key`. The domain that
 * serves can neither open the file nor see the memory that the key is read to.
 */
#include "domain.h"
#include "handle.h"
#include "heartbeat.h"
#include "library.h"

enum { KEEPER = 1, KEEPER_SEAL = 0 };

static char record[HEARTBEAT_RECORD_SIZE] = "nothing received yet";

static uint8_t key[HEARTBEAT_KEY_SIZE] DOMAIN_DATA(1) = "no key was read";

static int read_key(void)
{
    const int handle = open_file("key");

    if (handle < 0) {
        return handle;
    }
    const int length = read_handle(handle, key, 0, sizeof key);
    close_handle(handle);
    return length < 0 ? length : length == sizeof key ? OK : E_FORMAT;
}

/* Whether a range that the caller names is not the keeper's own memory. The keeper could use that,
 * so it must not be talked into it. */
static bool is_ordinary(uint32_t start, uint32_t length)
{
    return start + length >= start &&
           (start + length <= DOMAIN_START || start >= DOMAIN_BASE(DOMAINS_MAX));
}

/* An entry of the keeper's: (bytes, length, where the seal is to go). What is there, everybody can
 * change at any time; it is only read, and sealed as it is. */
int entry_seal(uint32_t bytes, uint32_t length, uint32_t result);

int entry_seal(uint32_t bytes, uint32_t length, uint32_t result)
{
    uint32_t *mac = (uint32_t *)result;

    if (!is_ordinary(bytes, length) || !is_ordinary(result, sizeof *mac)) {
        return E_FAULT;
    }
    const int error = read_key();
    if (error == OK) {
        *mac = heartbeat_mac(key, (const uint8_t *)bytes, length);
    }
    return error;
}

static uint32_t seal(const void *bytes, uint32_t length)
{
    uint32_t mac = 0;
    const int error = domain_call(KEEPER, KEEPER_SEAL, (uint32_t)bytes, length, (uint32_t)&mac);

    if (error != OK) {
        print_format("vault: no seal: %s\n", error_name(error));
    }
    return mac;
}

int main(const char *argument)
{
    (void)argument;
    heartbeat_serve(record, seal);
    return 0;
}
