/*
 * Threads: further courses of execution in the running process's address space. A thread has a
 * place in the processes list, a kernel stack and registers of its own; its memory is that of the
 * process's first thread. Given, but for what PrivUser needs.
 */
#include "heap.h"
#include "privuser_area.h"
#include "process.h"
#include "user_memory.h"

/* Gives the thread what it does not share. */
static int thread_build(process_t *thread, virtual_address_t function, virtual_address_t esp)
{
    const process_context_t *first = &thread->first->context;
    int error = context_create(&thread->context, first->page_directory, function, esp);

    // STAGE 3 {
    thread->context.domain = current_process->context.domain; /* whoever makes it, it is no more */
    // STAGE 3 }
    if (error == OK && first->ldt != NULL) {
        error = privuser_enter(&thread->context, first->ldt);
        if (error != OK) {
            context_destroy(&thread->context);
        }
    }
    return error;
}

int thread_create(virtual_address_t function, virtual_address_t stack_top, uint32_t argument)
{
    /* What a C function finds when it is called: here, nowhere to return to, and its argument. */
    const uint32_t words[] = {0, argument};
    const virtual_address_t esp = stack_top - sizeof words;
    process_t *thread;

    if (copy_to_user(esp, words, sizeof words) != OK) {
        return E_FAULT;
    }
    int error = process_allocate(current_process->name, &thread);
    if (error != OK) {
        return error;
    }
    thread->first = current_process->first;
    error = thread_build(thread, function, esp);
    if (error != OK) {
        kfree(thread);
        return error;
    }
    return process_enter(thread);
}
