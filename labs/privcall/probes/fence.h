/*
 * The privcalls of the probe `fence`, by number, and what ring 2 tries there.
 */
#ifndef FENCE_H
#define FENCE_H

enum fence_number {
    FENCE_READ,   /* (segment, selector, address) -> the word there */
    FENCE_WRITE,  /* (segment, selector, address, value) -> 0 */
    FENCE_LIMIT,  /* (selector) -> 1 if ring 2 may read through it */
    FENCE_RUN,    /* (which, operand) one instruction out of order -> 0 if it was allowed */
    FENCE_FLAGS,  /* (flags) -> EFLAGS after a POPF that sets all the system flags it can */
    FENCE_SECRET, /* () -> the secret's address */
    FENCE_COUNT,
};

/* The segment register through which memory is touched; SS has other faults than the rest. */
enum fence_segment { FENCE_DS, FENCE_ES, FENCE_FS, FENCE_GS, FENCE_SS, FENCE_SEGMENTS };

/* What FENCE_RUN executes. */
#define FENCE_INSTRUCTIONS(X)                                                                      \
    X(cli, "cli")                                                                                  \
    X(sti, "sti")                                                                                  \
    X(hlt, "hlt")                                                                                  \
    X(in, "inb $0x60, %al")                                                                        \
    X(out, "outb %al, $0x80")                                                                      \
    X(outs, "mov $0x80, %edx; outsb")                                                              \
    X(read_cr0, "mov %cr0, %eax")                                                                  \
    X(write_cr0, "xor %eax, %eax; mov %eax, %cr0")                                                 \
    X(read_cr2, "mov %cr2, %eax")                                                                  \
    X(read_cr3, "mov %cr3, %eax")                                                                  \
    X(write_cr3, "xor %eax, %eax; mov %eax, %cr3")                                                 \
    X(read_cr4, "mov %cr4, %eax")                                                                  \
    X(write_cr4, "xor %eax, %eax; mov %eax, %cr4")                                                 \
    X(read_dr7, "mov %dr7, %eax")                                                                  \
    X(write_dr7, "xor %eax, %eax; mov %eax, %dr7")                                                 \
    X(lgdt, "lgdt (%esp)")                                                                         \
    X(lidt, "lidt (%esp)")                                                                         \
    X(lldt, "xor %eax, %eax; lldt %ax")                                                            \
    X(ltr, "mov $0x28, %eax; ltr %ax")                                                             \
    X(lmsw, "smsw %ax; lmsw %ax")                                                                  \
    X(clts, "clts")                                                                                \
    X(invd, "invd")                                                                                \
    X(wbinvd, "wbinvd")                                                                            \
    X(invlpg, "invlpg (%esp)")                                                                     \
    X(rdmsr, "mov $0x10, %ecx; rdmsr")                                                             \
    X(wrmsr, "mov $0x10, %ecx; xor %eax, %eax; xor %edx, %edx; wrmsr")                             \
    X(jump_ring_0, "ljmp $0x08, $0xC0100000")                                                      \
    X(call_ring_0, "lcall $0x08, $0xC0100000")                                                     \
    X(retf_ring_0, "pushl $0x08; pushl $0xC0100000; lret")                                         \
    X(iret_ring_0, "pushf; pushl $0x08; pushl $0xC0100000; iret")                                  \
    X(call_task, "lcall $0x28, $0")                                                                \
    X(int_timer, "int $32")                                                                        \
    X(int_fault, "int $14")                                                                        \
    X(load_kernel_ds, "mov $0x10, %eax; mov %eax, %ds")                                            \
    X(load_kernel_ss, "mov $0x10, %eax; mov %eax, %ss")                                            \
    X(load_user_ss, "mov $0x23, %eax; mov %eax, %ss")                                              \
    X(jump_user_code, "ljmp $0x1B, $0x10000000")

/* The same where the fence is a limit, so that only a processor that checks limits can tell. */
#define FENCE_BEYOND(X)                                                                            \
    X(run_kernel, "mov $0xC0100000, %eax; jmp *%eax")                                              \
    X(call_beyond, "lcall $0x0E, $0xC0100000")                                                     \
    X(push_beyond, "mov $0xC0001000, %esp; push %eax")                                             \
    X(call_on_beyond, "mov $0xFFFFFFF8, %esp; call 1f\n1: nop")

enum fence_instruction {
#define FENCE_NUMBER(name, text) FENCE_RUN_##name,
    FENCE_INSTRUCTIONS(FENCE_NUMBER) FENCE_BEYOND(FENCE_NUMBER) FENCE_RUNS,
#undef FENCE_NUMBER
    FENCE_ORDINARY = FENCE_RUN_run_kernel, /* what comes before depends on no limit */
};

#endif
