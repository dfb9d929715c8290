/*
 * The 8259A interrupt controllers. The BIOS leaves them sending vectors 8 to 15, which mean
 * exceptions in protected mode; so they are set up anew. Intel 8259A data sheet.
 */
#include "pic.h"

#include "interrupt.h"
#include "ports.h"

#define MASTER_COMMAND 0x20
#define MASTER_DATA    0x21
#define SLAVE_COMMAND  0xA0
#define SLAVE_DATA     0xA1

#define COMMAND_INITIALIZE       0x11 /* ICW1, with an ICW4 to come */
#define COMMAND_READ_IN_SERVICE  0x0B /* OCW3: the next read gives the in-service register */
#define COMMAND_END_OF_INTERRUPT 0x20
#define MODE_8086                0x01 /* ICW4 */

#define LINES_PER_PIC 8
#define LINE_SLAVE    2 /* where the second chip is connected to the first */
#define LINES         16

static irq_handler_t handlers[LINES];
static uint16_t enabled = 1u << LINE_SLAVE;

/* For a person with a debugger, and for tests. */
uint32_t spurious_interrupts;

void pic_init(void)
{
    outb(MASTER_COMMAND, COMMAND_INITIALIZE);
    outb(SLAVE_COMMAND, COMMAND_INITIALIZE);
    outb(MASTER_DATA, VECTOR_DEVICES);
    outb(SLAVE_DATA, VECTOR_DEVICES + LINES_PER_PIC);
    outb(MASTER_DATA, 1u << LINE_SLAVE); /* the master takes a set of lines, */
    outb(SLAVE_DATA, LINE_SLAVE);        /* the slave a number */
    outb(MASTER_DATA, MODE_8086);
    outb(SLAVE_DATA, MODE_8086);
    outb(MASTER_DATA, (uint8_t)~enabled);
    outb(SLAVE_DATA, (uint8_t)(~enabled >> LINES_PER_PIC));
}

void pic_enable(uint32_t irq)
{
    assert(irq < LINES);
    enabled |= 1u << irq;
    if (irq < LINES_PER_PIC) {
        outb(MASTER_DATA, (uint8_t)~enabled);
    } else {
        outb(SLAVE_DATA, (uint8_t)(~enabled >> LINES_PER_PIC));
    }
}

void pic_end_of_interrupt(uint32_t irq)
{
    if (irq >= LINES_PER_PIC) {
        outb(SLAVE_COMMAND, COMMAND_END_OF_INTERRUPT);
    }
    outb(MASTER_COMMAND, COMMAND_END_OF_INTERRUPT);
}

/* When a request vanishes before the processor has asked for its vector, a PIC answers with its
 * last line's. Then the line is not in service, and there is nothing to end. */
static bool is_in_service(uint16_t command_port)
{
    outb(command_port, COMMAND_READ_IN_SERVICE);
    return inb(command_port) & 1u << (LINES_PER_PIC - 1);
}

static bool is_spurious(uint32_t irq)
{
    if (irq == LINES_PER_PIC - 1) {
        return !is_in_service(MASTER_COMMAND);
    }
    if (irq == LINES - 1 && !is_in_service(SLAVE_COMMAND)) {
        /* The master cannot know: to it, the slave's line was in service. */
        pic_end_of_interrupt(LINE_SLAVE);
        return true;
    }
    return false;
}

void pic_interrupt(uint32_t irq)
{
    if (is_spurious(irq)) {
        spurious_interrupts++;
        return;
    }
    if (handlers[irq] != NULL) {
        handlers[irq]();
    }
    pic_end_of_interrupt(irq);
}

void irq_register(uint32_t irq, irq_handler_t handler)
{
    assert(irq < LINES);
    handlers[irq] = handler;
    pic_enable(irq);
}
