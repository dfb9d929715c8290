/*
 * Does what a program must not: writes into the kernel's memory. The processor refuses, the kernel
 * ends this process and says why, and everything else goes on.
 */
#include "library.h"

int main(const char *argument)
{
    (void)argument;
    print("crash: writing to address 0xC0000000, which is the kernel's\n");
    *(volatile uint32_t *)0xC0000000 = 539;
    print("crash: this line is never reached\n");
    return 0;
}
