/*
 * Every exception that a program can cause, each in a child of its own: the child makes the
 * mistake, the parent says where it was made and how the child ended.
 */
#include "library.h"
#include "probe.h"

typedef struct {
    const char *name;
    void (*make)(void);   /* makes the mistake */
    const uint8_t *place; /* the address that the exception must name */
} mistake_t;

/* fault_NAME is what the exception must name: the instruction itself for a fault, the one after it
 * for a trap (Intel SDM vol. 3, section 6.5). */
#define MISTAKE(name, ...)                                                                         \
    extern const uint8_t fault_##name[];                                                           \
    void make_##name(void);                                                                        \
    __asm__(".text\nmake_" #name ":\n" __VA_ARGS__ "\nret\n");
#define HERE(name) "fault_" #name ":\n"

MISTAKE(divide, "xor %edx, %edx; mov $1, %eax; xor %ecx, %ecx\n" HERE(divide) "div %ecx")
MISTAKE(step, "pushf; orl $0x100, (%esp); popf; nop\n" HERE(step) "nop")
MISTAKE(breakpoint, "int3\n" HERE(breakpoint) "nop")
MISTAKE(overflow, "mov $0x7FFFFFFF, %eax; add $1, %eax; into\n" HERE(overflow) "nop")
MISTAKE(bound, "pushl $10; pushl $5; xor %eax, %eax\n" HERE(bound) "bound %eax, (%esp)")
MISTAKE(opcode, HERE(opcode) "ud2")
MISTAKE(float, HERE(float) "fld1")
MISTAKE(nested, "pushf; orl $0x4000, (%esp); popf\n" HERE(nested) "iret")
MISTAKE(halt, HERE(halt) "hlt")
MISTAKE(cli, HERE(cli) "cli")
MISTAKE(port, HERE(port) "inb $0x60, %al")
MISTAKE(cr3, HERE(cr3) "mov %eax, %cr3")
MISTAKE(timer, HERE(timer) "int $32")
MISTAKE(vector8, HERE(vector8) "int $8")
MISTAKE(no_gate, HERE(no_gate) "int $0x81")
MISTAKE(kernel_ds, "mov $0x10, %eax\n" HERE(kernel_ds) "mov %eax, %ds")
MISTAKE(kernel_cs, HERE(kernel_cs) "ljmp $0x08, $0xC0100000")
MISTAKE(task, HERE(task) "ljmp $0x28, $0")
MISTAKE(null, HERE(null) "mov 0, %eax")
MISTAKE(kernel_read, HERE(kernel_read) "mov 0xC0100000, %eax")
MISTAKE(kernel_write, HERE(kernel_write) "mov %eax, 0xC0100004")
MISTAKE(text_write, HERE(text_write) "mov %eax, make_text_write")
MISTAKE(guard, HERE(guard) "mov %eax, 0xBFFF9FFC") /* just below the stack */
MISTAKE(jump, "mov $0xC0100000, %eax; jmp *%eax\n" HERE(jump))
MISTAKE(stack_gone, "xor %esp, %esp\n" HERE(stack_gone) "push %eax; ud2")

#define ENTRY(name)                                                                                \
    {                                                                                              \
#name, make_##name, fault_##name                                                           \
    }
static const mistake_t mistakes[] = {
    ENTRY(divide),       ENTRY(step),       ENTRY(breakpoint), ENTRY(overflow), ENTRY(bound),
    ENTRY(opcode),       ENTRY(float),      ENTRY(nested),     ENTRY(halt),     ENTRY(cli),
    ENTRY(port),         ENTRY(cr3),        ENTRY(timer),      ENTRY(vector8),  ENTRY(no_gate),
    ENTRY(kernel_ds),    ENTRY(kernel_cs),  ENTRY(task),       ENTRY(null),     ENTRY(kernel_read),
    ENTRY(kernel_write), ENTRY(text_write), ENTRY(guard),      ENTRY(jump),     ENTRY(stack_gone),
};
#define MISTAKES (sizeof mistakes / sizeof mistakes[0])

static void try(uint32_t number)
{
    char argument[] = "child=00";
    int status = 0;

    argument[6] = '0' + number / 10;
    argument[7] = '0' + number % 10;
    const int pid = spawn("faults", argument);
    const bool waited = pid > 0 && wait(pid, &status) == pid;
    probe_report(mistakes[number].name, (uint32_t)mistakes[number].place);
    probe_report("pid", (uint32_t)pid);
    probe_report("status", waited ? (uint32_t)status : 0);
}

int main(const char *argument)
{
    const uint32_t child = probe_number(argument, "child", MISTAKES);

    if (child < MISTAKES) {
        mistakes[child].make();
        return 0; /* it was allowed */
    }
    for (uint32_t number = 0; number < MISTAKES; number++) {
        try(number);
    }
    probe_finish();
}
