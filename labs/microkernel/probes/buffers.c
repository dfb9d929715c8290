/*
 * Message buffers as a careless or hostile program gives them: outside of its memory, half outside,
 * wrapping around, not writable, gone when the message arrives. And buffers that are odd, but
 * right.
 */
#include "crew.h"

#define PAGE 0x1000u
#define MAPPED                                                                                     \
    0x20000000u /* the first of the pages this probe maps; what is before and after is not mapped  \
                 */
#define KERNEL  0xc0000000u
#define MESSAGE ((uint32_t)sizeof(message_t))
#define CASES   8

static message_t *at(uint32_t address)
{
    return (message_t *)address;
}

/* The bad buffers. The last one is no bad buffer for sending: code is there to be read. */
static uint32_t bad_buffer(int number)
{
    const uint32_t addresses[CASES] = {
        0,                           /* nothing is mapped at 0 */
        MAPPED + PAGE - MESSAGE / 2, /* its second half is not mapped */
        MAPPED - MESSAGE / 2,        /* its first half is not mapped */
        KERNEL + 0x100000,           /* the kernel's code */
        KERNEL - MESSAGE / 2,        /* reaches into the kernel's half */
        0u - MESSAGE / 2,            /* start + length wraps around */
        MAPPED + 8 * PAGE,           /* far from everything */
        (uint32_t)&bad_buffer,       /* code: may be read, not written */
    };
    return addresses[number];
}

static void map_one_page(void)
{
    int result = memory_map((void *)MAPPED, PAGE);
    if (result != 0)
        crew_give_up("no_memory", result);
}

/* Takes letter 1, then calls home with letter 2. Its exit status is the number of right words in
 * letter and reply. */
static int peer(void)
{
    message_t letter = {0};
    int result = crew_hello();
    if (result == 0)
        result = ipc_receive(ENDPOINT_ANY, &letter, 0);
    if (result != 0)
        return result;
    int words = (int)letter_words(&letter, 1);
    letter_write(&letter, 2);
    result = ipc_call(crew.home, &letter, 0);
    return result != 0 ? result : words + (int)letter_words(&letter, 3);
}

/* One bit for each bad buffer that was refused with E_FAULT. */
static uint32_t refusals_of(int (*attempt)(uint32_t peer, message_t *buffer), uint32_t peer,
                            int cases)
{
    uint32_t refused = 0;
    for (int number = 0; number < cases; number++)
        refused |= (uint32_t)(attempt(peer, at(bad_buffer(number))) == E_FAULT) << number;
    return refused;
}

static int try_send(uint32_t peer, message_t *buffer)
{
    return ipc_send(peer, buffer, IPC_NONBLOCKING);
}

static int try_call(uint32_t peer, message_t *buffer)
{
    return ipc_call(peer, buffer, IPC_NONBLOCKING);
}

static int try_receive(uint32_t peer, message_t *buffer)
{
    return ipc_receive(peer, buffer, IPC_NONBLOCKING);
}

static int try_reply(uint32_t peer, message_t *buffer)
{
    return ipc_reply(peer, buffer);
}

/* Every bad buffer is tried on a peer that is ready for the message; then the same is done with a
 * good one. */
static int bad(void)
{
    uint32_t other;
    message_t letter;
    map_one_page();
    int pid = crew_start_known("peer", 0, 0, &other);
    sleep(2); /* the peer waits in a receive */
    probe_report("send", refusals_of(try_send, other, CASES - 1));
    probe_report("call", refusals_of(try_call, other, CASES));
    letter_write(&letter, 1);
    probe_report("good_send", (uint32_t)ipc_send(other, &letter, 0));
    sleep(2); /* the peer waits in a call */
    probe_report("receive", refusals_of(try_receive, other, CASES));
    probe_report("good_receive", (uint32_t)ipc_receive(other, &letter, IPC_NONBLOCKING));
    probe_report("request", letter_words(&letter, 2));
    probe_report("reply", refusals_of(try_reply, other, CASES - 1));
    letter_write(&letter, 3);
    probe_report("good_reply", (uint32_t)ipc_reply(other, &letter));
    probe_report("words", (uint32_t)crew_wait(pid));
    probe_finish();
    return 0;
}

/* Sends letter 4 from, and takes letter 5 into, a buffer at an odd address across the boundary of
 * two pages. */
static int straddler(void)
{
    message_t *letter = at(MAPPED + PAGE - 13);
    int result = memory_map((void *)MAPPED, 2 * PAGE);
    if (result != 0)
        return result;
    letter_write(letter, 4);
    result = ipc_call(crew.home, letter, 0);
    return result != 0 ? result : (int)letter_words(letter, 5);
}

