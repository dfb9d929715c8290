/*
 * What a system call does to the registers of its caller: EAX gets the result, all others stay as
 * they were, also when other processes ran meanwhile with other values in theirs. And the flags a
 * program may set itself.
 */
#include "crew.h"

#define FLAG_TF 0x00000100u /* trap after the next instruction */
#define FLAG_DF 0x00000400u /* string instructions go downwards */
#define FLAG_NT 0x00004000u /* nested task: an IRET in the kernel with it set goes wrong */
#define FLAG_AC 0x00040000u /* alignment check */

/* Registers before and after one system call. `trap` loads them all, traps, and stores them all. */
struct registers {
    uint32_t eax, ebx, ecx, edx, esi, edi, ebp, flags;
    uint32_t esp_before, esp_after;
    uint32_t segments_before, segments_after; /* DS, ES, FS, GS, summed up with weights */
};
struct registers trap_registers;
void trap(void);

__asm__(
    ".text\n"
    "segments_sum:\n" /* ES, FS and GS could hold what was another's; ECX = a number that tells */
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
    ".global trap\n"
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
    "    popf\n" /* with TF set, the trap comes after the next instruction: the system call */
    "    int $0x80\n"
    "    mov %eax, trap_registers+0\n"
    "    mov %ebx, trap_registers+4\n"
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

static uint32_t
    changed; /* one bit for each register that came back with another value, over all calls */
static uint32_t own_flags;
static uint32_t flags_changed;

/* One system call with every register holding a value of this process's own. Returns EAX. */
static int call_with_pattern(uint32_t number, uint32_t ebx, uint32_t ecx, uint32_t edx)
{
    static uint32_t count;
    uint32_t pattern = (crew.nonce ^ (uint32_t)ipc_endpoint() * 0x01000193u) + 16 * count++;
    const struct registers before = {
        number, ebx, ecx, edx, pattern + 1, pattern + 2, pattern + 3, 0x202 | own_flags, 0, 0, 0, 0,
    };
    trap_registers = before;
    trap();
    struct registers after = trap_registers;
    changed |= (after.ebx != before.ebx) << 1 | (after.ecx != before.ecx) << 2 |
               (after.edx != before.edx) << 3 | (after.esi != before.esi) << 4 |
               (after.edi != before.edi) << 5 | (after.ebp != before.ebp) << 6 |
               (after.esp_after != after.esp_before) << 7 |
               (after.segments_after != after.segments_before) << 8;
    flags_changed |= (after.flags ^ own_flags) & (FLAG_DF | FLAG_NT | FLAG_AC);
    return (int)after.eax;
}

static int send_with_pattern(uint32_t to, uint32_t key)
{
    message_t letter;
    letter_write(&letter, key);
    return call_with_pattern(SYSTEM_CALL_IPC_SEND, to, (uint32_t)&letter, 0);
}

static uint32_t receive_with_pattern(uint32_t from, uint32_t key, uint32_t *sender)
{
    message_t letter = {0};
    int result = call_with_pattern(SYSTEM_CALL_IPC_RECEIVE, from, (uint32_t)&letter, 0);
    *sender = letter.sender;
    return result != 0 ? 0 : letter_words(&letter, key);
}

/* The other half of `preserved`: its exit status is 0 if its own registers kept their values, too.
 */
static int partner(void)
{
    uint32_t sender, words = 0;
    own_flags = crew.a;
    if (crew_hello() != 0)
        return -1;
    sleep(2);
    words += receive_with_pattern(crew.home, 1, &sender); /* home waits in its send */
    sleep(2);
    send_with_pattern(crew.home, 2);                         /* home waits in its receive */
    words += receive_with_pattern(ENDPOINT_ANY, 3, &sender); /* this one waits */
    sleep(2);
    message_t letter;
    letter_write(&letter, 4);
    call_with_pattern(SYSTEM_CALL_IPC_REPLY, crew.home, (uint32_t)&letter, 0);
    sleep(2);
    letter_write(&letter, 5);
    if (call_with_pattern(SYSTEM_CALL_IPC_CALL, crew.home, (uint32_t)&letter, 0) != 0)
        return -2;
    words += letter_words(&letter, 6);
    return words != 3 * MESSAGE_WORDS ? -3 : (int)(changed | flags_changed);
}

/* Every operation, in both orders, with a pattern in all registers and with flags a in EFLAGS. */
static void converse(uint32_t flags)
{
    uint32_t other, sender, words = 0;
    message_t letter;
    int pid = crew_start_known("partner", flags, 0, &other);
    own_flags = flags;
    call_with_pattern(SYSTEM_CALL_IPC_ENDPOINT, 11, 12, 13);
    send_with_pattern(other, 1);
    words += receive_with_pattern(other, 2, &sender);
    letter_write(&letter, 3);
    int result = call_with_pattern(SYSTEM_CALL_IPC_CALL, other, (uint32_t)&letter, 0);
    words += result != 0 ? 0 : letter_words(&letter, 4);
    words += receive_with_pattern(ENDPOINT_ANY, 5, &sender);
    letter_write(&letter, 6);
    call_with_pattern(SYSTEM_CALL_IPC_REPLY, sender, (uint32_t)&letter, 0);
    own_flags = 0;
    probe_report("words", words);
    probe_report("partner", (uint32_t)crew_wait(pid));
}

static int preserved(void)
{
    converse(0);
    probe_report("changed", changed);
    probe_finish();
    return 0;
}

/* Traps into the kernel with TF set: the debug exception comes afterwards, in this program, and
 * ends it. */
static int tracer(void)
{
    own_flags = FLAG_TF;
    return call_with_pattern(SYSTEM_CALL_IPC_RECEIVE, ENDPOINT_ANY, 0x1000, IPC_NONBLOCKING);
}

static int flags(void)
{
    probe_report("traced", (uint32_t)crew_wait(crew_start("tracer", 0, 0)));
    converse(FLAG_DF | FLAG_NT | FLAG_AC);
    probe_report("flags_changed", flags_changed);
    probe_finish();
    return 0;
}

int main(const char *argument)
{
    static const struct crew_role roles[] = {
        {"preserved", preserved}, {"flags", flags}, {"partner", partner},
        {"tracer", tracer},       {NULL, NULL},
    };
    return crew_play("registers", argument, roles);
}
