/*
 * What a privcall leaves behind. The grader stops right after each and looks into every register
 * and below the stack pointer.
 */
#include "residue.h"

#include "privcall.h"
#include "privuser.h"
#include "roles.h"

/* privcall(number, a, b, c, d), and the grader stops at residue_after, before anything else has
 * happened. Unused words of the stack below are cleared before, so that what lies there is new. */
int call_and_stop(uint32_t number, uint32_t a, uint32_t b, uint32_t c, uint32_t d);
extern const uint8_t residue_after[];
__asm__(".text\n"
        "call_and_stop:\n"
        "    push %ebp\n"
        "    mov %esp, %ebp\n"
        "    push %edi\n"
        "    lea -512(%esp), %edi\n"
        "    mov $128, %ecx\n"
        "    xor %eax, %eax\n"
        "    rep stosl\n"
        "    pushl 24(%ebp)\n"
        "    pushl 20(%ebp)\n"
        "    pushl 16(%ebp)\n"
        "    pushl 12(%ebp)\n"
        "    pushl 8(%ebp)\n"
        "    call privcall\n"
        ".globl residue_after\n"
        "residue_after:\n"
        "    add $20, %esp\n"
        "    pop %edi\n"
        "    pop %ebp\n"
        "    ret\n");

/* Through the gate without the stub, with -1 wherever one may look for arguments. The registers as
 * they come out, EDI first, as PUSHA leaves them. */
uint32_t residue_registers[8];
uint32_t residue_stack;
void call_the_gate(void);
__asm__(".text\n"
        "call_the_gate:\n"
        "    pusha\n"
        "    mov %esp, residue_stack\n"
        "    mov $64, %ecx\n"
        "1:  pushl $-1\n"
        "    loop 1b\n"
        "    mov $-1, %eax\n"
        "    mov %eax, %ebx\n"
        "    mov %eax, %ecx\n"
        "    mov %eax, %edx\n"
        "    mov %eax, %esi\n"
        "    mov %eax, %edi\n"
        "    mov %eax, %ebp\n"
        "    lcall $0x1F, $0\n"
        "    pusha\n"
        "    mov %ss, %eax\n" /* the way out has made these null */
        "    mov %eax, %ds\n"
        "    mov %eax, %es\n"
        "    mov %esp, %esi\n"
        "    mov $residue_registers, %edi\n"
        "    mov $8, %ecx\n"
        "    rep movsl\n"
        "    mov residue_stack, %esp\n"
        "    popa\n"
        "    ret\n");

/* The same with all registers as given, in PUSHA's order; ESP has its place among them. */
uint32_t residue_given[8];
void call_with_registers(void);
__asm__(".text\n"
        "call_with_registers:\n"
        "    pusha\n"
        "    mov %esp, residue_stack\n"
        "    mov $residue_given, %esp\n"
        "    popa\n"
        "    mov residue_given+12, %esp\n"
        "    lcall $0x1F, $0\n"
        "    mov %ss, %eax\n"
        "    mov %eax, %ds\n"
        "    mov %eax, %es\n"
        "    mov residue_stack, %esp\n"
        "    popa\n"
        "    ret\n");

/* a: an address in PrivUser, for ESP and all other registers but number b, which may be where a
 * stub gives the number. ROLE_DONE, and one more if a word of PrivUser became an argument. */
static int borrow(void)
{
    for (uint32_t i = 0; i < 8; i++) {
        residue_given[i] = i == role.b ? RESIDUE_TRAP : role.a;
    }
    call_with_registers();
    return ROLE_DONE + privcall(RESIDUE_TRAPPED, 0, 0, 0, 0);
}

static int borrowed(void)
{
    static const char *const keys[] = {"EDI", "ESI", "EBP", "none", "EBX", "EDX", "ECX", "EAX"};

    for (uint32_t i = 0; i < 8; i++) {
        role_try(keys[i], "borrow", role.a, i == 3 ? 8 : i, 0);
    }
    probe_report("before", (uint32_t)privcall(RESIDUE_TRAPPED, 0, 0, 0, 0));
    probe_report("legal", (uint32_t)privcall(RESIDUE_TRAP, RESIDUE_TRAP, 0, 0, 0));
    probe_report("then", (uint32_t)privcall(RESIDUE_TRAPPED, 0, 0, 0, 0));
    probe_finish();
}

/* ROLE_DONE, and one more for each register but ESP that holds an address in PrivUser. */
static int direct(void)
{
    int addresses = 0;

    call_the_gate();
    for (uint32_t i = 0; i < 8; i++) {
        const uint32_t value = residue_registers[i];
        addresses += i != 3 && value >= PRIVUSER_START && value < PRIVUSER_END;
    }
    return ROLE_DONE + addresses;
}

/* The grader stops here. */
__attribute__((noinline)) void look_here(void)
{
    __asm__ volatile("" : : : "memory");
}

static int calls(void)
{
    static uint8_t text[64];
    static uint32_t result[4];

    for (uint32_t i = 0; i < sizeof text; i++) {
        text[i] = (uint8_t)(role.nonce + i);
    }
    look_here();
    for (int i = 0; i < 2; i++) { /* another secret each time */
        probe_report("spread", (uint32_t)call_and_stop(RESIDUE_SPREAD, (uint32_t)text, 64, 0, 0));
    }
    probe_report("failed", (uint32_t)call_and_stop(RESIDUE_FAIL, 0, 0, 0, 0));
    probe_report("digest", (uint32_t)call_and_stop(RESIDUE_DIGEST, (uint32_t)text, 64,
                                                   (uint32_t)result, sizeof result));
    probe_report("no-call", (uint32_t)call_and_stop(RESIDUE_COUNT, 0, 0, 0, 0));
    probe_report("bad", (uint32_t)call_and_stop(RESIDUE_SPREAD, PRIVUSER_START, 64, 0, 0));
    probe_report("hash", result[0]);
    role_try("direct", "direct", 0, 0, 0);
    look_here();
    probe_finish();
}

int main(const char *argument)
{
    static const role_t roles[] = {{"calls", calls},
                                   {"direct", direct},
                                   {"borrowed", borrowed},
                                   {"borrow", borrow},
                                   {NULL, NULL}};

    return role_play("residue", argument, roles);
}
