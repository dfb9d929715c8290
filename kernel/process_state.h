/*
 * What a process is doing. A file of its own, since programs that list processes need it too.
 */
#ifndef PROCESS_STATE_H
#define PROCESS_STATE_H

typedef enum {
    READY,    /* can run, waits for its turn */
    RUNNING,  /* is the one that runs */
    SLEEPING, /* waits for a tick of the timer */
    WAITING,  /* waits on a channel until somebody wakes it */
    ZOMBIE,   /* has ended; its parent has not asked for its status yet */
} process_state_t;

#endif
