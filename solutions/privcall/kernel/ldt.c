// STAGE 2 FILE
/*
 * The local descriptor table. It lies in the kernel's memory, where neither ring 2 nor ring 3 can
 * change it, and is the same for all processes with PrivUser, except for where the gate leads.
 */
#include "ldt.h"

#include "gdt.h"
#include "privuser.h"

#define ACCESS_CODE_DPL_2 0xDA /* present, DPL 2, code that may be read, not conforming */
#define ACCESS_DATA_DPL_2 0xD2 /* present, DPL 2, data that may be written, not expand-down */
#define ACCESS_GATE_DPL_3 0xEC /* present, DPL 3: ring 3 may call it, 32-bit call gate */
#define ACCESS_LDT        0x82 /* present, DPL 0, LDT */
#define FLAGS_32_BIT      0xC  /* 32-bit segment, limit counted in pages */

// STAGE 3 {
//: #define LAST_PAGE 0xFFFFFu /* 4 GB */
/* The limit is the fence. To paging ring 2 is the supervisor, like the kernel, so only this keeps
 * it below KBASE. */
#define LAST_PAGE (KBASE / PAGE_SIZE - 1)
// STAGE 3 }

extern segment_descriptor_t gdt_ldt; /* gdt.asm */

static segment_descriptor_t descriptor(uint32_t base, uint32_t limit, uint8_t access, uint8_t flags)
{
    return (segment_descriptor_t){
        .limit_low = (uint16_t)limit,
        .base_low = (uint16_t)base,
        .base_middle = (uint8_t)(base >> 16),
        .access = access,
        .flags_and_limit_high = (uint8_t)(flags << 4 | limit >> 16),
        .base_high = (uint8_t)(base >> 24),
    };
}

void ldt_create(ldt_t *ldt, virtual_address_t privcall_entry)
{
    *ldt = (ldt_t){
        .code = descriptor(0, LAST_PAGE, ACCESS_CODE_DPL_2, FLAGS_32_BIT),
        .data = descriptor(0, LAST_PAGE, ACCESS_DATA_DPL_2, FLAGS_32_BIT),
        /* No parameters: the processor would copy them from wherever ring 3's ESP points to, and
         * may do so with ring 2's rights. They come in registers (entry.asm). */
        .privcall =
            {
                .offset_low = (uint16_t)privcall_entry,
                .selector = PRIVUSER_CODE_SELECTOR,
                .parameters = 0,
                .access = ACCESS_GATE_DPL_3,
                .offset_high = (uint16_t)(privcall_entry >> 16),
            },
    };
}

void ldt_load(const ldt_t *ldt)
{
    uint16_t selector = 0;

    /* The kernel uses neither FS nor GS, but its interrupt routines put them away and load them
     * again: a selector of the table that goes would fault there, in the idle process. */
    __asm__ volatile("mov %0, %%fs\n mov %0, %%gs" : : "r"(SELECTOR_USER_DATA));
    gdt_ldt = (segment_descriptor_t){0};
    if (ldt != NULL) {
        gdt_ldt = descriptor((virtual_address_t)ldt, sizeof *ldt - 1, ACCESS_LDT, 0);
        selector = SELECTOR_LDT;
    }
    /* The processor reads the descriptor now, and never looks at it again. */
    __asm__ volatile("lldt %0" : : "r"(selector) : "memory");
}
