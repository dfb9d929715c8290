/*
 * Preemption must not be seen by who is preempted. Each child computes with all general registers
 * and the carry flag at once, with other flags and segment selectors set to values of its own, and
 * makes no system call meanwhile. What it comes to depends on every register after every step.
 */
#include "library.h"
#include "probe.h"

#define CHILDREN_MAX 8
#define FLAG_DF      0x00000400u
#define FLAG_AC      0x00040000u
#define FLAG_ID      0x00200000u
#define OWN_FLAGS    (FLAG_DF | FLAG_AC | FLAG_ID)

uint32_t state[7]; /* EAX EBX ECX EDX ESI EDI EBP */
uint32_t steps;
uint32_t flags_given, flags_found;
uint32_t selectors_given[3], selectors_found[3]; /* ES FS GS */

/* DEC leaves the carry flag alone, so it is carried from step to step. Each instruction has a name,
 * so that the grader can have the process interrupted there. */
void hash_registers(void);
__asm__(".text\n"
        "hash_registers:\n"
        "    pusha\n"
        "    push %es\n"
        "    push %fs\n"
        "    push %gs\n"
        "    mov selectors_given+0, %eax\n"
        "    mov %eax, %es\n"
        "    mov selectors_given+4, %eax\n"
        "    mov %eax, %fs\n"
        "    mov selectors_given+8, %eax\n"
        "    mov %eax, %gs\n"
        "    mov state+0, %eax\n"
        "    mov state+4, %ebx\n"
        "    mov state+8, %ecx\n"
        "    mov state+12, %edx\n"
        "    mov state+16, %esi\n"
        "    mov state+20, %edi\n"
        "    mov state+24, %ebp\n"
        "    pushl flags_given\n"
        "    popf\n"
        "hash_step_0: adc %ebx, %eax\n"
        "hash_step_1: rol $5, %ebx\n"
        "hash_step_2: adc %eax, %ecx\n"
        "hash_step_3: rol $7, %edx\n"
        "hash_step_4: adc %ecx, %edx\n"
        "hash_step_5: adc %edx, %esi\n"
        "hash_step_6: rol $11, %edi\n"
        "hash_step_7: adc %esi, %edi\n"
        "hash_step_8: adc %edi, %ebp\n"
        "hash_step_9: adc %ebp, %ebx\n"
        "hash_step_10: decl steps\n"
        "hash_step_11: jnz hash_step_0\n"
        "    pushf\n"
        "    popl flags_found\n"
        "    cld\n"
        "    mov %eax, state+0\n"
        "    mov %ebx, state+4\n"
        "    mov %ecx, state+8\n"
        "    mov %edx, state+12\n"
        "    mov %esi, state+16\n"
        "    mov %edi, state+20\n"
        "    mov %ebp, state+24\n"
        "    mov %es, selectors_found+0\n"
        "    mov %fs, selectors_found+4\n"
        "    mov %gs, selectors_found+8\n"
        "    pop %gs\n"
        "    pop %fs\n"
        "    pop %es\n"
        "    popa\n"
        "    ret\n");

static int hash(uint32_t child, uint32_t nonce, uint32_t count)
{
    static const uint32_t own_selectors[] = {0x23, 0x20, 0x21, 0x1B, 0};
    static const uint32_t own_flags[] = {0, FLAG_DF, FLAG_AC, FLAG_ID, OWN_FLAGS};

    for (uint32_t i = 0; i < 7; i++) {
        state[i] = nonce * (2 * i + 1) + child;
    }
    for (uint32_t i = 0; i < 3; i++) {
        selectors_given[i] = own_selectors[(child + i) % 5];
    }
    flags_given = own_flags[child % 5] | 0x202;
    steps = count;
    hash_registers();

    if ((flags_found & OWN_FLAGS) != (flags_given & OWN_FLAGS)) {
        return -1;
    }
    if (memcmp(selectors_given, selectors_found, sizeof selectors_given) != 0) {
        return -2;
    }
    uint32_t result = 0;
    for (uint32_t i = 0; i < 7; i++) {
        result = result * 31 + state[i];
    }
    return (int)(result >> 1); /* not negative: that is for failures */
}

static void append_number(char *text, const char *key, uint32_t number)
{
    char digits[11];
    uint32_t count = 0;

    do {
        digits[count++] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    text += strlen(text);
    strcpy(text, key);
    text += strlen(text);
    while (count > 0) {
        *text++ = digits[--count];
    }
    *text = '\0';
}

int main(const char *argument)
{
    const uint32_t child = probe_number(argument, "child", 0);
    const uint32_t children = probe_number(argument, "children", 1);
    const uint32_t nonce = probe_number(argument, "nonce", 0);
    const uint32_t count = probe_number(argument, "steps", 1);
    int pids[CHILDREN_MAX];

    if (child != 0) {
        return hash(child, nonce, count);
    }
    for (uint32_t i = 0; i < children && i < CHILDREN_MAX; i++) {
        char parameters[96] = "";
        append_number(parameters, "child=", i + 1);
        append_number(parameters, " nonce=", nonce);
        append_number(parameters, " steps=", count);
        pids[i] = spawn("registers", parameters);
    }
    for (uint32_t i = 0; i < children && i < CHILDREN_MAX; i++) {
        char key[] = "child-0";
        int status = -3;
        wait((uint32_t)pids[i], &status);
        key[6] = (char)('1' + i);
        probe_report(key, (uint32_t)status);
    }
    probe_finish();
}
