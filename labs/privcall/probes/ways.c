/*
 * Ways into ring 2 that are none. Ring 3 knows the selectors and an address in PrivUser, and tries
 * every instruction that changes CS or loads a data segment. Only a call through the gate leads
 * inside, and only to the entry that the kernel has put there.
 */
#include "ways.h"

#include "privcall.h"
#include "privuser.h"
#include "roles.h"

/* Where an attack goes: as an operand of a far jump or call, offset first. */
struct {
    uint32_t offset;
    uint32_t selector;
} ways_target;
uint32_t ways_stack;

enum { TURNS = 12 };

typedef struct {
    const char *key;
    uint32_t selector;
    void (*go)(void);
} way_t;

/* In AT&T's manner: GCC's dialect. Each begins with an intact stack and may leave it in pieces. */
#define WAY(name, ...)                                                                             \
    void way_##name(void);                                                                         \
    __asm__(".text\nway_" #name ":\n"                                                              \
            "    pusha\n    mov %esp, ways_stack\n" __VA_ARGS__                                    \
            "\n    mov ways_stack, %esp\n    popa\n    ret\n");

WAY(jump, "ljmp *ways_target")
WAY(call, "lcall *ways_target")
WAY(far_return, "pushl ways_target+4; pushl ways_target; lret")
WAY(far_return_with_stack, "pushl $0x16; push %esp; pushl ways_target+4; pushl ways_target; lret")
WAY(interrupt_return, "pushf; pushl ways_target+4; pushl ways_target; iret")
WAY(interrupt_return_with_stack,
    "pushl $0x16; push %esp; pushf; pushl ways_target+4; pushl ways_target; iret")
WAY(load_ds, "push %ds; mov ways_target+4, %eax; mov %eax, %ds; pop %ds")
WAY(load_es, "push %es; mov ways_target+4, %eax; mov %eax, %es; pop %es")
WAY(load_fs, "push %fs; mov ways_target+4, %eax; mov %eax, %fs; pop %fs")
WAY(load_gs, "push %gs; mov ways_target+4, %eax; mov %eax, %gs; pop %gs")
WAY(load_ss, "mov %ss, %ebx; mov ways_target+4, %eax; mov %eax, %ss; mov %ebx, %ss")

/* Through the gate, with an offset, and with nothing that a stub would give: -1 in all registers
 * but ESP, and on the stack. The processor ignores the offset. */
WAY(gate_with_offset, "    mov $64, %ecx\n"
                      "1:  pushl $-1\n"
                      "    loop 1b\n"
                      "    mov $-1, %eax\n"
                      "    mov %eax, %ebx\n"
                      "    mov %eax, %ecx\n"
                      "    mov %eax, %edx\n"
                      "    mov %eax, %esi\n"
                      "    mov %eax, %edi\n"
                      "    lcall *ways_target\n"
                      "    mov %ss, %eax\n" /* the way out has made these null */
                      "    mov %eax, %ds\n"
                      "    mov %eax, %es")

static const way_t ways[] = {
    {"jump", PRIVUSER_CODE_SELECTOR, way_jump},
    {"jump-rpl3", PRIVUSER_CODE_SELECTOR | 3, way_jump},
    {"jump-gate", PRIVCALL_GATE_SELECTOR, way_jump},
    {"call", PRIVUSER_CODE_SELECTOR, way_call},
    {"call-rpl3", PRIVUSER_CODE_SELECTOR | 3, way_call},
    {"retf", PRIVUSER_CODE_SELECTOR, way_far_return},
    {"retf-rpl3", PRIVUSER_CODE_SELECTOR | 3, way_far_return},
    {"retf-stack", PRIVUSER_CODE_SELECTOR, way_far_return_with_stack},
    {"iret", PRIVUSER_CODE_SELECTOR, way_interrupt_return},
    {"iret-rpl3", PRIVUSER_CODE_SELECTOR | 3, way_interrupt_return},
    {"iret-stack", PRIVUSER_CODE_SELECTOR, way_interrupt_return_with_stack},
    {"ds", PRIVUSER_DATA_SELECTOR, way_load_ds},
    {"es-rpl3", PRIVUSER_DATA_SELECTOR | 3, way_load_es},
    {"fs", PRIVUSER_DATA_SELECTOR, way_load_fs},
    {"gs-code", PRIVUSER_CODE_SELECTOR | 3, way_load_gs},
    {"ss", PRIVUSER_DATA_SELECTOR, way_load_ss},
    {"ss-rpl3", PRIVUSER_DATA_SELECTOR | 3, way_load_ss},
};
#define WAYS (sizeof ways / sizeof ways[0])

static int legal(void)
{
    if (privcall(WAYS_DOUBLE, role.nonce & 0xFFFFFF, 0, 0, 0) != (int)(role.nonce & 0xFFFFFF) * 2) {
        return -1;
    }
    return ROLE_DONE + privcall(WAYS_TRESPASSED, 0, 0, 0, 0);
}

/* a: which way; b: where to. */
static int go(void)
{
    const uint32_t selector = role.a < WAYS ? ways[role.a].selector : PRIVCALL_GATE_SELECTOR;

    ways_target.offset = role.b;
    ways_target.selector = selector;
    if (legal() != ROLE_DONE) {
        return -1;
    }
    if (role.a < WAYS) {
        ways[role.a].go();
        return 1; /* it was allowed */
    }
    way_gate_with_offset();
    return legal();
}

/* Beside processes of another program, whose gate leads to another address. */
static int take_turns(void)
{
    for (uint32_t turn = 0; turn < TURNS; turn++) {
        if (privcall(WAYS_DOUBLE, turn, 0, 0, 0) != (int)(2 * turn)) {
            return (int)turn;
        }
        yield();
    }
    return ROLE_DONE;
}

/* a: the address of a function in PrivUser. */
static int all(void)
{
    for (uint32_t i = 0; i < WAYS; i++) {
        role_try(ways[i].key, "go", i, role.a, 0);
    }
    role_try("gate-offset", "go", WAYS, role.a, 0);
    probe_report("legal", (uint32_t)legal());
    probe_finish();
}

int main(const char *argument)
{
    static const role_t roles[] = {
        {"all", all}, {"go", go}, {"take_turns", take_turns}, {NULL, NULL}};

    return role_play("ways", argument, roles);
}
