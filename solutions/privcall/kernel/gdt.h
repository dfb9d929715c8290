/*
 * Selectors of the segments in gdt.asm, and its task-state segment.
 */
#ifndef GDT_H
#define GDT_H

#include <stdint.h>

/* The low two bits are the privilege level that is asked for. */
#define SELECTOR_KERNEL_CODE 0x08u
#define SELECTOR_KERNEL_DATA 0x10u
#define SELECTOR_USER_CODE   (0x18u | 3)
#define SELECTOR_USER_DATA   (0x20u | 3)
#define SELECTOR_TASK_STATE  0x28u
// STAGE 2 {

/* The LDT of the process that runs. */
#define SELECTOR_LDT 0x30u
// STAGE 2 }

typedef struct {
    uint32_t link;
    uint32_t esp0; /* the stack on which the processor enters the kernel from ring 3 */
    uint32_t ss0;
    // STAGE 2 {
    //: uint32_t other_rings_and_registers[22];
    uint32_t esp1; /* nothing runs in ring 1 */
    uint32_t ss1;
    uint32_t esp2; /* the stack on which the call gate enters ring 2 */
    uint32_t ss2;
    uint32_t registers[18];
    // STAGE 2 }
    uint16_t trap;
    uint16_t io_bitmap_offset;
} task_state_t;

_Static_assert(sizeof(task_state_t) == 104, "Intel SDM vol. 3, figure 8-2");

extern task_state_t task_state;

#endif
