/*
 * A program of several domains (modules_policy.h), which call one another as they may.
 */
#include "domains.h"

/* Who gets the secret, and who gets what the vault makes of it. */
static int secret(void)
{
    probe_report("main_before", (uint32_t)read_secret());
    probe_report("vault", (uint32_t)in(VAULT, DO_SECRET, 0, 0));
    probe_report("main", (uint32_t)read_secret());
    probe_report("module", (uint32_t)in(MODULE, DO_SECRET, 0, 0));
    probe_report("module_asks", (uint32_t)in(MODULE, DO_NEXT, VAULT, DO_SECRET));
    probe_report("vault_asks", (uint32_t)in(VAULT, DO_NEXT, MODULE, DO_SECRET));
    probe_report("vault_itself", (uint32_t)in(VAULT, DO_NEXT, VAULT, DO_SECRET));
    probe_report("vault_again", (uint32_t)in(VAULT, DO_SECRET, 0, 0));
    probe_report("called_back", (uint32_t)in(VAULT, DO_NEXT, MAIN, DO_SECRET));
    probe_report("public", (uint32_t)in(MODULE, DO_PUBLIC, 0, 0));
    probe_report("vaults_public", (uint32_t)in(VAULT, DO_PUBLIC, 0, 0));
    probe_report("vaults_pid", (uint32_t)call_in(VAULT, SYSTEM_CALL_GETPID, 0, 0, 0, 0));
    probe_report("modules_ticks", (uint32_t)call_in(MODULE, SYSTEM_CALL_TICKS, 0, 0, 0, 0));
    probe_report("modules_pid", (uint32_t)call_in(MODULE, SYSTEM_CALL_GETPID, 0, 0, 0, 0));
    probe_report("pid", (uint32_t)getpid());
    probe_finish();
    return 0;
}

/* The grader looks at the pages of all regions in each domain. */
static int views(void)
{
    in_domain(MAIN);
    for (uint32_t domain = VAULT; domain <= FIFTH; domain++)
        crew_report_one("mark", domain, (uint32_t)in(domain, DO_PAUSE, domain, 0));
    in_domain(MAIN);
    probe_finish();
    return 0;
}

/* Touches address b in one of several ways. Comes back only if nothing stopped it. */
static int touch(void)
{
    uint32_t vault = (uint32_t)&mark1;
    switch (crew.a) {
    case 0:
        return (int)mark1 | 1;
    case 1:
        in(VAULT, DO_POKE, vault, 539); /* the translation was just in use */
        return (int)mark1 | 1;
    case 2:
        mark1 = 0;
        return 1;
    case 3:
        in(VAULT, DO_PEEK, vault, 0);
        mark1 = 0;
        return 1;
    case 4:
        in(VAULT, DO_PEEK, vault, 0);
        return in(MODULE, DO_PEEK, vault, 0) | 1;
    case 5:
        return in(MODULE, DO_POKE, vault, 0) | 1;
    case 6:
        in(MODULE, DO_JUMP, vault, 0);
        return 1;
    case 7:
        return in(VAULT, DO_NEXT, MODULE, DO_PEEK) |
               1; /* reads address 0: a fault two calls deep */
    default:
        return in(VAULT, DO_PEEK, PRIVUSER_START, 0) | 1;
    }
}

#define TOUCHES 9

static int touches(void)
{
    for (uint32_t way = 0; way < TOUCHES; way++)
        crew_report_one("touch", way, (uint32_t)crew_run("touch", way, 0));
    probe_report("own", (uint32_t)in(VAULT, DO_PEEK, (uint32_t)&mark1, 0));
    shared[0] = 77;
    probe_report("ordinary", (uint32_t)in(MODULE, DO_PEEK, (uint32_t)shared, 0) & 0xff);
    in(MODULE, DO_POKE, (uint32_t)&mark2, 539);
    probe_report("poked", (uint32_t)in(MODULE, DO_PEEK, (uint32_t)&mark2, 0));
    probe_finish();
    return 0;
}

