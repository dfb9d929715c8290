/*
 * Processes and their threads: the list of them, and how they come into being, wait, and end. Which
 * one runs next is the scheduler's business, how the processor changes over is context.h's.
 *
 * Every thread is an entry of the list. The first one of a process stands for the process: the
 * address space is its own, the other threads share it, and the process ends with it.
 */
#ifndef PROCESS_H
#define PROCESS_H

#include "context.h"
#include "error.h"
// STAGE 2 {
#include "ldt.h"
// STAGE 2 }
#include "process_state.h"
#include "system_call.h"
#include "types.h"

#define PROCESSES_MAX 64

/* The process control block (PCB), of each thread. */
typedef struct process {
    uint32_t pid;    /* unique, never used again */
    uint32_t parent; /* pid of the parent, 0 when none will ask for the exit status */
    char name[FILE_NAME_MAX + 1];
    uint32_t slot;         /* its place in the list */
    struct process *first; /* the first thread of its process; a process's first one: itself */
    process_state_t state;
    process_context_t context;
    // STAGE 2 {
    //: // TASK 2: what does a process with PrivUser need, and what does each of its threads?
    ldt_t ldt; /* a first thread: that of all threads, if the process has PrivUser */
    // STAGE 2 }
    uint32_t wake_tick;  /* SLEEPING: until this tick */
    const void *channel; /* WAITING: for process_wake of this channel */
    int exit_status;     /* ZOMBIE: what the parent will be told */
} process_t;

/* All processes; free places are NULL. */
extern process_t *processes[PROCESSES_MAX];
extern uint32_t processes_count;

/* The process that runs. Never NULL after process_init: it is the idle one when no other can. */
extern process_t *current_process;

/* What runs when nothing else can: the kernel's own thread, with pid 0 and not in the list. */
extern process_t idle_process;

/* Makes the code that calls this the idle process. */
void process_init(void);

/* Creates a READY process from an ELF image. Returns its pid or an error. */
int process_create(const char *name, const void *image, uint32_t length, const char *argument);

/* Creates a READY thread of the running process, which calls function(argument) on the stack that
 * ends at `stack_top`. Returns its pid or an error. */
int thread_create(virtual_address_t function, virtual_address_t stack_top, uint32_t argument);

/* The two steps that process_create and thread_create share: a control block that is empty but for
 * its name, and its entry into the list as a READY child of the running process. Between them,
 * kfree takes the block back. The first returns OK or an error, the second the new pid. */
int process_allocate(const char *name, process_t **process);
int process_enter(process_t *process);

/* Ends the running thread; if it is the first of its process, all threads. */
_Noreturn void process_exit(int status);

/* Ends the running process with all its threads. */
_Noreturn void process_abort(int status);

/* Ends the process that this thread belongs to, with exit status EXIT_KILLED. Returns OK or
 * E_NO_PROCESS. */
int process_kill(uint32_t pid);

/* Waits until a child (that one; with 0, any) has ended, stores its exit status and forgets it.
 * Returns its pid, or E_NO_PROCESS when there is no such child. */
int process_wait(uint32_t pid, int *status);

/* Lets the other ready processes run first. */
void process_yield(void);

/* Blocks the running process until that many ticks have passed. */
void process_sleep(uint32_t duration);

/* Blocks the running process until process_wake is called for the same channel: any address that
 * both sides agree on. Interrupts are off in the kernel, so no wake-up falls between a check of
 * the condition and this call; after it, the condition must be checked again. */
void process_sleep_on(const void *channel);
void process_wake(const void *channel);

/* At every tick: wakes the sleepers whose time has come, and forgets dead orphans. */
void process_tick(void);

/* Fills in at most `max` entries and returns how many. */
uint32_t process_list(struct process_entry *entries, uint32_t max);

#endif
