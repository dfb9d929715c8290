/*
 * The 8254 interval timer. Its channel 0 counts a fixed clock down to zero, interrupts, and starts
 * again. What it was programmed to by the BIOS, some 18 times a second, is too slow for taking
 * turns.
 */
#include "pit.h"

#include "pic.h"
#include "ports.h"
#include "system_call.h"

#define CHANNEL_0      0x40
#define COMMAND        0x43
#define RATE_GENERATOR 0x34 /* channel 0, low byte then high byte, mode 2 */
#define CLOCK_HZ       1193182

uint32_t ticks;

void pit_init(void)
{
    const uint16_t divisor = (CLOCK_HZ + TICKS_PER_SECOND / 2) / TICKS_PER_SECOND;

    outb(COMMAND, RATE_GENERATOR);
    outb(CHANNEL_0, divisor & 0xFF);
    outb(CHANNEL_0, divisor >> 8);
    pic_enable(PIT_IRQ);
}