/* Domains and entries that there are not: one bit for each that is refused. */
static int entries(void)
{
    static const uint32_t domains[] = {CLOSED,     DOMAINS,    8,          9,
                                       255,        0x10000001, 0x20000001, 0x40000001,
                                       0x7fffffff, 0x80000000, 0x80000001, 0xffffffff};
    static const uint32_t numbers[] = {ENTRY_COUNT, 3,          4,          16,         255,
                                       0x10000000,  0x20000000, 0x40000000, 0x40000001, 0x7fffffff,
                                       0x80000000,  0xc0000000, 0xffffffff};
    uint32_t refused = 0, before = runs;
    for (uint32_t i = 0; i < sizeof domains / sizeof domains[0]; i++) {
        probe_report("trying", domains[i]);
        const int result = domain_call(domains[i], ENTRY_DO, DO_PUBLIC, 0, 0);
        refused |= (uint32_t)(result == E_NO_CALL) << i;
    }
    probe_report("domains", refused);
    refused = 0;
    for (uint32_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        probe_report("trying", numbers[i]);
        const int result = domain_call(VAULT, numbers[i], DO_PUBLIC, 0, 0);
        refused |= (uint32_t)(result == E_NO_CALL) << i;
    }
    probe_report("numbers", refused);
    probe_report("runs", runs - before);
    probe_report("secret", (uint32_t)read_secret());
    probe_report("look", (uint32_t)domain_call(FIFTH, ENTRY_LOOK, 1, 2, 3));
    probe_report("do", (uint32_t)domain_call(MODULE, ENTRY_DO, DO_PUBLIC, 0, 0));
    probe_finish();
    return 0;
}

/* A call with a pattern in every register, which neither reaches the callee nor is lost. */
struct pattern_registers {
    uint32_t eax, ebx, esi, edi, ebp, esp_before, esp_after;
};
struct pattern_registers pattern_registers;
void pattern_call(uint32_t domain, uint32_t entry, uint32_t a, uint32_t b, uint32_t c);

__asm__(".text\n"
        "pattern_call:\n"
        "    pusha\n"
        "    pushl 52(%esp)\n" /* the five arguments: each push moves the next one there */
        "    pushl 52(%esp)\n"
        "    pushl 52(%esp)\n"
        "    pushl 52(%esp)\n"
        "    pushl 52(%esp)\n"
        "    mov %esp, pattern_registers+20\n"
        "    mov $0xc0ffee01, %ebx\n"
        "    mov $0xc0ffee02, %ecx\n"
        "    mov $0xc0ffee03, %edx\n"
        "    mov $0xc0ffee04, %esi\n"
        "    mov $0xc0ffee05, %edi\n"
        "    mov $0xc0ffee06, %ebp\n"
        "    mov $0xc0ffee07, %eax\n"
        "    call domain_call\n"
        "    mov %eax, pattern_registers+0\n"
        "    mov %ebx, pattern_registers+4\n"
        "    mov %esi, pattern_registers+8\n"
        "    mov %edi, pattern_registers+12\n"
        "    mov %ebp, pattern_registers+16\n"
        "    mov %esp, pattern_registers+24\n"
        "    add $20, %esp\n"
        "    popa\n"
        "    ret\n");

static int pattern(uint32_t domain, uint32_t a, uint32_t b, uint32_t c, uint32_t *kept)
{
    pattern_call(domain, ENTRY_LOOK, a, b, c);
    const struct pattern_registers *after = &pattern_registers;
    *kept += after->ebx == 0xc0ffee01 && after->esi == 0xc0ffee04 && after->edi == 0xc0ffee05 &&
             after->ebp == 0xc0ffee06 && after->esp_before == after->esp_after;
    return (int)after->eax;
}

/* `a` calls with patterns, into the domains by turns. */
static int patterns(void)
{
    uint32_t kept = 0, right = 0;
    for (uint32_t i = 0; i < crew.a; i++) {
        uint32_t a = crew_word(i), b = crew_word(i + 1), c = crew_word(i + 2);
        int result = pattern(VAULT + i % 5, a, b, c, &kept);
        right += result == (int)((a + 3 * b + 5 * c) & 0x7fffffff);
    }
    probe_report("kept", kept);
    probe_report("right", right);
    probe_report("secret", (uint32_t)read_secret());
    probe_finish();
    return 0;
}

/* Calls within calls, until it is enough; and once more. */
static int depth(void)
{
    for (uint32_t turn = 0; turn < 2; turn++) {
        deepest = 0;
        crew_report_one("result", turn, (uint32_t)recurse(0));
        crew_report_one("deepest", turn, deepest);
        crew_report_one("error", turn, (uint32_t)last_error);
    }
    probe_report("main", (uint32_t)read_secret());
    probe_report("vault", (uint32_t)in(VAULT, DO_SECRET, 0, 0));
    probe_finish();
    return 0;
}

static volatile struct {
    int slept, secret;
} told[8];

static void sleeping_thread(uint32_t number)
{
    told[number].slept = in(VAULT, DO_SLEEP, 4 + number, 1000 * number);
    told[number].secret = read_secret();
    exit(0);
}

static void asking_thread(uint32_t number)
{
    uint32_t domain = number % 2 == 0 ? VAULT : MODULE;
    for (int turn = 0; turn < 6; turn++) {
        int result = in(domain, DO_SECRET, 0, 0);
        told[number].slept += domain == VAULT ? result >= 0 : result == E_PERMISSION;
        told[number].secret += read_secret() == E_PERMISSION;
    }
    exit(0);
}

