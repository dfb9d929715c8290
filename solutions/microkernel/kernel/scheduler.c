// STAGE 3 {
//: /*
//:  * The scheduler. Round robin: the places of the processes list take turns, each for one tick of the
//:  * timer at most. Only who runs next is decided here; how, is run_next_process's part (context.c).
//:  */
/*
 * Who runs next: the kernel's side of the scheduler server. The kernel trusts the server with the
 * choice and with nothing else: what it answers is checked, and when it does not answer, or is
 * gone, the processes take turns as they would without it.
 *
 * The server is a process, so it needs the processor to say who gets the processor. That is no
 * circle, since one rule comes before every choice: when the server is ready, it is the one to run.
 */
// STAGE 3 }
#include "scheduler.h"

// STAGE 3 {
#include "console.h"
// STAGE 4 {
#include "io_bitmap.h"
// STAGE 4 }
#include "ipc.h"
#include "pit.h"

/* How many ticks the server may go without an answer. */
#define SILENT_TICKS_MAX 10
/* A wrong answer that was just reported is not reported again for so many ticks. */
#define REFUSAL_TICKS 100

static process_t *server; /* the scheduler server; NULL: there is none to be trusted */
static bool asked;        /* it has been asked and has not answered */
static bool answered;     /* it has answered `chosen`, and that has not been carried out yet */
static uint32_t chosen;   /* the slot that it answered */
static uint32_t silent_ticks;
static uint32_t ended_slot; /* whose quantum ended last, until the server is told; or SLOT_NONE */

// STAGE 3 }
/* The place in the list of the process that had the last turn. */
static uint32_t last_turn;

void scheduler_init(void)
{
    last_turn = PROCESSES_MAX - 1;
    // STAGE 3 {
    ended_slot = SLOT_NONE;
    // STAGE 3 }
}

// STAGE 3 {
//: process_t *get_next_process(void)
/* The next ready process in round-robin order; the idle process when there is none. */
static process_t *next_in_turn(void)
// STAGE 3 }
{
    for (uint32_t i = 1; i <= PROCESSES_MAX; i++) {
        const uint32_t place = (last_turn + i) % PROCESSES_MAX;

        if (processes[place] != NULL && processes[place]->state == READY) {
            last_turn = place;
            return processes[place];
        }
    }
    return &idle_process;
}

void switch_to(process_t *next)
{
    process_t *previous = current_process;

    if (previous->state == RUNNING) {
        previous->state = READY;
    }
    current_process = next;
    current_process->state = RUNNING;
    if (current_process != previous) {
        // STAGE 4 {
        io_bitmap_select(ipc_is_service(SERVICE_FILE, next));
        // STAGE 4 }
        run_next_process(&previous->context, &current_process->context);
    }
}

// STAGE 3 {
//: void scheduler(void)
//: {
//:     if (current_process->state == RUNNING) {
//:         current_process->state = READY; /* it may be the next one again */
//:     }
//:     switch_to(get_next_process());
//: }
static bool is_ready(uint32_t slot)
{
    return slot < PROCESSES_MAX && processes[slot] != NULL && processes[slot] != server &&
           processes[slot]->state == READY;
}

/* Asks the server who is to run, if anybody can and if it listens. Returns whether it did. */
static bool ask(void)
{
    message_t question = {.type = MESSAGE_SCHEDULE, .payload = {ended_slot, ticks}};
    uint32_t *const ready = &question.payload[2];

    for (uint32_t slot = 0; slot < PROCESSES_MAX; slot++) {
        if (is_ready(slot)) {
            ready[slot / 32] |= 1u << slot % 32;
        }
    }
    if ((ready[0] | ready[1]) == 0 || !ipc_from_kernel(server, &question)) {
        return false;
    }
    ended_slot = SLOT_NONE;
    asked = true;
    return true;
}

static void report_refusal(uint32_t slot)
{
    static uint32_t last_slot = SLOT_NONE;
    static uint32_t last_tick;

    if (slot != last_slot || ticks - last_tick >= REFUSAL_TICKS) {
        print_format("scheduler: refused slot %u\n", slot);
        last_slot = slot;
        last_tick = ticks;
    }
}

/* Whom the server has chosen, if that one can run. */
static process_t *take_answer(void)
{
    answered = false;
    if (is_ready(chosen)) {
        return processes[chosen];
    }
    report_refusal(chosen);
    return next_in_turn();
}

static process_t *choose(void)
{
    if (server == NULL) {
        return next_in_turn();
    }
    if (server->state == READY) {
        return server;
    }
    if (answered) {
        return take_answer();
    }
    return !asked && ask() ? server : next_in_turn();
}

void dispatch(void)
{
    if (current_process->state == RUNNING) {
        current_process->state = READY; /* it may be the next one again */
    }
    switch_to(choose());
}

void dispatch_to(process_t *next)
{
    if (current_process == server) {
        dispatch(); /* it has answered somebody else: its choice comes first */
    } else {
        switch_to(next);
    }
}

static void dismiss(void)
{
    server = NULL;
    print_format("scheduler: fallback to round robin\n");
}

/* Whether the server cannot be asked: it owes an answer, or has not come to its receive. */
static bool is_silent(void)
{
    return asked || !ipc_listens_to_kernel(server);
}

void quantum_end(void)
{
    if (server != NULL) {
        silent_ticks = is_silent() ? silent_ticks + 1 : 0;
        if (silent_ticks == SILENT_TICKS_MAX) {
            dismiss();
        }
    }
    if (current_process == server) {
        return; /* it has no quantum: whoever it chooses has one */
    }
    ended_slot = current_process == &idle_process ? SLOT_NONE : current_process->slot;
    dispatch();
}

void scheduler_appoint(process_t *process)
{
    server = process;
    asked = false;
    answered = false;
    silent_ticks = 0;
}

void scheduler_forget(const process_t *process)
{
    if (process == server) {
        dismiss();
    }
}

int scheduler_answer(const message_t *answer)
{
    if (current_process != server || !asked || answer->type != MESSAGE_RUN) {
        return E_INVALID;
    }
    asked = false;
    answered = true;
    silent_ticks = 0;
    chosen = answer->payload[0];
    return OK;
}
// STAGE 3 }
