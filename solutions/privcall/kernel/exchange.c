/*
 * The smallest exchange between two processes. Whoever asks waits in its place of the list below
 * until it is answered; whoever answers looks through the list for somebody who asks it.
 */
#include "exchange.h"

typedef enum { IDLE, ASKING, TAKEN, ANSWERED, ABANDONED } exchange_state_t;

typedef struct {
    exchange_state_t state;
    uint32_t server; /* pid of the one that is asked */
    uint32_t value;  /* the question, then its answer */
} exchange_t;

/* What the process in each place of the processes list has asked. */
static exchange_t exchanges[PROCESSES_MAX];

static process_t *find_process(uint32_t pid)
{
    for (uint32_t slot = 0; slot < PROCESSES_MAX; slot++) {
        if (processes[slot] != NULL && processes[slot]->pid == pid &&
            processes[slot]->state != ZOMBIE) {
            return processes[slot];
        }
    }
    return NULL;
}

int ask(uint32_t pid, uint32_t value)
{
    exchange_t *exchange = &exchanges[current_process->slot];
    const process_t *server = find_process(pid);

    if (server == NULL || server == current_process) {
        return E_NO_PROCESS;
    }
    *exchange = (exchange_t){.state = ASKING, .server = pid, .value = value};
    process_wake(&exchanges[server->slot].server);
    while (exchange->state == ASKING || exchange->state == TAKEN) {
        process_sleep_on(exchange);
    }
    const int result = exchange->state == ANSWERED ? (int)exchange->value : E_DEAD;
    exchange->state = IDLE;
    return result;
}

/* Somebody who asks the running process and is in that state; NULL if nobody is. */
static exchange_t *find_exchange(exchange_state_t state, uint32_t *pid)
{
    for (uint32_t slot = 0; slot < PROCESSES_MAX; slot++) {
        if (exchanges[slot].state == state && exchanges[slot].server == current_process->pid) {
            *pid = processes[slot]->pid;
            return &exchanges[slot];
        }
    }
    return NULL;
}

int answer(uint32_t value, uint32_t *question)
{
    uint32_t pid;
    exchange_t *exchange = find_exchange(TAKEN, &pid);

    if (exchange != NULL) {
        exchange->value = value;
        exchange->state = ANSWERED;
        process_wake(exchange);
    }
    while ((exchange = find_exchange(ASKING, &pid)) == NULL) {
        process_sleep_on(&exchanges[current_process->slot].server);
    }
    exchange->state = TAKEN;
    *question = exchange->value;
    return (int)pid;
}

void exchange_forget(const process_t *process)
{
    exchanges[process->slot].state = IDLE;
    for (uint32_t slot = 0; slot < PROCESSES_MAX; slot++) {
        exchange_t *exchange = &exchanges[slot];

        if (exchange->server == process->pid &&
            (exchange->state == ASKING || exchange->state == TAKEN)) {
            exchange->state = ABANDONED;
            process_wake(exchange);
        }
    }
}
