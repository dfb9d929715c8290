// STAGE 2 {
//: /*
//:  * Processes: their list, and the course of a process's life. It is created READY, takes turns being
//:  * RUNNING, may block SLEEPING or WAITING, and ends as a ZOMBIE: nothing but the exit status that
//:  * its parent has not asked for yet.
//:  */
/*
 * Processes, as far as the kernel must know them: their list, and how each one runs, blocks and
 * ends. Whose child a process is, who waits for whom, and what a pid means, the process server
 * knows.
 */
// STAGE 2 }
#include "process.h"

#include "heap.h"
// STAGE 1 {
#include "ipc.h"
// STAGE 1 }
#include "loader.h"
#include "paging.h"
#include "pit.h"
#include "scheduler.h"
#include "string.h"

process_t *processes[PROCESSES_MAX];
uint32_t processes_count;
process_t *current_process;
process_t idle_process;

// STAGE 2 {
//: static uint32_t last_pid;
//:
// STAGE 2 }
void process_init(void)
{
    strcpy(idle_process.name, "idle");
    idle_process.state = RUNNING;
    context_adopt(&idle_process.context);
    current_process = &idle_process;
}

/* The next process of the list from place *place on, and *place moved past it; NULL at the end. */
static process_t *next_process(uint32_t *place)
{
    while (*place < PROCESSES_MAX) {
        process_t *process = processes[(*place)++];
        if (process != NULL) {
            return process;
        }
    }
    return NULL;
}

/* Removes a zombie from the list and frees what is left of it. */
static void process_forget(process_t *zombie)
{
    assert(zombie->state == ZOMBIE && zombie != current_process);
    processes[zombie->slot] = NULL;
    processes_count--;
    context_destroy(&zombie->context);
    kfree(zombie);
}

// STAGE 2 {
//: /* A zombie whose parent is gone will be asked for nothing. It could not free itself when it ended,
//:  * as it still stood on its kernel stack. */
//: static void forget_orphans(void)
//: {
//:     process_t *process;
//:
//:     for (uint32_t place = 0; (process = next_process(&place)) != NULL;) {
//:         if (process->state == ZOMBIE && process->parent == 0 && process != current_process) {
//:             process_forget(process);
//:         }
//:     }
//: }
//:
// STAGE 2 }
/* Puts a process into the list, which must have a free place. */
static void process_enter(process_t *process)
{
    uint32_t place = 0;

    assert(processes_count < PROCESSES_MAX);
    while (processes[place] != NULL) {
        place++;
    }
    processes[place] = process;
    process->slot = place;
    processes_count++;
    // STAGE 1 {
    ipc_open(process);
    // STAGE 1 }
}

// STAGE 2 {
//: /* The part of process_create after which only success is left. */
/* The part of process_start after which only success is left. */
// STAGE 2 }
static int process_build(process_t *process, const void *image, uint32_t length,
                         const char *argument)
{
    program_t program;
    int error = program_load(&program, image, length, argument);

    if (error != OK) {
        return error;
    }
    error = context_create(&process->context, program.page_directory, program.entry,
                           program.stack_pointer);
    if (error != OK) {
        address_space_destroy(program.page_directory);
    }
    return error;
}

// STAGE 2 {
//: int process_create(const char *name, const void *image, uint32_t length, const char *argument)
//: {
//:     if (name[0] == '\0' || strlen(name) > FILE_NAME_MAX) {
//:         return E_NAME;
//:     }
//:     forget_orphans();
//:     if (processes_count == PROCESSES_MAX) {
//:         return E_FULL;
//:     }
//:     process_t *process = kalloc(sizeof *process);
//:     if (process == NULL) {
//:         return E_MEMORY;
//:     }
//:     memset(process, 0, sizeof *process);
//:     const int error = process_build(process, image, length, argument);
//:     if (error != OK) {
//:         kfree(process);
//:         return error;
//:     }
//:     strcpy(process->name, name);
//:     process->pid = ++last_pid;
//:     process->parent = current_process->pid;
//:     process->state = READY;
//:     process_enter(process);
//:     return process->pid;
//: }
int process_start(const struct process_plan *plan)
{
    if (processes_count == PROCESSES_MAX) {
        return E_FULL;
    }
    process_t *process = kalloc(sizeof *process);
    if (process == NULL) {
        return E_MEMORY;
    }
    memset(process, 0, sizeof *process);
    const int error = process_build(process, plan->image, plan->length, plan->argument);
    if (error != OK) {
        kfree(process);
        return error;
    }
    strcpy(process->name, plan->name);
    process->pid = plan->pid;
    process->state = READY;
    process_enter(process);
    ipc_set_service(plan->service, process);
    return (int)ipc_port(process)->endpoint;
}
// STAGE 2 }

