/*
 * A program of several domains (modules_policy.h) in which some try to pass for others: by returns
 * that nobody is owed, by damaged stacks, by jumps into the middle of the stub.
 */
#include "domains.h"
#include "thread.h"

/* Makes a system call with the stack pointer in the vault's memory. */
static int call_on_the_vaults_stack(void)
{
    static uint32_t saved;
    int result;
    __asm__ volatile("mov %%esp, %1\n"
                     "mov %3, %%esp\n"
                     "int $0x80\n"
                     "mov %1, %%esp"
                     : "=a"(result), "+m"(saved)
                     : "a"(SYSTEM_CALL_OPEN_FILE), "r"(DOMAIN_BASE(VAULT) + 0x2000), "b"("secret")
                     : "memory");
    return result < 0 ? HARMLESS : HARMFUL;
}

/* Jumps to an address on a stack of its own, so that the stack in use stays what it is. */
static _Noreturn void jump_away(uint32_t place)
{
    static uint32_t stack[256];
    for (uint32_t i = 0; i < sizeof stack / sizeof stack[0]; i++)
        stack[i] = (uint32_t)exit;
    __asm__ volatile("mov %0, %%esp\n"
                     "jmp *%1"
                     :
                     : "r"(&stack[128]), "r"(place)
                     : "memory");
    __builtin_unreachable();
}

/* Each of the numbers that are between the stub and the monitor, by itself: with `first` in one
 * register and `other` in the rest, as whoever has read another's stub might try. */
static int call_monitor(uint32_t number, uint32_t place, uint32_t first, uint32_t other)
{
    uint32_t words[5];
    for (uint32_t i = 0; i < 5; i++)
        words[i] = i == place ? first : other;
    return system_call(number, words[0], words[1], words[2], words[3], words[4]);
}

/* Ends as HARMFUL when one of these calls has given it what is the vault's. */
static int call_monitor_in_all_ways(uint32_t number)
{
    for (uint32_t place = 0; place < 5; place++) {
        call_monitor(number, place, VAULT, (uint32_t)loot);
        if (read_secret() >= 0)
            return HARMFUL;
        call_monitor(number, place, (uint32_t)loot, VAULT);
        if (read_secret() >= 0)
            return HARMFUL;
    }
    return HARMLESS;
}

static volatile uint32_t resumed;

static void forging_thread(uint32_t place)
{
    while (asleep == 0)
        yield();
    ((void (*)(void))place)();
    exit(0);
}

/* The same by a system call, after which it goes on where it is. */
static void calling_thread(uint32_t number)
{
    while (asleep == 0)
        yield();
    call_monitor(number, 0, MAIN, ENTRY_COUNT);
    if (read_secret() >= 0)
        print("took another's rights\n");
    exit(0);
}

/* A second thread takes the return that the first one is owed. */
static int steal_return(void (*thief)(uint32_t), uint32_t argument)
{
    static uint8_t stack[2048] __attribute__((aligned(16)));
    thread_create(thief, stack + sizeof stack, argument);
    in(VAULT, DO_SLEEP_NESTED, 6, 1);
    return read_secret() >= 0 ? HARMFUL : HARMLESS;
}

static void dying_thread(uint32_t unused)
{
    (void)unused;
    in(VAULT, DO_LEAVE_NESTED, 0, 0);
}

static void heir(uint32_t place)
{
    ((void (*)(void))place)();
}

/* A thread ends in the module, two calls deep; the next one, which gets its place among the
 * threads, returns in its stead. */
static int inherit_return(uint32_t place)
{
    static uint8_t stacks[2][2048] __attribute__((aligned(16)));
    crew_wait(thread_create(dying_thread, stacks[0] + sizeof stacks[0], 0));
    crew_wait(thread_create(heir, stacks[1] + sizeof stacks[1], place));
    return read_secret() >= 0 ? HARMFUL : HARMLESS;
}

#define FORGERIES 13u

