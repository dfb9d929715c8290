/*
 * What the probes with several domains share: one entry function that serves all domains. What it
 * may do depends on the domain in which it was entered, not on the code that it is.
 */
#ifndef DOMAINS_H
#define DOMAINS_H

#include "crew.h"
#include "domain.h"
#include "modules.h"
#include "privuser.h"
#include "thread.h"

#define PAGE 0x1000u
#define PART 100u

/* Each domain's own memory. */
static volatile uint32_t mark1 DOMAIN_DATA(1) = 0x101, mark2 DOMAIN_DATA(2) = 0x202,
                               mark3 DOMAIN_DATA(3) = 0x303, mark4 DOMAIN_DATA(4) = 0x404,
                               mark5 DOMAIN_DATA(5) = 0x505, mark6 DOMAIN_DATA(6) = 0x606;
static uint8_t vault_buffer[600] DOMAIN_DATA(1) = {1};
static volatile uint32_t *const marks[] = {NULL, &mark1, &mark2, &mark3, &mark4, &mark5, &mark6};

/* Ordinary memory, which all domains share. */
static uint8_t shared[600];
static volatile uint32_t runs; /* how often an entry ran */
static volatile uint32_t planned[6];
static volatile uint32_t deepest, asleep;
static volatile int last_error;

/* The grader stops here, with the domain that it should be in. */
__attribute__((noinline)) void in_domain(uint32_t domain)
{
    __asm__ volatile("" : : "r"(domain));
}

/* The grader stops here: what the vault read lies in the vault's memory. */
__attribute__((noinline)) void vault_has_read(void)
{
    __asm__ volatile("");
}

static int read_secret(void)
{
    yield(); /* others shall run meanwhile */
    int handle = open_file("secret");
    if (handle < 0)
        return handle;
    yield();
    int length = read_handle(handle, vault_buffer, 0, sizeof vault_buffer);
    close_handle(handle);
    if (length < 0)
        return length;
    vault_has_read();
    return (int)(crew_checksum(vault_buffer, (uint32_t)length) & 0x7fffffff);
}

static int read_public(void)
{
    int handle = open_file("public");
    if (handle < 0)
        return handle;
    int length = read_handle(handle, shared, 0, PART);
    close_handle(handle);
    return length < 0 ? length : (int)crew_right_bytes(shared, 0, (uint32_t)length);
}

static int call_planned(void)
{
    return system_call(planned[0], planned[1], planned[2], planned[3], planned[4], planned[5]);
}

static int recurse(uint32_t level)
{
    int result = domain_call(VAULT + level % 5, ENTRY_DO, DO_RECURSE, level + 1, 0);
    if (result < 0 && level > deepest) {
        deepest = level;
        last_error = result;
    }
    return (int)level;
}

static int sleep_with(uint32_t ticks_to_sleep, uint32_t value)
{
    volatile uint32_t words[16];
    for (uint32_t i = 0; i < 16; i++)
        words[i] = value + i;
    asleep++;
    sleep(ticks_to_sleep);
    asleep--;
    for (uint32_t i = 0; i < 16; i++)
        if (words[i] != value + i)
            return -1;
    return (int)value;
}

/* Overwrites each word of the stack from the caller's frame up to the region's next page that looks
 * like an address of code or of any stack, but for the entry's own return address if it is kept. */
static __attribute__((noinline)) int damage(uint32_t *from, bool keeps, uint32_t with)
{
    uint32_t *end = (uint32_t *)(((uint32_t)from + PAGE) & ~(PAGE - 1));
    for (uint32_t *word = from; word < end; word++)
        if (*word >= PAGE && *word < 0xc0000000u && !(keeps && word == from))
            *word = with;
    return 0;
}

/* Where an attacker wants to be: it tells in which domain it arrived. */
__attribute__((noinline)) void loot(void)
{
    static uint32_t stack[128];
    __asm__ volatile("mov %0, %%esp\n"
                     "jmp loot_tells"
                     :
                     : "r"(&stack[124])
                     : "memory");
    __builtin_unreachable();
}

__attribute__((used)) _Noreturn void loot_tells(void)
{
    exit(open_file("secret") < 0 ? HARMLESS : HARMFUL);
}

int entry_do(uint32_t what, uint32_t b, uint32_t c)
{
    runs++;
    switch (what) {
    case DO_PAUSE:
        *marks[b] += 1;
        in_domain(b);
        return (int)*marks[b];
    case DO_SECRET:
        return read_secret();
    case DO_PUBLIC:
        return read_public();
    case DO_PEEK:
        return (int)*(volatile uint32_t *)b;
    case DO_POKE:
        *(volatile uint32_t *)b = c;
        return 0;
    case DO_JUMP:
        ((void (*)(void))b)();
        return 0;
    case DO_CALL:
        return call_planned();
    case DO_NEXT:
        return domain_call(b, ENTRY_DO, c, 0, 0);
    case DO_RECURSE:
        return recurse(b);
    case DO_SLEEP:
        return sleep_with(b, c);
    case DO_DAMAGE:
    case DO_DAMAGE_MORE:
        return damage((uint32_t *)__builtin_frame_address(0) + 1, what == DO_DAMAGE,
                      (uint32_t)loot);
    case DO_RETURNS:
        return (int)__builtin_return_address(0);
    case DO_SLEEP_NESTED:
        domain_call(MODULE, ENTRY_DO, DO_SLEEP, b, c);
        if (asleep != 0)
            print("returned to too early\n");
        return 0;
    case DO_THREAD:
        return thread_create((void (*)(uint32_t))b, (void *)c, 0);
    case DO_LEAVE:
        exit(0);
    case DO_LEAVE_NESTED:
        domain_call(MODULE, ENTRY_DO, DO_LEAVE, 0, 0);
        print("returned to too early\n");
        return 0;
    default:
        return E_INVALID;
    }
}

/* The grader stops at its first instruction. */
int entry_look(uint32_t a, uint32_t b, uint32_t c)
{
    return (int)((a + 3 * b + 5 * c) & 0x7fffffff);
}

static int in(uint32_t domain, uint32_t what, uint32_t b, uint32_t c)
{
    return domain_call(domain, ENTRY_DO, what, b, c);
}

/* A system call made by a domain. */
static inline int call_in(uint32_t domain, uint32_t number, uint32_t first, uint32_t second,
                          uint32_t third, uint32_t fourth)
{
    const uint32_t plan[6] = {number, first, second, third, fourth, 0};
    for (int i = 0; i < 6; i++)
        planned[i] = plan[i];
    return domain == MAIN ? call_planned() : in(domain, DO_CALL, 0, 0);
}

#endif
