/*
 * Exceptions. A program that divides by zero or touches what it must not is ended, and one line
 * says why; nobody else notices. The same in the kernel means that the kernel is wrong: a panic.
 */
#include "exception.h"

#include "console.h"
#include "panic.h"
#include "process.h"

/* Intel SDM vol. 3, table 6-1. */
static const char *const names[VECTOR_DEVICES] = {
    [0] = "divide error",
    [1] = "debug",
    [2] = "non-maskable interrupt",
    [3] = "breakpoint",
    [4] = "overflow",
    [5] = "bound range exceeded",
    [6] = "invalid opcode",
    [7] = "device not available",
    [8] = "double fault",
    [9] = "coprocessor segment overrun",
    [10] = "invalid TSS",
    [11] = "segment not present",
    [12] = "stack-segment fault",
    [13] = "general protection",
    [14] = "page fault",
    [16] = "floating-point error",
    [17] = "alignment check",
    [18] = "machine check",
    [19] = "SIMD floating-point error",
};

static const char *name_of(uint32_t vector)
{
    return names[vector] == NULL ? "reserved" : names[vector];
}

/* The address whose translation last failed: what a page fault was about. */
static uint32_t read_cr2(void)
{
    uint32_t address;

    __asm__ volatile("mov %%cr2, %0" : "=r"(address));
    return address;
}

// STAGE 2 {
static bool from_privuser(const trap_frame_t *frame)
{
    return (frame->cs & 3) == 2;
}

/* Addresses, registers and the error code may be what PrivUser is there to hide. CR2 would show in
 * the line of whoever faults next, so the last address does not stay there either. */
static void print_privuser_exception(const trap_frame_t *frame)
{
    print_format("vector %u (%s) in PrivUser\n", frame->vector, name_of(frame->vector));
    __asm__ volatile("mov %0, %%cr2" : : "r"(0));
}

// STAGE 2 }
static void print_exception(const trap_frame_t *frame)
{
    print_format("vector %u (%s) error_code 0x%x eip 0x%08x cr2 0x%08x\n", frame->vector,
                 name_of(frame->vector), frame->error_code, frame->eip, read_cr2());
}

void exception_handler(const trap_frame_t *frame)
{
    if (!from_user(frame)) {
        print_format("PANIC: ");
        print_exception(frame);
        panic_halt();
    }
    print_format("fault: process %u (%s) ", current_process->pid, current_process->name);
    // STAGE 2 {
    //: // TASK 2: what of this may everybody see, when it was PrivUser's code that faulted?
    //: print_exception(frame);
    if (from_privuser(frame)) {
        print_privuser_exception(frame);
    } else {
        print_exception(frame);
    }
    // STAGE 2 }
    process_abort(EXIT_FAULT(frame->vector));
}
