/*
 * Never ends and never calls the kernel. Only the timer can take the processor from it: start it
 * with `spin &`, see that the shell still answers, and end it with `kill`.
 */
#include "library.h"

int main(const char *argument)
{
    (void)argument;
    while (true) {
    }
}
