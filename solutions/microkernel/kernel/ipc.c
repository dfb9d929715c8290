/*
 * Messages between processes. There are no buffers in between: a message goes from sender to
 * receiver when both are there, and whoever comes first waits (a rendezvous). So the kernel never
 * runs out of memory for messages, and a sender that floods somebody only makes itself wait.
 *
 * Everything here runs with interrupts off, so each operation is one step to everybody else.
 */
#include "ipc.h"

// STAGE 1 {
//: #include "error.h"
//: #include "interrupt.h"
//:
//: /* Called for every system call from 32 to 63, with the caller's registers; returns what it finds in
//:  * EAX. */
//: int lab_system_call(trap_frame_t *caller)
//: {
//:     // TASK 1: the system calls of ipc_abi.h. Each needs to know the state of the process that calls
//:     // (current_process) and of its partner: begin with what a process has to remember while it
//:     // waits, and where that is kept. Then see to it that process.c tells you when one ends, and
//:     // main.c when the timer ticks.
//:     (void)caller;
//:     return E_NO_CALL;
//: }
#include "error.h"
#include "paging.h"
#include "scheduler.h"
#include "user_memory.h"

_Static_assert(sizeof(message_t) == 64, "the size of a message is fixed");
_Static_assert(PROCESSES_MAX == ENDPOINT_SLOTS, "an endpoint's slot is a place in the list");

enum { IRQ_TIMER = 0, IRQS = 16 };

static port_t ports[PROCESSES_MAX];
// STAGE 2 {
static endpoint_t services[SERVICE_FILE + 1];
// STAGE 2 }

port_t *ipc_port(const process_t *process)
{
    return &ports[process->slot];
}

static port_t *own_port(void)
{
    return ipc_port(current_process);
}

int ipc_find(endpoint_t endpoint, port_t **port)
{
    port_t *found = &ports[ENDPOINT_SLOT(endpoint)];
    const uint32_t generation = ENDPOINT_GENERATION(endpoint);

    if (generation == 0 || generation > ENDPOINT_GENERATION(found->endpoint)) {
        return E_INVALID;
    }
    if (endpoint != found->endpoint || found->process == NULL) {
        return E_DEAD;
    }
    *port = found;
    return OK;
}

/* Gives the processor away, if possible to the process that the running one has just made ready:
 * most likely it has what the running one waits for, and no choice must be made. */
static void give_way(port_t *own)
{
    port_t *next;
    const bool is_known = ipc_find(own->woken, &next) == OK;

    own->woken = 0;
    if (is_known && next->process->state == READY) {
        // STAGE 3 {
        //: switch_to(next->process);
        dispatch_to(next->process);
        // STAGE 3 }
    } else {
        // STAGE 3 {
        //: scheduler();
        dispatch();
        // STAGE 3 }
    }
}

/* Blocks the running process until `wake`, and returns what that gave as the result. */
static int wait_as(enum ipc_activity activity, endpoint_t partner)
{
    port_t *own = own_port();

    own->activity = activity;
    own->partner = partner;
    current_process->state = WAITING;
    current_process->channel = own;
    give_way(own);
    return own->result;
}

static void wake(port_t *port, int result)
{
    assert(port->activity != IPC_IDLE);
    port->activity = IPC_IDLE;
    port->result = result;
    port->process->state = READY;
}

/* Puts a message where the process asked for it. That process need not be the one that runs, so
 * its address space is made the present one for a moment; the kernel's half is the same in all. */
static int deliver(const port_t *to, const message_t *message)
{
    const physical_address_t present = address_space_current();

    address_space_switch(to->process->context.page_directory);
    const int error = copy_to_user(to->buffer, message, sizeof(*message));
    address_space_switch(present);
    return error;
}

static int deliver_notification(port_t *to)
{
    const message_t message = {
        .sender = ENDPOINT_KERNEL, .type = MESSAGE_NOTIFICATION, .payload = {to->notified}};
    const int error = deliver(to, &message);

    if (error == OK) {
        to->notified = 0;
    }
    return error;
}

/* Queues. A process stands in one at most: the one of its partner. */

static void enqueue(port_t *receiver, port_t *sender)
{
    sender->next = NULL;
    if (receiver->first == NULL) {
        receiver->first = sender;
    } else {
        receiver->last->next = sender;
    }
    receiver->last = sender;
}

/* Takes one out; NULL stands for the longest-waiting one. Returns NULL if it is not in the queue.
 */
static port_t *dequeue(port_t *receiver, const port_t *wanted)
{
    port_t *before = NULL;
    port_t *found = receiver->first;

    while (found != NULL && wanted != NULL && found != wanted) {
        before = found;
        found = found->next;
    }
    if (found == NULL) {
        return NULL;
    }
    if (before == NULL) {
        receiver->first = found->next;
    } else {
        before->next = found->next;
    }
    if (receiver->last == found) {
        receiver->last = before;
    }
    return found;
}

/* Sending. */

