/*
 * Mediation, from the kernel's side. Whether a process is mediated, nobody decides at run time:
 * each one with a PrivUser is, from its first instruction on, in all of its threads.
 */
#include "mediation.h"

// STAGE 1 {
//: #include "error.h"
//:
//: /* TASK 1: a system call from ring 3 of a process with PrivUser goes on in ring 2, at the
//:  * system_call_entry of its header, on the thread's PrivUser stack (context.h). Call this function
//:  * where system calls arrive (main.c). What does the monitor need to know of the caller, and where
//:  * do you put it, so that nobody else can change it? */
//: bool mediation_deliver(trap_frame_t *caller)
//: {
//:     (void)caller;
//:     return false;
//: }
//:
//: /* What your monitor has to ask of the kernel. Never forget who else can make these calls. */
//: int mediation_call(const trap_frame_t *caller)
//: {
//:     (void)caller;
//:     return E_NO_CALL;
//: }
#include "mediation_abi.h"
#include "privuser.h"
#include "process.h"
#include "spawn.h"
#include "user_memory.h"

_Static_assert(MONITOR_THREADS_MAX == PROCESSES_MAX, "a thread's slot");

#define EFLAGS_MONITOR 0x202u /* interrupts on; none of the flags that ring 3 may have set */
#define RPL            3u

/* A process's LDT is what makes its PrivUser one that can be entered (process.c). */
static bool has_monitor(const process_t *process)
{
    return process->context.ldt != NULL;
}

/* Has ring 3 made this call? Ring 2 is the monitor itself, or a function that it has called. */
static bool is_from_program(const trap_frame_t *caller)
{
    return (caller->cs & RPL) == 3;
}

static uint32_t domain_of(const process_t *thread)
{
    // STAGE 3 {
    //: (void)thread;
    //: return 0;
    return thread->context.domain;
    // STAGE 3 }
}

static monitor_frame_t frame_for_monitor(const trap_frame_t *caller)
{
    return (monitor_frame_t){
        .domain = domain_of(current_process),
        .thread = current_process->slot,
        .gs = caller->gs,
        .fs = caller->fs,
        .es = caller->es,
        .ds = caller->ds,
        .edi = caller->edi,
        .esi = caller->esi,
        .ebp = caller->ebp,
        .ebx = caller->ebx,
        .edx = caller->edx,
        .ecx = caller->ecx,
        .eax = caller->eax,
        .eip = caller->eip,
        .cs = caller->cs,
        .eflags = caller->eflags,
        .esp = caller->user_esp,
        .ss = caller->user_ss,
    };
}

/* While a thread is in ring 3, its PrivUser stack is empty; so the top of it is where the frame can
 * be put. The stack is mapped as long as the thread lives, and no system call can change that.
 * Where the entry is, was checked when the program was loaded (privuser.c). */
bool mediation_deliver(trap_frame_t *caller)
{
    if (!is_from_program(caller) || !has_monitor(current_process)) {
        return false;
    }
    const privuser_header_t *header = (const privuser_header_t *)PRIVUSER_START;
    monitor_frame_t *frame = (monitor_frame_t *)current_process->context.privuser_stack - 1;

    *frame = frame_for_monitor(caller);
    caller->gs = PRIVUSER_DATA_SELECTOR;
    caller->fs = PRIVUSER_DATA_SELECTOR;
    caller->es = PRIVUSER_DATA_SELECTOR;
    caller->ds = PRIVUSER_DATA_SELECTOR;
    caller->eip = header->system_call_entry;
    caller->cs = PRIVUSER_CODE_SELECTOR;
    caller->eflags = EFLAGS_MONITOR;
    caller->user_esp = (uint32_t)frame;
    caller->user_ss = PRIVUSER_DATA_SELECTOR;
    return true;
}

/* (to, from, size): a string of the program's into the monitor's memory, whole and at one moment.
 */
static int call_copy_string(const trap_frame_t *caller)
{
    if (user_range_check(caller->ebx, caller->edx, true) != OK) {
        return E_FAULT;
    }
    return copy_string_from_user((char *)caller->ebx, caller->ecx, caller->edx);
}

static bool pid_has_monitor(uint32_t pid)
{
    for (uint32_t slot = 0; slot < PROCESSES_MAX; slot++) {
        if (processes[slot] != NULL && processes[slot]->pid == pid) {
            return has_monitor(processes[slot]);
        }
    }
    return false;
}

/* (name, argument): spawn, if what comes of it has a monitor itself. It is made first and looked at
 * then, since the file may be another one by the time that it is loaded; it has not run yet. */
static int call_spawn(const trap_frame_t *caller)
{
    char name[FILE_NAME_MAX + 1];
    char argument[ARGUMENT_MAX + 1];
    int status;

    if (copy_string_from_user(name, caller->ebx, sizeof name) < 0 ||
        copy_string_from_user(argument, caller->ecx, sizeof argument) < 0) {
        return E_FAULT;
    }
    const int pid = process_spawn(name, argument);
    if (pid < 0 || pid_has_monitor((uint32_t)pid)) {
        return pid;
    }
    process_kill((uint32_t)pid);
    process_wait((uint32_t)pid, &status);
    return E_PERMISSION;
}

/* (address, length): memory_unmap, but not of what the program's file said cannot be written. In
 * its code and its constants, the domains have to be able to trust each other. */
static int call_unmap(const trap_frame_t *caller)
{
    const bool is_mapped = user_range_check(caller->ebx, caller->ecx, false) == OK;

    if (is_mapped && user_range_check(caller->ebx, caller->ecx, true) != OK) {
        return E_PERMISSION;
    }
    return user_memory_unmap(caller->ebx, caller->ecx);
}

// STAGE 3 {
/* (domain): the thread's rights and its view of memory change together, never one alone. */
static int call_enter_domain(const trap_frame_t *caller)
{
    if (caller->ebx >= DOMAINS_MAX) {
        return E_INVALID;
    }
    context_enter_domain(&current_process->context, caller->ebx);
    return OK;
}

// STAGE 3 }
int mediation_call(const trap_frame_t *caller)
{
    if (is_from_program(caller) || !has_monitor(current_process)) {
        return E_NO_CALL;
    }
    switch (caller->eax) {
    case KERNEL_CALL_COPY_STRING:
        return call_copy_string(caller);
    case KERNEL_CALL_SPAWN:
        return call_spawn(caller);
    case KERNEL_CALL_UNMAP:
        return call_unmap(caller);
    // STAGE 3 {
    case KERNEL_CALL_ENTER_DOMAIN:
        return call_enter_domain(caller);
    // STAGE 3 }
    default:
        return E_NO_CALL;
    }
}
// STAGE 1 }
