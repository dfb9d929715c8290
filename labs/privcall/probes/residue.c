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
    probe_report("spread", (uint32_t)call_and_stop(RESIDUE_SPREAD, (uint32_t)text, 64, 0, 0));
    probe_report("failed", (uint32_t)call_and_stop(RESIDUE_FAIL, 0, 0, 0, 0));
    probe_report("digest", (uint32_t)call_and_stop(RESIDUE_DIGEST, (uint32_t)text, 64,
                                                   (uint32_t)result, sizeof result));
    probe_report("no-call", (uint32_t)call_and_stop(RESIDUE_COUNT, 0, 0, 0, 0));
    probe_report("bad", (uint32_t)call_and_stop(RESIDUE_SPREAD, PRIVUSER_START, 64, 0, 0));
    probe_report("hash", result[0]);
    look_here();
    probe_finish();
}

int main(const char *argument)
{
    static const role_t roles[] = {{"calls", calls}, {NULL, NULL}};

    return role_play("residue", argument, roles);
}