/* Returns that nobody is owed, and returns to another place than the one that is. */
static int forge(void)
{
    uint32_t place = (uint32_t)in(VAULT, DO_RETURNS, 0, 0);
    switch (crew.a) {
    case 0: /* from domain 0, with nothing to return from */
        in(VAULT, DO_NEXT, MODULE, DO_PUBLIC);
        if (resumed++ != 0)
            return HARMFUL;
        jump_away(place);
    case 1: /* the module damages all of its stack but its return address, and returns to the vault
             */
        in(VAULT, DO_NEXT, MODULE, DO_DAMAGE);
        return read_secret() < 0 ? HARMLESS : HARMFUL;
    case 2: /* the same, with its return address */
        in(VAULT, DO_NEXT, MODULE, DO_DAMAGE_MORE);
        return read_secret() < 0 ? HARMLESS : HARMFUL;
    case 3:
        return call_on_the_vaults_stack();
    case 4:
        return steal_return(forging_thread, place);
    case 5: /* the module jumps to code of its own */
        in(MODULE, DO_JUMP, (uint32_t)loot, 0);
        return HARMFUL;
    case 6:
    case 7:
    case 8:
        return call_monitor_in_all_ways(MONITOR_CALL_FIRST + crew.a - 6);
    case 9:
    case 10:
    case 11:
        return steal_return(calling_thread, MONITOR_CALL_FIRST + crew.a - 9);
    default:
        return inherit_return(place);
    }
}

/* Has processes of this program forge in these ways, all at the same time. One that does not end by
 * itself is ended. */
static void forge_in(uint32_t first, uint32_t last)
{
    int pids[FORGERIES];
    for (uint32_t way = first; way <= last; way++)
        pids[way] = crew_start("forge", way, 0);
    sleep(16);
    for (uint32_t way = first; way <= last; way++) {
        kill((uint32_t)pids[way]);
        crew_report_one("forgery", way, (uint32_t)crew_wait(pids[way]));
    }
}

static int forgeries(void)
{
    forge_in(0, FORGERIES - 2);
    forge_in(FORGERIES - 1, FORGERIES - 1); /* alone: nobody else takes the dead thread's place */
    probe_report("vault", (uint32_t)in(VAULT, DO_SECRET, 0, 0));
    probe_finish();
    return 0;
}

/* Jumps `a` bytes into the stub of domain_call, with the stub's arguments, the address of loot, in
 * all registers and on the stack. */
static int jump(void)
{
    static uint32_t stack[256];
    for (uint32_t i = 0; i < sizeof stack / sizeof stack[0]; i++)
        stack[i] = (uint32_t)loot;
    stack[129] = VAULT;
    stack[130] = crew.b; /* the entry */
    uint32_t target = (uint32_t)domain_call + crew.a;
    __asm__ volatile("mov %%ecx, %%esp\n"
                     "mov %%eax, %%ebx\n"
                     "mov %%eax, %%edi\n"
                     "mov %%eax, %%ebp\n"
                     "jmp *%%edx"
                     :
                     : "a"(loot), "c"(&stack[128]), "d"(target), "S"(loot)
                     : "memory");
    __builtin_unreachable();
}

#define BATCH 16u

static int jumps(void)
{
    uint32_t harmful = 0, tried = 0;
    while (tried < crew.a) {
        int pids[BATCH];
        for (uint32_t i = 0; i < BATCH; i++)
            pids[i] = crew_start("jump", tried + i, ENTRY_COUNT);
        sleep(3);
        for (uint32_t i = 0; i < BATCH; i++) {
            kill((uint32_t)pids[i]);
            harmful += crew_wait(pids[i]) == HARMFUL;
        }
        tried += BATCH;
    }
    probe_report("tried", tried);
    probe_report("harmful", harmful);
    probe_report("vault", (uint32_t)in(VAULT, DO_SECRET, 0, 0));
    probe_report("main", (uint32_t)read_secret());
    probe_finish();
    return 0;
}

int main(const char *argument)
{
    static const struct crew_role roles[] = {
        {"forge", forge}, {"forgeries", forgeries}, {"jump", jump}, {"jumps", jumps}, {NULL, NULL},
    };
    return crew_play("forger", argument, roles);
}