static bool waits_for(const port_t *receiver, endpoint_t sender)
{
    return receiver->activity == IPC_RECEIVING &&
           (receiver->partner == ENDPOINT_ANY || receiver->partner == sender);
}

static bool waits_for_partner(const port_t *port)
{
    return port->activity == IPC_SENDING || port->activity == IPC_CALLING ||
           port->activity == IPC_AWAITING;
}

/* Whether a wait for this receiver could never end, since the receiver, by way of those it waits
 * for in turn, waits for us. Every process waits for one at most, so there is one way to follow,
 * and it ends: no wait that closes a circle has ever been let in. */
static bool closes_cycle(const port_t *receiver)
{
    const port_t *own = own_port();

    while (receiver != own && waits_for_partner(receiver)) {
        receiver = &ports[ENDPOINT_SLOT(receiver->partner)];
    }
    return receiver == own;
}

/* Hands the message in the own port to a receiver that waits for it. */
static int hand_over(port_t *receiver)
{
    port_t *own = own_port();
    const int error = deliver(receiver, &own->message);

    wake(receiver, error);
    own->woken = receiver->endpoint;
    return error;
}

static int transmit(endpoint_t to, uint32_t flags, enum ipc_activity activity)
{
    port_t *receiver;
    int error = ipc_find(to, &receiver);

    if (error != OK) {
        return error;
    }
    if (waits_for(receiver, own_port()->endpoint)) {
        error = hand_over(receiver);
        return error == OK && activity == IPC_CALLING ? wait_as(IPC_AWAITING, to) : error;
    }
    if (flags & IPC_NONBLOCKING) {
        return E_BLOCKED;
    }
    if (closes_cycle(receiver)) {
        return E_DEADLOCK;
    }
    enqueue(receiver, own_port());
    return wait_as(activity, to);
}

/* Copies the message into the kernel at once: what the program does to its memory later does not
 * matter, and nothing but the kernel says who sent it. */
static int take_message(virtual_address_t message)
{
    port_t *own = own_port();
    const int error = copy_from_user(&own->message, message, sizeof(own->message));

    own->message.sender = own->endpoint;
    return error;
}

int ipc_send(endpoint_t to, virtual_address_t message, uint32_t flags)
{
    const int error = take_message(message);

    if (flags & ~IPC_NONBLOCKING) {
        return E_INVALID;
    }
    return error == OK ? transmit(to, flags, IPC_SENDING) : error;
}

// STAGE 2 {
//: #define CALL_FLAGS IPC_NONBLOCKING
//:
#define CALL_FLAGS (IPC_NONBLOCKING | IPC_READABLE | IPC_WRITABLE)

/* A window must be memory that the caller itself may use so. */
static int check_window(const message_t *request, uint32_t flags)
{
    if (!(flags & (IPC_READABLE | IPC_WRITABLE))) {
        return OK;
    }
    return user_range_check(request->payload[WINDOW_START], request->payload[WINDOW_LENGTH],
                            flags & IPC_WRITABLE);
}

// STAGE 2 }
int ipc_call(endpoint_t to, virtual_address_t message, uint32_t flags)
{
    port_t *own = own_port();

    if (flags & ~CALL_FLAGS) {
        return E_INVALID;
    }
    if (user_range_check(message, sizeof(message_t), true) != OK) {
        return E_FAULT;
    }
    take_message(message);
    // STAGE 2 {
    if (check_window(&own->message, flags) != OK) {
        return E_FAULT;
    }
    // STAGE 2 }
    own->buffer = message;
    own->flags = flags;
    return transmit(to, flags, IPC_CALLING);
}

/* Receiving. */

/* Takes the message of a sender that waited in our queue. */
static int accept(port_t *sender)
{
    const int error = deliver(own_port(), &sender->message);

    if (error != OK || sender->activity == IPC_SENDING) {
        wake(sender, error);
    } else {
        sender->activity = IPC_AWAITING;
    }
    return error;
}

/* Finds whom to receive from: *sender is NULL for anybody. OK or an error. */
static int find_sender(endpoint_t from, port_t **sender)
{
    *sender = NULL;
    if (from == ENDPOINT_ANY || from == ENDPOINT_KERNEL) {
        return OK;
    }
    const int error = ipc_find(from, sender);
    return error == OK && *sender == own_port() ? E_DEADLOCK : error;
}

int ipc_receive(endpoint_t from, virtual_address_t message, uint32_t flags)
{
    port_t *own = own_port();
    port_t *sender;
    const int error = find_sender(from, &sender);

    if (flags & ~IPC_NONBLOCKING) {
        return E_INVALID;
    }
    if (user_range_check(message, sizeof(message_t), true) != OK) {
        return E_FAULT;
    }
    if (error != OK) {
        return error;
    }
    own->buffer = message;
    if (sender == NULL && own->notified != 0) {
        return deliver_notification(own);
    }
    sender = from == ENDPOINT_KERNEL ? NULL : dequeue(own, sender);
    if (sender != NULL) {
        return accept(sender);
    }
    return flags & IPC_NONBLOCKING ? E_BLOCKED : wait_as(IPC_RECEIVING, from);
}

