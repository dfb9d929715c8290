/*
 * The system calls that this lab's kernel has beside those of system_call.h. They are given; the
 * programs call them through thread.h and exchange.h.
 */
#ifndef LAB_CALLS_H
#define LAB_CALLS_H

enum lab_call {
    LAB_CALL_THREAD_CREATE = 32, /* (function, stack_top, argument) -> pid of the new thread */
    LAB_CALL_ASK = 33,           /* (pid, value) -> that process's answer */
    LAB_CALL_ANSWER = 34,        /* (answer, uint32_t *question) -> pid of the next who asks */
};

#endif