/* Makes a zombie of a process that does not run in its address space any more. */
static void process_end(process_t *process, int status)
{
    // STAGE 2 {
    //: process_t *other;
    //:
    // STAGE 2 }
    address_space_destroy(process->context.page_directory);
    process->context.page_directory = idle_process.context.page_directory;
    process->state = ZOMBIE;
    process->exit_status = status;
    // STAGE 1 {
    ipc_close(process);
    // STAGE 1 }
    // STAGE 2 {
    //: for (uint32_t place = 0; (other = next_process(&place)) != NULL;) {
    //:     if (other->parent == process->pid) {
    //:         other->parent = 0;
    //:     } else if (other->pid == process->parent) {
    //:         process_wake(other);
    //:     }
    //: }
    // STAGE 3 {
    scheduler_forget(process);
    // STAGE 3 }
    if (!ipc_notify_service(SERVICE_PROCESS, NOTIFY_ENDED)) {
        panic("the process server has ended");
    }
    // STAGE 2 }
}

void process_exit(int status)
{
    address_space_switch(idle_process.context.page_directory);
    process_end(current_process, status);
    // STAGE 3 {
    //: scheduler();
    dispatch();
    // STAGE 3 }
    panic("a process that had ended was run again");
}

// STAGE 2 {
//: int process_kill(uint32_t pid)
//: {
//:     process_t *process;
//:
//:     for (uint32_t place = 0; (process = next_process(&place)) != NULL;) {
//:         if (process->pid == pid && process->state != ZOMBIE) {
//:             if (process == current_process) {
//:                 process_exit(EXIT_KILLED);
//:             }
//:             process_end(process, EXIT_KILLED);
//:             return OK;
//:         }
//:     }
//:     return E_NO_PROCESS;
//: }
//:
//: /* A child of the running process, with that pid or, for 0, any; a zombie if there is one. */
//: static process_t *find_child(uint32_t pid)
//: {
//:     process_t *child = NULL;
//:     process_t *process;
//:
//:     for (uint32_t place = 0; (process = next_process(&place)) != NULL;) {
//:         if (process->parent == current_process->pid && (pid == 0 || process->pid == pid)) {
//:             child = process;
//:             if (child->state == ZOMBIE) {
//:                 break;
//:             }
//:         }
//:     }
//:     return child;
//: }
//:
//: int process_wait(uint32_t pid, int *status)
//: {
//:     process_t *child;
//:
//:     while ((child = find_child(pid)) != NULL) {
//:         if (child->state == ZOMBIE) {
//:             const int result = child->pid;
//:             *status = child->exit_status;
//:             process_forget(child);
//:             return result;
//:         }
//:         process_sleep_on(current_process); /* process_end wakes the parent */
//:     }
//:     return E_NO_PROCESS;
//: }
void process_kill(process_t *process, int status)
{
    assert(process != current_process);
    process_end(process, status);
}

int process_reap(struct ended_process *ended)
{
    process_t *process;

    for (uint32_t place = 0; (process = next_process(&place)) != NULL;) {
        if (process->state == ZOMBIE && process != current_process) {
            ended->endpoint = ipc_port(process)->endpoint;
            ended->status = process->exit_status;
            process_forget(process);
            return OK;
        }
    }
    return E_NOT_FOUND;
}
// STAGE 2 }

void process_yield(void)
{
    // STAGE 3 {
    //: scheduler();
    dispatch();
    // STAGE 3 }
}

void process_sleep(uint32_t duration)
{
    current_process->wake_tick = ticks + duration;
    current_process->state = SLEEPING;
    // STAGE 3 {
    //: scheduler();
    dispatch();
    // STAGE 3 }
}

void process_sleep_on(const void *channel)
{
    assert(current_process != &idle_process);
    current_process->channel = channel;
    current_process->state = WAITING;
    // STAGE 3 {
    //: scheduler();
    dispatch();
    // STAGE 3 }
}

void process_wake(const void *channel)
{
    process_t *process;

    for (uint32_t place = 0; (process = next_process(&place)) != NULL;) {
        if (process->state == WAITING && process->channel == channel) {
            process->state = READY;
        }
    }
}

void process_tick(void)
{
    process_t *process;

    // STAGE 2 {
    //: forget_orphans();
    // STAGE 2 }
    for (uint32_t place = 0; (process = next_process(&place)) != NULL;) {
        /* The difference is right even after the tick counter has wrapped around. */
        if (process->state == SLEEPING && (int32_t)(ticks - process->wake_tick) >= 0) {
            process->state = READY;
        }
    }
}
// STAGE 2 {
//:
//: uint32_t process_list(struct process_entry *entries, uint32_t max)
//: {
//:     process_t *process;
//:     uint32_t count = 0;
//:
//:     for (uint32_t place = 0; count < max && (process = next_process(&place)) != NULL; count++) {
//:         strcpy(entries[count].name, process->name);
//:         entries[count].pid = process->pid;
//:         entries[count].parent = process->parent;
//:         entries[count].state = process->state;
//:     }
//:     return count;
//: }
// STAGE 2 }