int ipc_reply(endpoint_t to, virtual_address_t message)
{
    port_t *caller;
    int error = take_message(message);

    // STAGE 3 {
    if (error == OK && to == ENDPOINT_KERNEL) {
        return scheduler_answer(&own_port()->message);
    }
    // STAGE 3 }
    if (error == OK) {
        error = ipc_find(to, &caller);
    }
    if (error != OK) {
        return error;
    }
    if (caller->activity != IPC_AWAITING || caller->partner != own_port()->endpoint) {
        return E_INVALID;
    }
    return hand_over(caller);
}

/* Notifications: a word of bits, so that any number of them takes the same room. */

static void notify(port_t *receiver, uint32_t bits)
{
    receiver->notified |= bits;
    if (receiver->notified != 0 && waits_for(receiver, ENDPOINT_KERNEL)) {
        wake(receiver, deliver_notification(receiver));
    }
}

int ipc_notify(endpoint_t to, uint32_t bits)
{
    port_t *receiver;
    const int error = ipc_find(to, &receiver);

    if (error == OK) {
        notify(receiver, bits);
    }
    return error;
}

int ipc_subscribe(uint32_t irq, uint32_t bits)
{
    if (irq >= IRQS) {
        return E_INVALID;
    }
    if (irq != IRQ_TIMER) {
        return E_PERMISSION;
    }
    own_port()->interrupt_bits[irq] = bits;
    return OK;
}

void ipc_interrupt(uint32_t irq)
{
    for (uint32_t slot = 0; slot < PROCESSES_MAX; slot++) {
        if (ports[slot].process != NULL && ports[slot].interrupt_bits[irq] != 0) {
            notify(&ports[slot], ports[slot].interrupt_bits[irq]);
        }
    }
}

int ipc_endpoint(void)
{
    return (int)own_port()->endpoint;
}

// STAGE 2 {
//: /* There are no servers yet. */
//: int ipc_service(uint32_t which)
//: {
//:     return which >= SERVICE_PROCESS && which <= SERVICE_FILE ? E_DEAD : E_INVALID;
//: }
/* Services. */

int ipc_service(uint32_t which)
{
    port_t *port;

    if (which < SERVICE_PROCESS || which > SERVICE_FILE) {
        return E_INVALID;
    }
    return ipc_find(services[which], &port) == OK ? (int)services[which] : E_DEAD;
}

bool ipc_is_service(uint32_t which, const process_t *process)
{
    return process != &idle_process && services[which] == ipc_port(process)->endpoint;
}

void ipc_set_service(uint32_t which, process_t *process)
{
    if (which < SERVICE_PROCESS || which > SERVICE_FILE) {
        return;
    }
    services[which] = ipc_port(process)->endpoint;
    // STAGE 3 {
    if (which == SERVICE_SCHEDULER) {
        scheduler_appoint(process);
    }
    // STAGE 3 }
}

bool ipc_notify_service(uint32_t which, uint32_t bits)
{
    port_t *port;
    const bool is_there = ipc_find(services[which], &port) == OK;

    if (is_there) {
        notify(port, bits);
    }
    return is_there;
}
// STAGE 3 {

bool ipc_listens_to_kernel(const process_t *process)
{
    return waits_for(ipc_port(process), ENDPOINT_KERNEL);
}

bool ipc_from_kernel(process_t *process, const message_t *message)
{
    port_t *port = ipc_port(process);

    if (!waits_for(port, ENDPOINT_KERNEL)) {
        return false;
    }
    const int error = deliver(port, message);

    wake(port, error);
    return error == OK;
}
// STAGE 3 }
// STAGE 2 }

/* Beginning and end. */

void ipc_open(process_t *process)
{
    port_t *port = ipc_port(process);
    const uint32_t generation = ENDPOINT_GENERATION(port->endpoint) + 1;

    *port = (port_t){.process = process, .endpoint = generation * ENDPOINT_SLOTS + process->slot};
}

/* All who wait for this process: in its queue, for its reply, or to receive from it alone. */
static void wake_partners(const port_t *dead)
{
    for (uint32_t slot = 0; slot < PROCESSES_MAX; slot++) {
        port_t *port = &ports[slot];

        if (port->process != NULL && port->activity != IPC_IDLE &&
            port->partner == dead->endpoint) {
            wake(port, E_DEAD);
        }
    }
}

void ipc_close(process_t *process)
{
    port_t *port = ipc_port(process);

    if (port->activity == IPC_SENDING || port->activity == IPC_CALLING) {
        dequeue(&ports[ENDPOINT_SLOT(port->partner)], port);
    }
    wake_partners(port);
    port->process = NULL;
    port->activity = IPC_IDLE;
}
// STAGE 1 }
