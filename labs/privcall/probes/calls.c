/*
 * The first privcalls: what comes back, what stays as it was, which numbers and which other ways in
 * are refused, and what happens to a process that faults or waits in ring 2.
 */
#include "calls.h"
#include "privcall.h"
#include "privuser.h"
#include "roles.h"

enum {
    MANY = 10000,
    ROUNDS = 300000,
    TURNS = 12,
    DEEP = PRIVUSER_STACK_SIZE - 2048 - 256 /* a function has 6 KB; one may go a little further */
};

/* The grader stops here. */
__attribute__((noinline)) void look_here(uint32_t value)
{
    __asm__ volatile("" : : "r"(value) : "memory");
}

/* Uses DS and ES, which the way out of ring 2 leaves null. */
static uint32_t through_ds_and_es(void)
{
    static uint32_t from[4], to[4];
    uint32_t count = 4;
    const uint32_t *source = from;
    uint32_t *target = to;

    from[3] = role.nonce;
    __asm__ volatile("rep movsl" : "+c"(count), "+S"(source), "+D"(target) : : "memory");
    return to[3];
}

static int first(void)
{
    const int result = privcall(CALLS_MIX, role.nonce, 2, 3, 4);
    const uint32_t copied = through_ds_and_es();

    look_here(copied);
    probe_report("copied", copied);
    probe_report("result", (uint32_t)result);
    probe_report("again", (uint32_t)privcall(CALLS_MIX, 4, role.nonce, 2, 1));
    probe_finish();
}

/* EBX ESI EDI EBP ESP as they were before the call, and after it. */
uint32_t kept_before[5], kept_after[5];
int call_with_pattern(uint32_t pattern);
__asm__(".text\n"
        "call_with_pattern:\n"
        "    pusha\n"
        "    mov 36(%esp), %ebx\n"
        "    lea 1(%ebx), %esi\n"
        "    lea 2(%ebx), %edi\n"
        "    lea 3(%ebx), %ebp\n"
        "    push %ebp\n"
        "    push %edi\n"
        "    push %esi\n"
        "    push %ebx\n"
        "    pushl $0\n" /* CALLS_MIX */
        "    mov %ebx, kept_before\n"
        "    mov %esi, kept_before+4\n"
        "    mov %edi, kept_before+8\n"
        "    mov %ebp, kept_before+12\n"
        "    mov %esp, kept_before+16\n"
        "    call privcall\n"
        "    mov %ebx, kept_after\n"
        "    mov %esi, kept_after+4\n"
        "    mov %edi, kept_after+8\n"
        "    mov %ebp, kept_after+12\n"
        "    mov %esp, kept_after+16\n"
        "    mov kept_before+16, %esp\n"
        "    add $20, %esp\n"
        "    mov %eax, 28(%esp)\n"
        "    popa\n"
        "    ret\n");

/* Which of the five registers another value came back in: one bit each. */
static uint32_t changed_registers(void)
{
    uint32_t changed = 0;

    for (uint32_t i = 0; i < 5; i++) {
        changed |= (uint32_t)(kept_before[i] != kept_after[i]) << i;
    }
    return changed;
}

static int kept(void)
{
    const uint32_t base = (uint32_t)privcall(CALLS_MIX, 0, 0, 0, 0);
    uint32_t changed = 0, wrong = 0;

    probe_report("first", (uint32_t)call_with_pattern(role.nonce));
    for (uint32_t i = 0; i < MANY; i++) {
        const uint32_t pattern = role.nonce + i;
        const uint32_t expected = (16 * pattern + 34 + base) & 0x7FFFFFFF; /* see calls_mix */

        wrong += (uint32_t)call_with_pattern(pattern) != expected;
        changed |= changed_registers();
    }
    look_here(changed);
    probe_report("last", (uint32_t)call_with_pattern(role.nonce));
    probe_report("changed", changed | changed_registers());
    probe_report("wrong", wrong);
    probe_report("deep", (uint32_t)privcall(CALLS_DEEP, DEEP, 539, 0, 0));
    probe_finish();
}