static int straddle(void)
{
    message_t *letter = at(MAPPED + PAGE - 27);
    if (memory_map((void *)MAPPED, 2 * PAGE) != 0)
        crew_give_up("no_memory", 0);
    int pid = crew_start("straddler", 0, 0);
    probe_report("result", (uint32_t)ipc_receive(ENDPOINT_ANY, letter, 0));
    probe_report("words", letter_words(letter, 4));
    uint32_t caller = letter->sender;
    letter_write(letter, 5);
    probe_report("reply", (uint32_t)ipc_reply(caller, letter));
    probe_report("reply_words", (uint32_t)crew_wait(pid));
    probe_finish();
    return 0;
}

/* In what a process is blocked when its buffer vanishes. */
enum wait_kind { IN_RECEIVE, IN_CALL, IN_NOTIFICATION, IN_SEND, WAIT_KINDS };

static int wait_in(enum wait_kind kind, message_t *letter)
{
    switch (kind) {
    case IN_RECEIVE:
        return ipc_receive(ENDPOINT_ANY, letter, 0);
    case IN_CALL:
        return ipc_call(crew.home, letter, 0);
    case IN_NOTIFICATION:
        return ipc_receive(ENDPOINT_KERNEL, letter, 0);
    default:
        return ipc_send(crew.home, letter, 0);
    }
}

/* The grader stops here to learn the address space whose page it takes away. */
__attribute__((noinline)) int loser_waits(enum wait_kind kind)
{
    return wait_in(kind, at(MAPPED));
}

/* Waits with a buffer that vanishes meanwhile, then once more with a good one. Its exit status is
 * the number of right words that it got; negative if the first wait did not say E_FAULT. A sender
 * may have been copied from before its page went, and then need not try again. */
static int loser(void)
{
    const enum wait_kind kind = (enum wait_kind)crew.a;
    message_t letter;
    if (memory_map((void *)MAPPED, PAGE) != 0 || crew_hello() != 0)
        return -100;
    letter_write(at(MAPPED), 6);
    letter_write(&letter, 6);
    int result = loser_waits(kind);
    if (kind == IN_SEND && result == 0)
        return MESSAGE_WORDS;
    if (result != E_FAULT)
        return -200 + result;
    result = wait_in(kind, &letter);
    if (result != 0)
        return result;
    if (kind == IN_NOTIFICATION)
        return (letter.payload[0] & 3) != 0 ? MESSAGE_WORDS : 0;
    return (int)letter_words(&letter, kind == IN_CALL ? 7 : 6);
}

/* The grader stops here: now the page goes. */
__attribute__((noinline)) void page_goes(void)
{
    __asm__ volatile("");
}

/* Sends letter 6 to a receiver that lost its buffer, until it has it. */
static void to_receiver(uint32_t loser)
{
    int result = letter_send(loser, 6);
    probe_report("first", (uint32_t)result);
    if (result == E_FAULT)
        result = letter_send(loser, 6);
    probe_report("sent", (uint32_t)result);
}

/* Answers a caller that lost its buffer; whatever becomes of that, it calls again. */
static void to_caller(uint32_t loser)
{
    message_t letter;
    letter_write(&letter, 7);
    ipc_reply(loser, &letter);
    int result = ipc_receive(loser, &letter, 0);
    if (result != 0)
        crew_give_up("no_second_call", result);
    letter_write(&letter, 7);
    ipc_reply(loser, &letter);
}

/* Receives from a sender that lost its buffer. */
static void from_sender(uint32_t loser)
{
    message_t letter = {0};
    int result = ipc_receive(loser, &letter, 0);
    if (result == E_FAULT) /* the sender's fault, told to both: it sends again */
        result = ipc_receive(loser, &letter, 0);
    probe_report("received", result == 0 ? letter_words(&letter, 6) : (uint32_t)result);
}

static int taken(void)
{
    static const char *const keys[WAIT_KINDS] = {"receiver", "caller", "notified", "sender"};
    message_t letter;
    for (int kind = 0; kind < WAIT_KINDS; kind++) {
        uint32_t other;
        int pid = crew_start_known("loser", (uint32_t)kind, 0, &other);
        int result = kind == IN_CALL ? ipc_receive(other, &letter, 0) : sleep(3);
        if (result != 0)
            crew_give_up("no_call", result);
        page_goes();
        if (kind == IN_RECEIVE)
            to_receiver(other);
        else if (kind == IN_CALL)
            to_caller(other);
        else if (kind == IN_SEND)
            from_sender(other);
        for (uint32_t bit = 1; kind == IN_NOTIFICATION && bit <= 2; bit++) {
            ipc_notify(other, bit);
            sleep(2);
        }
        probe_report(keys[kind], (uint32_t)crew_wait(pid));
    }
    probe_finish();
    return 0;
}

int main(const char *argument)
{
    static const struct crew_role roles[] = {
        {"bad", bad},   {"straddle", straddle},   {"taken", taken},
        {"peer", peer}, {"straddler", straddler}, {"loser", loser},
        {NULL, NULL},
    };
    return crew_play("buffers", argument, roles);
}
