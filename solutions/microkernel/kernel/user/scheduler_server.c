/*
 * The scheduler server: an ordinary program, in ring 3, that decides who runs next. The kernel asks
 * it at the end of every quantum and whenever a process gives the processor away; it answers with a
 * slot. Round robin, as in the kernel before it: the ready slots take turns.
 */
#include "ipc.h"
#include "library.h"

// STAGE 3 {
//: // TASK 3: answer the kernel's questions (ipc_abi.h, MESSAGE_SCHEDULE). The decision itself belongs
//: // in a function `scheduler`, which may not be inlined: __attribute__((noinline, noclone))
static bool is_ready(const message_t *question, uint32_t slot)
{
    return (question->payload[2 + slot / 32] & 1u << slot % 32) != 0;
}

/* The policy. Returns the slot that is to run; SLOT_NONE when none is ready. It stays a function of
 * its own, whatever the optimizer would like, so that a debugger can watch it. */
__attribute__((noinline, noclone)) uint32_t scheduler(const message_t *question)
{
    static uint32_t last_turn = ENDPOINT_SLOTS - 1;

    for (uint32_t i = 1; i <= ENDPOINT_SLOTS; i++) {
        const uint32_t slot = (last_turn + i) % ENDPOINT_SLOTS;

        if (is_ready(question, slot)) {
            last_turn = slot;
            return slot;
        }
    }
    return SLOT_NONE;
}

// STAGE 3 }
int main(const char *argument)
{
    // STAGE 3 {
    //: (void)argument;
    //: return 0;
    message_t message;

    (void)argument;
    while (true) {
        if (ipc_receive(ENDPOINT_KERNEL, &message, 0) != OK || message.type != MESSAGE_SCHEDULE) {
            continue; /* a notification: it says nothing to us */
        }
        const message_t answer = {.type = MESSAGE_RUN, .payload = {scheduler(&message)}};

        ipc_reply(ENDPOINT_KERNEL, &answer);
    }
    // STAGE 3 }
}