static int numbers(void)
{
    static const struct {
        const char *key;
        uint32_t number;
    } bad[] = {
        {"count", CALLS_COUNT},
        {"count+1", CALLS_COUNT + 1},
        {"1000", 1000},
        {"-1", 0xFFFFFFFF},
        {"-2", 0xFFFFFFFE},
        {"0x80000000", 0x80000000},
        {"0x80000000+c", 0x80000000 + CALLS_COUNT},
        {"0x20000000", 0x20000000},
        {"0x40000001", 0x40000001},
        {"0x10000", 0x10000},
        {"0x100", 0x100},
    };

    probe_report("before", (uint32_t)privcall(CALLS_MIX, 1, 1, 1, 1));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        probe_report(bad[i].key, (uint32_t)privcall(bad[i].number, 1, 1, 1, 1));
    }
    probe_report("after", (uint32_t)privcall(CALLS_MIX, 1, 1, 1, 1));
    probe_report("made", (uint32_t)privcall(CALLS_MADE, 0, 0, 0, 0));
    probe_finish();
}

static int blow_up(void)
{
    return privcall(CALLS_BLOW, role.a, role.nonce, 0, 0);
}

/* A fault of ring 3's own that is no page fault. */
static int halt_outside(void)
{
    __asm__ volatile("hlt");
    return 1;
}

static int blows(void)
{
    static const char *const keys[BLOWS] = {
        [BLOW_DIVIDE] = "divide",
        [BLOW_BREAKPOINT] = "breakpoint",
        [BLOW_OPCODE] = "opcode",
        [BLOW_HALT] = "halt",
        [BLOW_KERNEL_SELECTOR] = "kernel-ds",
        [BLOW_NULL] = "null",
        [BLOW_OWN_CODE] = "own-code",
    };

    for (uint32_t how = 0; how < BLOWS; how++) {
        role_try(keys[how], "blow_up", how, 0, 0);
    }
    role_try("outside", "halt_outside", 0, 0, 0);
    role_try("harmless", "blow_up", BLOWS, 0, 0);
    probe_finish();
}

/* Runs beside a process that is in ring 2 for long. */
static int beside(void)
{
    sleep(1);
    look_here(role.nonce);
    return ROLE_DONE;
}

volatile uint32_t calls_inside; /* the grader sees that the privcall lasts */

static int compute(void)
{
    const int pid = role_start("beside", 0, 0, 0);

    calls_inside = 1;
    const int result = privcall(CALLS_COMPUTE, ROUNDS, role.nonce, 0, 0);
    calls_inside = 0;
    probe_report("result", (uint32_t)result);
    probe_report("beside", (uint32_t)role_wait(pid));
    probe_finish();
}

/* A secret of its own in each process, and turns that change with every call. */
static int turns(void)
{
    uint32_t hash = role.a;

    look_here(role.a);
    for (uint32_t turn = 0; turn < TURNS; turn++) {
        hash = (uint32_t)privcall(CALLS_COMPUTE, turn % 4 == 0 ? role.b : 2, hash, 0, 0);
        yield();
    }
    return (int)hash;
}

/* Beside them a program with another PrivUser, `ways`, which is there under another name. */
static int both(void)
{
    const int first = role_start("turns", 1, role.a, 0);
    const int second = role_start("turns", 2, role.a, 0);
    const int other = role_start_as("hello", "take_turns", 0, 0, 0);

    probe_report("first", (uint32_t)role_wait(first));
    probe_report("second", (uint32_t)role_wait(second));
    probe_report("other", (uint32_t)role_wait(other));
    probe_finish();
}

/* Starts as a program of another name. */
static int lend(void)
{
    return privcall(CALLS_MIX, role.a, 0, 0, 0) == privcall(CALLS_MIX, role.a - 1, 0, 0, 0) + 1
               ? ROLE_DONE
               : 1;
}

static int forever(void)
{
    return privcall(CALLS_FOR_EVER, 0, 0, 0, 0);
}

static int kernel(void)
{
    const int pid = role_start("forever", 0, 0, 0);

    probe_report("pid", (uint32_t)getpid());
    probe_report("pid-in-ring-2", (uint32_t)privcall(CALLS_GETPID, 0, 0, 0, 0));
    probe_report("slept", (uint32_t)privcall(CALLS_SLEEP, 3, 0, 0, 0));
    look_here(0);
    probe_report("killed", (uint32_t)kill((uint32_t)pid));
    probe_report("status", (uint32_t)role_wait(pid));
    probe_report("then", (uint32_t)privcall(CALLS_GETPID, 0, 0, 0, 0));
    probe_finish();
}

int main(const char *argument)
{
    static const role_t roles[] = {
        {"first", first},     {"kept", kept},       {"numbers", numbers},
        {"blows", blows},     {"blow_up", blow_up}, {"halt_outside", halt_outside},
        {"both", both},       {"compute", compute}, {"beside", beside},
        {"turns", turns},     {"lend", lend},       {"kernel", kernel},
        {"forever", forever}, {NULL, NULL},
    };

    return role_play("calls", argument, roles);
}
