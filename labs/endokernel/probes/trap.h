/*
 * One system call with all registers known before and after. It is made by an `int 0x80` of the
 * probe's own, at the label trap_instruction, where a test can stop; the library is not asked.
 */
#ifndef TRAP_H
#define TRAP_H

#include <stdint.h>

#define FLAG_TF 0x00000100u /* trap after the next instruction */
#define FLAG_DF 0x00000400u /* string instructions go downwards */
#define FLAG_NT 0x00004000u /* nested task: an IRET with it set goes wrong */
#define FLAG_AC 0x00040000u /* alignment check */

/* `trap` loads them all, traps, and stores them all. */
struct trap_registers {
    uint32_t eax, ebx, ecx, edx, esi, edi, ebp, flags;
    uint32_t esp_before, esp_after;
    uint32_t segments_before, segments_after; /* DS, ES, FS, GS, summed up with weights */
};
struct trap_registers trap_registers;
void trap(void);

/* With TF set, the trap comes after the instruction behind POPF: after the system call. What is
 * behind the call uses DS and ES at once: null selectors would fault. */
__asm__(".text\n"
        "segments_sum:\n" /* ECX = a number that tells the four selectors */
        "    mov %ds, %ecx\n"
        "    mov %es, %eax\n"
        "    imul $257, %ecx\n"
        "    add %eax, %ecx\n"
        "    mov %fs, %eax\n"
        "    imul $257, %ecx\n"
        "    add %eax, %ecx\n"
        "    mov %gs, %eax\n"
        "    imul $257, %ecx\n"
        "    add %eax, %ecx\n"
        "    ret\n"
        ".global trap, trap_instruction, trap_returned\n"
        "trap:\n"
        "    pusha\n"
        "    pushf\n"
        "    call segments_sum\n"
        "    mov %ecx, trap_registers+40\n"
        "    mov %esp, trap_registers+32\n"
        "    mov trap_registers+0, %eax\n"
        "    mov trap_registers+4, %ebx\n"
        "    mov trap_registers+8, %ecx\n"
        "    mov trap_registers+12, %edx\n"
        "    mov trap_registers+16, %esi\n"
        "    mov trap_registers+20, %edi\n"
        "    mov trap_registers+24, %ebp\n"
        "    pushl trap_registers+28\n"
        "    popf\n"
        "trap_instruction:\n"
        "    int $0x80\n"
        "trap_returned:\n"
        "    mov %eax, %ds:trap_registers+0\n"
        "    mov %ebx, %es:trap_registers+4\n"
        "    mov %ecx, trap_registers+8\n"
        "    mov %edx, trap_registers+12\n"
        "    mov %esi, trap_registers+16\n"
        "    mov %edi, trap_registers+20\n"
        "    mov %ebp, trap_registers+24\n"
        "    pushf\n"
        "    popl trap_registers+28\n"
        "    mov %esp, trap_registers+36\n"
        "    cld\n"
        "    call segments_sum\n"
        "    mov %ecx, trap_registers+44\n"
        "    popf\n"
        "    popa\n"
        "    ret\n");

/* One bit for each register that came back with another value, over all calls: EBX 0 ... EBP 5,
 * ESP 6, segment registers 7. And the flags of `trap_flags` that did. */
static uint32_t trap_changed, trap_flags, trap_flags_changed;

/* A system call with a pattern in the registers that are no arguments. Returns EAX. */
static inline int trap_call(uint32_t number, uint32_t ebx, uint32_t ecx, uint32_t edx)
{
    static uint32_t count;
    uint32_t pattern = 0x5a5a0000u + 16 * count++;
    const struct trap_registers before = {
        number, ebx, ecx, edx, pattern + 1, pattern + 2, pattern + 3, 0x202 | trap_flags,
        0,      0,   0,   0,
    };
    trap_registers = before;
    trap();
    struct trap_registers after = trap_registers;
    trap_changed |= (after.ebx != before.ebx) << 0 | (after.ecx != before.ecx) << 1 |
                    (after.edx != before.edx) << 2 | (after.esi != before.esi) << 3 |
                    (after.edi != before.edi) << 4 | (after.ebp != before.ebp) << 5 |
                    (after.esp_after != after.esp_before) << 6 |
                    (after.segments_after != after.segments_before) << 7;
    trap_flags_changed |= (after.flags ^ trap_flags) & (FLAG_DF | FLAG_NT | FLAG_AC);
    return (int)after.eax;
}

#endif
