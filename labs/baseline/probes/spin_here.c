/*
 * Runs in ring 3 for ever, without a system call: the grader interrupts it where it likes.
 */
#include "library.h"

uint32_t spins;

int main(const char *argument)
{
    (void)argument;
    for (;;) {
        spins++;
        __asm__ volatile("" : : : "memory"); /* not optimised away */
    }
}
