/*
 * Domains: a call from one into another, and the return. A domain is entered at its entries alone,
 * on a stack of its own, with nothing in the registers; who called, and where it goes on, is kept
 * here, where neither of the two can change it.
 */
// STAGE 3 {
//: #include "endokernel.h"
//:
//: /* TASK 3: the calls of domain_call.asm, on their way there and on their way back. */
#include "error.h"
#include "monitor.h"
#include "privuser.h"

/* Code of ring 3, to which an entry returns: it asks the monitor for the return. */
extern const uint8_t entry_return[]; /* domain_call.asm */

/* Stacks of a domain, for as many calls into it at the same time. They lie at the end of its
 * region, each above a page that is not mapped; domain 0's, for calls back, where its region would
 * be. */
enum { STACKS = CALL_DEPTH_MAX };
_Static_assert(STACKS >= DOMAIN_THREADS && STACKS <= 8, "a bit for each");
#define STACK_SIZE   0x1000u
#define STACK_STRIDE (2 * STACK_SIZE)

#define EFLAGS_START 0x202u /* as in a new program: interrupts on, nothing else */

/* What an entry finds on its stack, as any C function does when it is called. */
typedef struct {
    uint32_t return_address;
    uint32_t a, b, c;
    uint32_t padding; /* the stack's end is 16-byte aligned, and so have the arguments to be */
} entry_stack_t;

/* What a call that is going on needs to come back. */
typedef struct {
    monitor_frame_t caller;
    uint32_t callee; /* a domain, */
    uint32_t stack;  /* and which of its stacks */
} return_record_t;

/* The calls of each thread, the innermost last; and of each domain, which stacks are in use and
 * which have been mapped. */
static struct {
    uint32_t depth;
    return_record_t calls[CALL_DEPTH_MAX];
} threads[MONITOR_THREADS_MAX];
static uint8_t stacks_used[DOMAINS_MAX];
static uint8_t stacks_mapped[DOMAINS_MAX];

static uint32_t stack_top(uint32_t domain, uint32_t stack)
{
    return DOMAIN_BASE(domain) + DOMAIN_SIZE - stack * STACK_STRIDE;
}

/* Takes a free stack of a domain. Returns its number or E_FULL. */
static int take_stack(uint32_t domain)
{
    int stack = 0;

    monitor_lock();
    while (stack < STACKS && (stacks_used[domain] & 1u << stack)) {
        stack++;
    }
    if (stack < STACKS) {
        stacks_used[domain] |= (uint8_t)(1u << stack);
    }
    monitor_unlock();
    return stack < STACKS ? stack : E_FULL;
}

static void give_stack_back(uint32_t domain, uint32_t stack)
{
    monitor_lock();
    stacks_used[domain] &= (uint8_t) ~(1u << stack);
    monitor_unlock();
}

/* Maps a taken stack, if it has not been used before. The thread must be in that domain. */
static int map_stack(uint32_t domain, uint32_t stack)
{
    if (stacks_mapped[domain] & 1u << stack) {
        return OK;
    }
    const uint32_t start = stack_top(domain, stack) - STACK_SIZE;
    const int error = kernel_call(SYSTEM_CALL_MEMORY_MAP, start, STACK_SIZE, 0, 0, 0);
    if (error == OK || error == E_EXISTS) {
        monitor_lock();
        stacks_mapped[domain] |= (uint8_t)(1u << stack);
        monitor_unlock();
    }
    return error == E_EXISTS ? OK : error; /* it exists: the domain itself has mapped it */
}

static int show(uint32_t domain)
{
    return kernel_call(KERNEL_CALL_ENTER_DOMAIN, domain, 0, 0, 0, 0);
}

/* Has the thread go on at an entry of its new domain, with nothing of the caller's but the
 * arguments. */
static void start_entry(monitor_frame_t *frame, uint32_t stack)
{
    const monitor_frame_t caller = *frame;
    const uint32_t domain = caller.ebx;
    entry_stack_t *top = (entry_stack_t *)stack_top(domain, stack) - 1;

    *top = (entry_stack_t){
        .return_address = (uint32_t)entry_return,
        .a = caller.edx,
        .b = caller.esi,
        .c = caller.edi,
    };
    *frame = (monitor_frame_t){
        .domain = domain,
        .thread = caller.thread,
        .gs = caller.ss,
        .fs = caller.ss,
        .es = caller.ss,
        .ds = caller.ss,
        .eip = (uint32_t)domains[domain].entries[caller.ecx],
        .cs = caller.cs,
        .eflags = EFLAGS_START,
        .esp = (uint32_t)top,
        .ss = caller.ss,
    };
}

/* (domain, entry, a, b, c). After an error nothing has happened. */
int domain_enter(monitor_frame_t *caller)
{
    const uint32_t domain = caller->ebx;
    const uint32_t depth = threads[caller->thread].depth;

    if (domain >= domain_count || domain >= DOMAINS_MAX ||
        caller->ecx >= domains[domain].entry_count) {
        return E_NO_CALL;
    }
    if (depth == CALL_DEPTH_MAX) {
        return E_FULL;
    }
    const int stack = take_stack(domain);
    if (stack < 0) {
        return stack;
    }
    int error = show(domain);
    if (error == OK) {
        error = map_stack(domain, (uint32_t)stack);
    }
    if (error != OK) {
        show(caller->domain);
        give_stack_back(domain, (uint32_t)stack);
        return error;
    }
    threads[caller->thread].calls[depth] =
        (return_record_t){.caller = *caller, .callee = domain, .stack = (uint32_t)stack};
    threads[caller->thread].depth = depth + 1;
    start_entry(caller, (uint32_t)stack);
    return OK; /* EAX is scrubbed like the others */
}

/* (result). Goes back to where the innermost call of this thread came from; where that is, and
 * whose rights come back with it, the monitor knows and nobody can tell it. */
int domain_leave(monitor_frame_t *caller)
{
    const int result = (int)caller->ebx;
    const uint32_t depth = threads[caller->thread].depth;

    if (depth == 0) {
        return E_PERMISSION;
    }
    const return_record_t *record = &threads[caller->thread].calls[depth - 1];
    give_stack_back(record->callee, record->stack);
    show(record->caller.domain);
    *caller = record->caller;
    threads[caller->thread].depth = depth - 1;
    return result;
}

void domain_forget_thread(uint32_t thread)
{
    while (threads[thread].depth > 0) {
        threads[thread].depth--;
        const return_record_t *record = &threads[thread].calls[threads[thread].depth];
        give_stack_back(record->callee, record->stack);
    }
}
// STAGE 3 }
