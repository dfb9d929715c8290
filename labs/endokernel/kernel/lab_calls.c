/*
 * The system calls that this lab's kernel has beside the baseline's: those of the privcall lab
 * (threads, and the exchange of the experiment), open files, and what a monitor asks for.
 */
#include "lab_calls.h"

#include "endokernel.h"
#include "error.h"
#include "exchange.h"
#include "handle_calls.h"
#include "interrupt.h"
#include "mediation.h"
#include "process.h"
#include "user_memory.h"

static int call_answer(uint32_t value, virtual_address_t question_address)
{
    uint32_t question;

    /* Before anybody's question is taken, not after: it would be lost with a bad pointer. */
    if (user_range_check(question_address, sizeof question, true) != OK) {
        return E_FAULT;
    }
    const int asker = answer(value, &question);
    const int error = copy_to_user(question_address, &question, sizeof question);
    return error == OK ? asker : error;
}

int lab_system_call(trap_frame_t *caller)
{
    if (caller->eax >= KERNEL_CALL_FIRST) {
        return mediation_call(caller);
    }
    switch (caller->eax) {
    case LAB_CALL_THREAD_CREATE:
        return thread_create(caller->ebx, caller->ecx, caller->edx);
    case LAB_CALL_ASK:
        return ask(caller->ebx, caller->ecx);
    case LAB_CALL_ANSWER:
        return call_answer(caller->ebx, caller->ecx);
    default:
        return handle_system_call(caller);
    }
}
