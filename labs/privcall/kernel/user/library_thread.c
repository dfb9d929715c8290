/*
 * Threads, from the programs' side.
 */
#include "../lab_calls.h"
#include "library.h"
#include "thread.h"

/* What a new thread finds at the top of its stack. */
typedef struct {
    void (*function)(uint32_t);
    uint32_t argument;
} task_t;

/* Where every thread begins. A function cannot return from the thread, so its end is made here. */
static void thread_start(uint32_t task_address)
{
    const task_t *task = (const task_t *)task_address;

    task->function(task->argument);
    exit(0);
}

int thread_create(void (*function)(uint32_t), void *stack_top, uint32_t argument)
{
    task_t *task = (task_t *)((uint32_t)stack_top & ~15u) - 1;

    *task = (task_t){.function = function, .argument = argument};
    return system_call(LAB_CALL_THREAD_CREATE, (uint32_t)thread_start, (uint32_t)task,
                       (uint32_t)task, 0, 0);
}
