/*
 * Interrupts as C sees them: the frame that the routines of idt.asm leave on the kernel stack, and
 * the registration of handlers for devices.
 */
#ifndef INTERRUPT_H
#define INTERRUPT_H

#include "types.h"

/* The interrupted program's registers, lowest address first: what idt.asm pushed, then what the
 * processor pushed. The last two are there only if the interrupt came from ring 3. */
typedef struct {
    uint32_t gs, fs, es, ds;
    uint32_t edi, esi, ebp, esp_of_kernel, ebx, edx, ecx, eax;
    uint32_t vector;
    uint32_t error_code; /* 0 for vectors for which the processor pushes none */
    uint32_t eip, cs, eflags;
    uint32_t user_esp, user_ss;
} trap_frame_t;

#define VECTOR_DEVICES     32 /* where the PIC's 16 request lines begin */
#define VECTOR_SYSTEM_CALL 0x80

/* Whether the interrupt came from a program, not from the kernel. */
static inline bool from_user(const trap_frame_t *frame)
{
    // STAGE 2 {
    //: return (frame->cs & 3) == 3;
    return (frame->cs & 3) != 0;
    // STAGE 2 }
}

/* Called by idt.asm for every vector but the timer's, with interrupts off. */
void interrupt_handler(trap_frame_t *frame);

/* Called by isr_32 at every tick of the timer, with interrupts off. */
void timer_handler(trap_frame_t *frame);

/* Carries out the system call that the frame asks for; the result goes to the frame's EAX. */
void system_call_handler(trap_frame_t *frame);

/* Called for the numbers SYSTEM_CALL_LAB_FIRST to SYSTEM_CALL_LAB_LAST. Returns what the program
 * finds in EAX. The baseline's knows none of them; a lab that has calls defines its own. */
int lab_system_call(trap_frame_t *caller);

/* Has `handler` called, with interrupts off, whenever the device on this request line (0..15)
 * interrupts, and opens the line. The handler must not block. */
typedef void (*irq_handler_t)(void);
void irq_register(uint32_t irq, irq_handler_t handler);

#endif
