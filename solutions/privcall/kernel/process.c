/*
 * Processes: their list, and the course of a process's life. It is created READY, takes turns being
 * RUNNING, may block SLEEPING or WAITING, and ends as a ZOMBIE: nothing but the exit status that
 * its parent has not asked for yet. A further thread of a process lives in the same way (thread.c).
 */
#include "process.h"

#include "exchange.h"
#include "heap.h"
#include "loader.h"
#include "paging.h"
#include "pit.h"
// STAGE 2 {
#include "privuser_area.h"
// STAGE 2 }
#include "scheduler.h"
#include "string.h"

process_t *processes[PROCESSES_MAX];
uint32_t processes_count;
process_t *current_process;
process_t idle_process;

static uint32_t last_pid;

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

/* A zombie whose parent is gone will be asked for nothing. It could not free itself when it ended,
 * as it still stood on its kernel stack. */
static void forget_orphans(void)
{
    process_t *process;

    for (uint32_t place = 0; (process = next_process(&place)) != NULL;) {
        if (process->state == ZOMBIE && process->parent == 0 && process != current_process) {
            process_forget(process);
        }
    }
}

int process_allocate(const char *name, process_t **process)
{
    forget_orphans();
    if (processes_count == PROCESSES_MAX) {
        return E_FULL;
    }
    *process = kalloc(sizeof **process);
    if (*process == NULL) {
        return E_MEMORY;
    }
    memset(*process, 0, sizeof **process);
    strcpy((*process)->name, name);
    return OK;
}

int process_enter(process_t *process)
{
    uint32_t place = 0;

    assert(processes_count < PROCESSES_MAX);
    while (processes[place] != NULL) {
        place++;
    }
    processes[place] = process;
    processes_count++;
    process->slot = place;
    process->pid = ++last_pid;
    process->parent = current_process->pid;
    process->state = READY;
    return (int)process->pid;
}

// STAGE 2 {
/* Gives the process's first thread what it needs to call into PrivUser, if there is one. */
static int build_privuser(process_t *process, const program_t *program)
{
    if (program->privcall_entry == 0) {
        return OK;
    }
    ldt_create(&process->ldt, program->privcall_entry);
    return privuser_enter(&process->context, &process->ldt);
}

// STAGE 2 }
/* The part of process_create after which only success is left. */
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
    // STAGE 2 {
    if (error == OK) {
        error = build_privuser(process, &program);
        if (error != OK) {
            context_destroy(&process->context);
        }
    }
    // STAGE 2 }
    if (error != OK) {
        address_space_destroy(program.page_directory);
    }
    return error;
}

int process_create(const char *name, const void *image, uint32_t length, const char *argument)
{
    process_t *process;

    if (name[0] == '\0' || strlen(name) > FILE_NAME_MAX) {
        return E_NAME;
    }
    int error = process_allocate(name, &process);
    if (error != OK) {
        return error;
    }
    process->first = process;
    error = process_build(process, image, length, argument);
    if (error != OK) {
        kfree(process);
        return error;
    }
    return process_enter(process);
}

/* Makes a zombie of a thread that does not run in its address space any more. */
static void thread_end(process_t *thread, int status)
{
    process_t *other;

    // STAGE 4 {
    //: // TASK 4: what did this thread have in PrivUser that nobody needs any more?
    privuser_leave(&thread->context);
    // STAGE 4 }
    thread->context.page_directory = idle_process.context.page_directory;
    thread->state = ZOMBIE;
    thread->exit_status = status;
    exchange_forget(thread);
    for (uint32_t place = 0; (other = next_process(&place)) != NULL;) {
        if (other->parent == thread->pid) {
            other->parent = 0;
        } else if (other->pid == thread->parent) {
            process_wake(other);
        }
    }
}

/* Makes zombies of all threads of a process; none may run in its address space any more. */
static void process_end(process_t *first, int status)
{
    const physical_address_t directory = first->context.page_directory;
    process_t *other;

    for (uint32_t place = 0; (other = next_process(&place)) != NULL;) {
        if (other->first == first && other != first && other->state != ZOMBIE) {
            thread_end(other, status);
        }
    }
    thread_end(first, status);
    address_space_destroy(directory);
}

/* What ends cannot go on in the memory that ends with it. */
static void leave_address_space(void)
{
    address_space_switch(idle_process.context.page_directory);
    // STAGE 2 {
    ldt_load(idle_process.context.ldt);
    // STAGE 2 }
}

static _Noreturn void never_run_again(void)
{
    scheduler();
    panic("a process that had ended was run again");
}

void process_exit(int status)
{
    leave_address_space();
    if (current_process->first == current_process) {
        process_end(current_process, status);
    } else {
        thread_end(current_process, status);
    }
    never_run_again();
}

void process_abort(int status)
{
    leave_address_space();
    process_end(current_process->first, status);
    never_run_again();
}

int process_kill(uint32_t pid)
{
    process_t *process;

    for (uint32_t place = 0; (process = next_process(&place)) != NULL;) {
        if (process->pid == pid && process->state != ZOMBIE) {
            if (process->first == current_process->first) {
                process_abort(EXIT_KILLED);
            }
            process_end(process->first, EXIT_KILLED);
            return OK;
        }
    }
    return E_NO_PROCESS;
}

/* A child of the running process, with that pid or, for 0, any; a zombie if there is one. */
static process_t *find_child(uint32_t pid)
{
    process_t *child = NULL;
    process_t *process;

    for (uint32_t place = 0; (process = next_process(&place)) != NULL;) {
        if (process->parent == current_process->pid && (pid == 0 || process->pid == pid)) {
            child = process;
            if (child->state == ZOMBIE) {
                break;
            }
        }
    }
    return child;
}

int process_wait(uint32_t pid, int *status)
{
    process_t *child;

    while ((child = find_child(pid)) != NULL) {
        if (child->state == ZOMBIE) {
            const int result = child->pid;
            *status = child->exit_status;
            process_forget(child);
            return result;
        }
        process_sleep_on(current_process); /* process_end wakes the parent */
    }
    return E_NO_PROCESS;
}

void process_yield(void)
{
    scheduler();
}

void process_sleep(uint32_t duration)
{
    current_process->wake_tick = ticks + duration;
    current_process->state = SLEEPING;
    scheduler();
}

void process_sleep_on(const void *channel)
{
    assert(current_process != &idle_process);
    current_process->channel = channel;
    current_process->state = WAITING;
    scheduler();
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

    forget_orphans();
    for (uint32_t place = 0; (process = next_process(&place)) != NULL;) {
        /* The difference is right even after the tick counter has wrapped around. */
        if (process->state == SLEEPING && (int32_t)(ticks - process->wake_tick) >= 0) {
            process->state = READY;
        }
    }
}

uint32_t process_list(struct process_entry *entries, uint32_t max)
{
    process_t *process;
    uint32_t count = 0;

    for (uint32_t place = 0; count < max && (process = next_process(&place)) != NULL; count++) {
        strcpy(entries[count].name, process->name);
        entries[count].pid = process->pid;
        entries[count].parent = process->parent;
        entries[count].state = process->state;
    }
    return count;
}
