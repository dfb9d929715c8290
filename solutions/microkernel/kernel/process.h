// STAGE 2 {
//: /*
//:  * Processes: the list of them, and how they come into being, wait, and end. Which one runs next is
//:  * the scheduler's business, how the processor changes over is context.h's.
//:  */
/*
 * Processes, as far as the kernel must know them: what it takes to run one, to block it, and to end
 * it. The rest of the process control block is the process server's. How the processor changes over
 * is context.h's business.
 */
// STAGE 2 }
#ifndef PROCESS_H
#define PROCESS_H

#include "context.h"
#include "error.h"
#include "process_state.h"
// STAGE 2 {
#include "server_calls.h"
// STAGE 2 }
#include "system_call.h"
#include "types.h"

#define PROCESSES_MAX 64

// STAGE 2 {
//: /* The process control block (PCB). */
//: typedef struct process {
//:     uint32_t pid;    /* unique, never used again */
//:     uint32_t parent; /* pid of the parent, 0 when none will ask for the exit status */
//:     char name[FILE_NAME_MAX + 1];
//:     uint32_t slot; /* its place in the list */
//:     process_state_t state;
//:     process_context_t context;
//:     uint32_t wake_tick;  /* SLEEPING: until this tick */
//:     const void *channel; /* WAITING: for process_wake of this channel */
//:     int exit_status;     /* ZOMBIE: what the parent will be told */
//: } process_t;
/* The kernel's part of the process control block (PCB). */
typedef struct process {
    uint32_t pid;                 /* what the process server calls it; here only to be shown */
    char name[FILE_NAME_MAX + 1]; /* likewise */
    uint32_t slot;                /* its place in the list */
    process_state_t state;
    process_context_t context;
    uint32_t wake_tick;  /* SLEEPING: until this tick */
    const void *channel; /* WAITING: for process_wake of this channel */
    int exit_status;     /* ZOMBIE: what the process server will be told */
} process_t;
// STAGE 2 }

/* All processes; free places are NULL. */
extern process_t *processes[PROCESSES_MAX];
extern uint32_t processes_count;

/* The process that runs. Never NULL after process_init: it is the idle one when no other can. */
extern process_t *current_process;

/* What runs when nothing else can: the kernel's own thread, with pid 0 and not in the list. */
extern process_t idle_process;

/* Makes the code that calls this the idle process. */
void process_init(void);

// STAGE 2 {
//: /* Creates a READY process from an ELF image. Returns its pid or an error. */
//: int process_create(const char *name, const void *image, uint32_t length, const char *argument);
//:
/* Starts a process from an ELF image; it is READY. Returns its endpoint or an error. */
int process_start(const struct process_plan *plan);

// STAGE 2 }
/* Ends the running process. */
_Noreturn void process_exit(int status);

// STAGE 2 {
//: /* Ends any process, with exit status EXIT_KILLED. Returns OK or E_NO_PROCESS. */
//: int process_kill(uint32_t pid);
//:
//: /* Waits until a child (that one; with 0, any) has ended, stores its exit status and forgets it.
//:  * Returns its pid, or E_NO_PROCESS when there is no such child. */
//: int process_wait(uint32_t pid, int *status);
//:
/* Ends any process but the running one. */
void process_kill(process_t *process, int status);

/* Tells of one process that has ended, and forgets it. Returns OK, or E_NOT_FOUND for none. */
int process_reap(struct ended_process *ended);

// STAGE 2 }
/* Lets the other ready processes run first. */
void process_yield(void);

/* Blocks the running process until that many ticks have passed. */
void process_sleep(uint32_t duration);

/* Blocks the running process until process_wake is called for the same channel: any address that
 * both sides agree on. Interrupts are off in the kernel, so no wake-up falls between a check of
 * the condition and this call; after it, the condition must be checked again. */
void process_sleep_on(const void *channel);
void process_wake(const void *channel);

// STAGE 2 {
//: /* At every tick: wakes the sleepers whose time has come, and forgets dead orphans. */
//: void process_tick(void);
//:
//: /* Fills in at most `max` entries and returns how many. */
//: uint32_t process_list(struct process_entry *entries, uint32_t max);
/* At every tick: wakes the sleepers whose time has come. */
void process_tick(void);
// STAGE 2 }

#endif
