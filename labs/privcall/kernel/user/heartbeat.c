/*
 * The heartbeat service with its key in the program's own memory, like everything else that it has.
 */
#include "heartbeat.h"

#include "heartbeat/key.h"
#include "library.h"

static char record[HEARTBEAT_RECORD_SIZE] = "nothing received yet";

int main(const char *argument)
{
    (void)argument;
    heartbeat_serve(record, seal);
    return 0;
}
