/*
 * The scheduler server.
 */
#include "ipc.h"
#include "library.h"

int main(const char *argument)
{
    (void)argument;
    return 0;
}
