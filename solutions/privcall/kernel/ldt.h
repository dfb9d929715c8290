// STAGE 2 FILE
/*
 * The local descriptor table (LDT) of a process with PrivUser: the segments of ring 2, and the one
 * gate that leads there.
 */
#ifndef LDT_H
#define LDT_H

#include "types.h"

/* Intel SDM vol. 3, figures 3-8 and 5-8. */
typedef struct {
    uint16_t limit_low;
    uint16_t base_low;
    uint8_t base_middle;
    uint8_t access;
    uint8_t flags_and_limit_high;
    uint8_t base_high;
} segment_descriptor_t;

typedef struct {
    uint16_t offset_low;
    uint16_t selector;
    uint8_t parameters;
    uint8_t access;
    uint16_t offset_high;
} call_gate_t;

/* In the order that the selectors of privuser.h say. */
typedef struct {
    segment_descriptor_t null;
    segment_descriptor_t code;
    segment_descriptor_t data;
    call_gate_t privcall;
} ldt_t;

_Static_assert(sizeof(ldt_t) == 32, "four descriptors of eight bytes");

/* Fills in a process's LDT; its gate leads to `privcall_entry`. */
void ldt_create(ldt_t *ldt, virtual_address_t privcall_entry);

/* Makes an LDT the present one. With NULL there is none, and every selector of it faults. */
void ldt_load(const ldt_t *ldt);

#endif
