/*
 * Switching off. A PC does that through ACPI, a system larger than this kernel. QEMU can be given a
 * device (isa-debug-exit) that ends it when a number is written to a port; on any other machine
 * nobody listens at that port, and halting for ever is the next best thing.
 */
#include "shutdown.h"

#include "ports.h"

#define DEBUG_EXIT_PORT 0xF4

void shutdown(int status)
{
    outl(DEBUG_EXIT_PORT, (uint32_t)status);
    for (;;) {
        __asm__ volatile("cli; hlt");
    }
}