static int start_thread(void (*function)(uint32_t), uint32_t number)
{
    static uint8_t stacks[8][2048] __attribute__((aligned(16)));
    int pid = thread_create(function, stacks[number] + sizeof stacks[number], number);
    if (pid <= 0)
        crew_give_up("no_thread", pid);
    return pid;
}

static volatile int born;

/* A thread is in the domain of whoever made it: the vault's reads the secret. */
static void born_thread(uint32_t unused)
{
    (void)unused;
    born = read_secret();
    exit(0);
}

static int born_in(uint32_t domain)
{
    static uint8_t stack[2048] __attribute__((aligned(16)));
    born = 0;
    crew_wait(in(domain, DO_THREAD, (uint32_t)born_thread, (uint32_t)(stack + sizeof stack)));
    return born;
}

#define CROWD 40u

static volatile int crowded[CROWD];

static void crowded_thread(uint32_t number)
{
    crowded[number] = in(number % 2 == 0 ? VAULT : MODULE, DO_SLEEP, 3, 1000 * number);
    exit(0);
}

/* More threads than two domains have stacks for: each sleeps on its own stack, or is told that
 * there is none. Returns how many got another answer. */
static uint32_t crowd(void)
{
    static uint8_t stacks[CROWD][1024] __attribute__((aligned(16)));
    int pids[CROWD];
    uint32_t wrong = 0, slept = 0;
    for (uint32_t i = 0; i < CROWD; i++)
        pids[i] = thread_create(crowded_thread, stacks[i] + sizeof stacks[i], i);
    while (asleep < 2 * DOMAIN_THREADS)
        yield();
    wrong += domain_call(FIFTH, ENTRY_LOOK, 1, 2, 3) != 1 + 3 * 2 + 5 * 3; /* not its depth */
    for (uint32_t i = 0; i < CROWD; i++) {
        crew_wait(pids[i]);
        slept += crowded[i] == (int)(1000 * i);
        wrong += crowded[i] != (int)(1000 * i) && crowded[i] != E_FULL;
    }
    return slept < 2 * DOMAIN_THREADS ? CROWD : wrong;
}

/* Four threads in one domain at once, while the first thread stays outside. */
static int threads(void)
{
    int pids[8];
    uint32_t denied = 0;
    for (uint32_t i = 0; i < DOMAIN_THREADS; i++)
        pids[i] = start_thread(sleeping_thread, i);
    while (asleep < DOMAIN_THREADS)
        yield();
    in_domain(MAIN);
    for (int turn = 0; turn < 4; turn++) {
        denied += read_secret() == E_PERMISSION;
        sleep(1);
    }
    probe_report("denied", denied);
    for (uint32_t i = 0; i < DOMAIN_THREADS; i++) {
        crew_wait(pids[i]);
        crew_report_one("slept", i, (uint32_t)told[i].slept);
        crew_report_one("after", i, (uint32_t)told[i].secret);
    }
    for (uint32_t i = 4; i < 8; i++)
        pids[i] = start_thread(asking_thread, i);
    for (uint32_t i = 4; i < 8; i++) {
        crew_wait(pids[i]);
        crew_report_one("right", i, (uint32_t)told[i].slept);
        crew_report_one("outside", i, (uint32_t)told[i].secret);
    }
    probe_report("born_in_vault", (uint32_t)born_in(VAULT));
    probe_report("born_in_module", (uint32_t)born_in(MODULE));
    probe_report("crowd", crowd());
    probe_finish();
    return 0;
}

/* The grader stops at these: a call begins and ends. */
__attribute__((noinline)) void call_begins(void)
{
    __asm__ volatile("");
}

__attribute__((noinline)) void call_ends(void)
{
    __asm__ volatile("");
}

/* `a` calls, which the grader interrupts. Returns how many of them were right, and how often the
 * caller had its own rights afterwards. */
static int calls(void)
{
    int right = 0;
    for (uint32_t i = 0; i < crew.a; i++) {
        uint32_t c = crew_word(i);
        call_begins();
        int result = domain_call(VAULT, ENTRY_LOOK, 1, i, c);
        call_ends();
        right += result == (int)((1 + 3 * i + 5 * c) & 0x7fffffff);
        right += open_file("secret") == E_PERMISSION;
    }
    return right;
}

int main(const char *argument)
{
    static const struct crew_role roles[] = {
        {"secret", secret},   {"views", views},       {"touch", touch}, {"touches", touches},
        {"entries", entries}, {"patterns", patterns}, {"depth", depth}, {"threads", threads},
        {"calls", calls},     {NULL, NULL},
    };
    return crew_play("modules", argument, roles);
}
