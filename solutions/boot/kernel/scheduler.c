/*
 * The scheduler. Round robin: the places of the processes list take turns, each for one tick of the
 * timer at most. Only who runs next is decided here; how, is run_next_process's part (context.c).
 */
#include "scheduler.h"

/* The place in the list of the process that had the last turn. */
static uint32_t last_turn;

// STAGE 1 {
uint32_t switches_count;
// STAGE 1 }

void scheduler_init(void)
{
    last_turn = PROCESSES_MAX - 1;
}

process_t *get_next_process(void)
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
        // STAGE 1 {
        switches_count++;
        // STAGE 1 }
        run_next_process(&previous->context, &current_process->context);
    }
}

void scheduler(void)
{
    if (current_process->state == RUNNING) {
        current_process->state = READY; /* it may be the next one again */
    }
    switch_to(get_next_process());
}
