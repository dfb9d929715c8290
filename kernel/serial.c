/*
 * The 16550 UART behind COM1. Sending waits for the device, since the console must not lose its
 * last words before a panic; receiving is by interrupt. Register names are those of the PC16550D
 * data sheet (National Semiconductor), section 8.
 */
#include "serial.h"

#include <stddef.h>
#include <stdint.h>

#include "interrupt.h"
#include "ports.h"

enum {
    COM1 = 0x3F8,
    COM1_IRQ = 4,
};

/* Offsets of the registers; the first two are the divisor while DIVISOR_LATCH_ACCESS is set. */
enum {
    DATA = 0,
    DIVISOR_LOW = 0,
    INTERRUPT_ENABLE = 1,
    DIVISOR_HIGH = 1,
    FIFO_CONTROL = 2,
    LINE_CONTROL = 3,
    MODEM_CONTROL = 4,
    LINE_STATUS = 5,
};

enum {
    RECEIVED_DATA_AVAILABLE = 1 << 0, /* interrupt enable */
    FIFO_ENABLE = 1 << 0,             /* FIFO control */
    FIFO_CLEAR = 3 << 1,
    EIGHT_BITS = 3, /* line control */
    DIVISOR_LATCH_ACCESS = 1 << 7,
    DATA_TERMINAL_READY = 1 << 0, /* modem control */
    REQUEST_TO_SEND = 1 << 1,
    OUT2 = 1 << 3,
    DATA_READY = 1 << 0, /* line status */
    TRANSMITTER_EMPTY = 1 << 5,
};

static void (*deliver)(char byte);

void serial_init(void)
{
    outb(COM1 + INTERRUPT_ENABLE, 0);
    /* 115,200 baud is the UART's clock divided by one. Until the line control register is set, a
     * real UART sends characters of 5 bits at a random speed. */
    outb(COM1 + LINE_CONTROL, DIVISOR_LATCH_ACCESS);
    outb(COM1 + DIVISOR_LOW, 1);
    outb(COM1 + DIVISOR_HIGH, 0);
    outb(COM1 + LINE_CONTROL, EIGHT_BITS);
    outb(COM1 + FIFO_CONTROL, FIFO_ENABLE | FIFO_CLEAR);
    /* OUT2 has no wire of its own on a PC: it connects the UART to the interrupt controller. */
    outb(COM1 + MODEM_CONTROL, DATA_TERMINAL_READY | REQUEST_TO_SEND | OUT2);
}

void serial_write(char byte)
{
    /* This needs no time-out: a UART sends whether somebody listens or not, and where there is none
     * the bus reads as all ones, which looks ready. */
    while ((inb(COM1 + LINE_STATUS) & TRANSMITTER_EMPTY) == 0) {
        __asm__ volatile("pause");
    }
    outb(COM1 + DATA, (uint8_t)byte);
}

static void receive_all(void)
{
    /* All of it, not one byte: the PIC sees only the rising edge of the interrupt line, and the
     * line stays up, without a new edge, while anything is left. */
    while ((inb(COM1 + LINE_STATUS) & DATA_READY) != 0) {
        deliver((char)inb(COM1 + DATA));
    }
}

void serial_listen(void (*receiver)(char byte))
{
    if (inb(COM1 + LINE_STATUS) == 0xFF) {
        return; /* all ones: no UART there */
    }
    deliver = receiver;
    irq_register(COM1_IRQ, receive_all);
    outb(COM1 + INTERRUPT_ENABLE, RECEIVED_DATA_AVAILABLE);
    receive_all();
}
