/*
 * The programmable interrupt controllers (PIC): two chips with eight request lines each, the second
 * one connected to the first one's line 2.
 */
#ifndef PIC_H
#define PIC_H

#include <stdbool.h>
#include <stdint.h>

/* Has lines 0..15 arrive as vectors 32..47, and masks all of them. */
void pic_init(void);

/* Lets interrupts from this line through. */
void pic_enable(uint32_t irq);

/* Tells the controllers that the interrupt was taken, so that the next one may come. */
void pic_end_of_interrupt(uint32_t irq);

/* Called for a vector of the PIC: has the device's handler run, and ends the interrupt. Spurious
 * interrupts, which no device asked for, are counted and otherwise ignored. */
void pic_interrupt(uint32_t irq);

#endif
