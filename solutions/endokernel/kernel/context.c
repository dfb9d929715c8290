/*
 * The mechanism of switching between processes. Each process has a kernel stack of its own, on
 * which the kernel works for it: from its top down the trap frame, the calls of C functions, and at
 * the place where the process lost the processor the registers that switch_stacks kept.
 */
#include "context.h"

// STAGE 3 {
#include "domain_view.h"
// STAGE 3 }
#include "error.h"
#include "gdt.h"
#include "heap.h"
#include "paging.h"

#define STACK_CANARY     0x539539u /* at the lowest address of each kernel stack */
#define EFLAGS_ALWAYS_1  0x002u
#define EFLAGS_INTERRUPT 0x200u

/* What switch_stacks pops, lowest address first. */
typedef struct {
    uint32_t edi, esi, ebx, ebp;
    uint32_t return_address;
} switch_frame_t;

void switch_stacks(uint32_t **old_esp, uint32_t *new_esp); /* context.asm */
extern uint8_t trap_return[];                              /* idt.asm */
extern uint8_t boot_stack[];                               /* starter.asm */

static uint8_t *stack_top(const process_context_t *context)
{
    return context->kernel_stack + KERNEL_STACK_SIZE;
}

/* A stack that grew too long has overwritten its last word, and perhaps the heap below it. */
static uint32_t *canary(const process_context_t *context)
{
    return (uint32_t *)context->kernel_stack;
}

int context_create(process_context_t *context, physical_address_t page_directory,
                   virtual_address_t entry, virtual_address_t user_esp)
{
    context->page_directory = page_directory;
    context->kernel_stack = kalloc(KERNEL_STACK_SIZE);
    if (context->kernel_stack == NULL) {
        return E_MEMORY;
    }
    *canary(context) = STACK_CANARY;

    /* The stack looks as if the program had been interrupted just before its first instruction. */
    trap_frame_t *trap_frame = (trap_frame_t *)stack_top(context) - 1;
    *trap_frame = (trap_frame_t){
        .gs = SELECTOR_USER_DATA,
        .fs = SELECTOR_USER_DATA,
        .es = SELECTOR_USER_DATA,
        .ds = SELECTOR_USER_DATA,
        .eip = entry,
        .cs = SELECTOR_USER_CODE,
        .eflags = EFLAGS_ALWAYS_1 | EFLAGS_INTERRUPT,
        .user_esp = user_esp,
        .user_ss = SELECTOR_USER_DATA,
    };
    switch_frame_t *switch_frame = (switch_frame_t *)trap_frame - 1;
    *switch_frame = (switch_frame_t){.return_address = (uint32_t)trap_return};
    context->kernel_esp = (uint32_t *)switch_frame;
    return OK;
}

void context_adopt(process_context_t *context)
{
    context->page_directory = address_space_current();
    context->kernel_stack = boot_stack;
    *canary(context) = STACK_CANARY;
}

/* The processor enters the kernel from outside at the stack's top, so the frame is always there. */
const trap_frame_t *context_trap_frame(const process_context_t *context)
{
    return (const trap_frame_t *)stack_top(context) - 1;
}

void context_destroy(process_context_t *context)
{
    kfree(context->kernel_stack);
}

// STAGE 3 {
void context_enter_domain(process_context_t *context, uint32_t domain)
{
    context->domain = domain;
    domain_view_show(context->page_directory, domain);
    address_space_switch(context->page_directory);
}

// STAGE 3 }
void run_next_process(process_context_t *from, const process_context_t *to)
{
    assert(*canary(from) == STACK_CANARY);
    task_state.esp0 = (uint32_t)stack_top(to);
    task_state.esp2 = to->privuser_stack;
    ldt_load(to->ldt);
    // STAGE 3 {
    if (to->ldt != NULL) {
        domain_view_show(to->page_directory, to->domain);
    }
    // STAGE 3 }
    address_space_switch(to->page_directory);
    switch_stacks(&from->kernel_esp, to->kernel_esp);
}
