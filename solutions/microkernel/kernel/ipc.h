/*
 * Messages between processes, the kernel's side: what it keeps for each process, and the operations
 * behind the system calls of ipc_abi.h. Each operation acts for the process that runs.
 */
#ifndef IPC_H
#define IPC_H

#include "ipc_abi.h"
// STAGE 1 {
//:
//: // TASK 1: what the rest of the kernel needs to know of ipc.c.
#include "process.h"

/* What a process is doing, as far as messages go. Only the first one can run. */
enum ipc_activity {
    IPC_IDLE,
    IPC_SENDING,   /* stands in the partner's queue */
    IPC_CALLING,   /* the same, and wants a reply after that */
    IPC_AWAITING,  /* the partner has its request and owes it the reply */
    IPC_RECEIVING, /* waits for a message from the partner */
};

/* The state of one slot's messages. Slots are those of the processes list. */
typedef struct port {
    process_t *process;  /* NULL when nobody has the slot */
    endpoint_t endpoint; /* of the present or, without one, of the last process; 0 before any */
    enum ipc_activity activity;
    endpoint_t partner;          /* whom it waits for; for IPC_RECEIVING also ANY or KERNEL */
    virtual_address_t buffer;    /* where the message it waits for must go */
    message_t message;           /* SENDING, CALLING, AWAITING: what it sent */
    uint32_t flags;              /* CALLING, AWAITING: the flags of its call */
    int result;                  /* what its system call returns when it wakes */
    struct port *first, *last;   /* the senders that wait for this process, in order */
    struct port *next;           /* SENDING, CALLING: who stands behind it in the same queue */
    endpoint_t woken;            /* whom it last made ready; 0 for nobody */
    uint32_t notified;           /* bits it has not been told of yet */
    uint32_t interrupt_bits[16]; /* for each request line: with which bits to notify it */
} port_t;

/* A process begins: its slot gets a new endpoint. */
void ipc_open(process_t *process);

/* A process ends: who waits for it is woken with E_DEAD, and it leaves every queue. */
void ipc_close(process_t *process);

/* A device has interrupted: notifies those who subscribed to its request line. */
void ipc_interrupt(uint32_t irq);

/* The port of a live process. */
port_t *ipc_port(const process_t *process);

/* Finds the live process behind an endpoint. Returns OK, E_INVALID when the endpoint never was one,
 * or E_DEAD. */
int ipc_find(endpoint_t endpoint, port_t **port);

/* The system calls. */
int ipc_send(endpoint_t to, virtual_address_t message, uint32_t flags);
int ipc_receive(endpoint_t from, virtual_address_t message, uint32_t flags);
int ipc_call(endpoint_t to, virtual_address_t message, uint32_t flags);
int ipc_reply(endpoint_t to, virtual_address_t message);
int ipc_notify(endpoint_t to, uint32_t bits);
int ipc_endpoint(void);
int ipc_service(uint32_t which);
int ipc_subscribe(uint32_t irq, uint32_t bits);
// STAGE 2 {

/* From now on this process serves, if `which` is a SERVICE_... */
void ipc_set_service(uint32_t which, process_t *process);

/* Whether this process is the one that serves. */
bool ipc_is_service(uint32_t which, const process_t *process);

/* Notifies the process that serves, from the kernel. Returns whether there is one. */
bool ipc_notify_service(uint32_t which, uint32_t bits);
// STAGE 2 }
// STAGE 3 {

/* Whether a process waits for a message that may come from the kernel. */
bool ipc_listens_to_kernel(const process_t *process);

/* Hands a message of the kernel's to a process that listens. Returns whether it got it. */
bool ipc_from_kernel(process_t *process, const message_t *message);
// STAGE 3 }
// STAGE 1 }

#endif
