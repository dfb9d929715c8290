/*
 * Notifications: bits that are set, never a queue. They come from processes, and from interrupts
 * that a process subscribed to.
 */
#include "crew.h"

enum { ROUNDS = 300, FLOOD = 1000 };

static uint32_t receive_bits(uint32_t flags)
{
    message_t message = {0};
    int result = ipc_receive(ENDPOINT_KERNEL, &message, flags);
    if (result != 0)
        crew_give_up("no_bits", result);
    return message.payload[0];
}

/* Notifies home of three bits, one of them twice; its exit status is 0 if none of it failed or
 * waited. */
static int ringer(void)
{
    sleep_until(crew.b);
    uint32_t start = ticks();
    int failed = ipc_notify(crew.home, crew.a) | ipc_notify(crew.home, 0x4) |
                 ipc_notify(crew.home, crew.a) | ipc_notify(crew.home, 0x80000000u);
    return failed != 0 ? failed : (int)(ticks() - start) / 4;
}

static int writer(void)
{
    sleep_until(crew.b);
    return letter_send(crew.home, crew.a);
}

static int bits(void)
{
    uint32_t start = ticks() + CREW_LEAD;
    message_t message = {0};
    int writer_pid = crew_start("writer", 1, start);
    int ringer_pid = crew_start("ringer", 1u << (8 + crew.nonce % 16), start + 2);
    sleep_until(start + 5);
    probe_report("first", (uint32_t)ipc_receive(ENDPOINT_ANY, &message, 0));
    probe_report("sender", message.sender);
    probe_report("type", message.type);
    probe_report("bits", message.payload[0]);
    probe_report("again", (uint32_t)ipc_receive(ENDPOINT_KERNEL, &message, IPC_NONBLOCKING));
    probe_report("second", (uint32_t)ipc_receive(ENDPOINT_ANY, &message, 0));
    probe_report("words", letter_words(&message, 1));
    probe_report("writer", (uint32_t)crew_wait(writer_pid));
    probe_report("ringer", (uint32_t)crew_wait(ringer_pid));
    probe_finish();
    return 0;
}

/* Waits for one kind of message must not be ended by the other kind. */
static int kinds(void)
{
    uint32_t start = ticks() + CREW_LEAD, other;
    message_t message = {0};
    int pid = crew_start_known("late_writer", 2, start + 6, &other);
    crew_start("writer", 1, start);
    crew_start("ringer", 0x10, start + 3);
    probe_report("kernel_only", (uint32_t)ipc_receive(ENDPOINT_KERNEL, &message, 0));
    probe_report("bits", message.type == MESSAGE_NOTIFICATION ? message.payload[0] & 0x10 : 0);
    crew_start("ringer", 0x20, 0);
    probe_report("from_one", (uint32_t)ipc_receive(other, &message, 0));
    probe_report("from_words", letter_words(&message, 2));
    crew_wait(pid);
    sleep(1);
    probe_report("bits_kept", receive_bits(IPC_NONBLOCKING) & 0x20);
    probe_report("any", (uint32_t)ipc_receive(ENDPOINT_ANY, &message, 0));
    probe_report("any_words", letter_words(&message, 1));
    probe_finish();
    return 0;
}

static int late_writer(void)
{
    int result = crew_hello();
    return result != 0 ? result : writer();
}

/* Answers each notification with one, ROUNDS times; then sends FLOOD more of them without waiting.
 */
static int player(void)
{
    int result = crew_hello();
    for (int round = 0; result == 0 && round < ROUNDS; round++) {
        uint32_t got = receive_bits(0);
        result = ipc_notify(crew.home, got << 1);
    }
    sleep(2); /* now home waits for this process's end, and that wait is no receive either */
    for (uint32_t count = 0; result == 0 && count < FLOOD; count++)
        result = ipc_notify(crew.home, 1u << (count % 32));
    return result;
}

/* Two processes wake one another with a single bit: a wake-up that is lost, even once, ends it. */
static int storm(void)
{
    uint32_t other, right = 0;
    message_t message;
    int pid = crew_start_known("player", 0, 0, &other);
    for (int round = 0; round < ROUNDS; round++) {
        uint32_t bit = 1u << (round % 30);
        int result = ipc_notify(other, bit);
        if (result != 0)
            crew_give_up("no_notify", result);
        if (round == ROUNDS - 1)
            break; /* its last answer drowns in the flood that follows */
        right += receive_bits(0) == bit << 1;
    }
    probe_report("rounds", right);
    probe_report("player", (uint32_t)crew_wait(pid));
    probe_report("flood", receive_bits(IPC_NONBLOCKING));
    probe_report("then", (uint32_t)ipc_receive(ENDPOINT_KERNEL, &message, IPC_NONBLOCKING));
    probe_finish();
    return 0;
}

/* Takes a notification of each of a timer interrupts, then lets b more arrive while it is not
 * receiving. */
static int interrupts(void)
{
    message_t message;
    uint32_t wrong = 0;
    probe_report("keyboard", (uint32_t)ipc_subscribe(1, 1));
    probe_report("no_such_line", (uint32_t)ipc_subscribe(0x10000 + (crew.nonce & 0xffff), 1));
    probe_report("subscribe", (uint32_t)ipc_subscribe(0, 0x40));
    receive_bits(0);
    uint32_t start = ticks();
    for (uint32_t count = 0; count < crew.a; count++)
        wrong += receive_bits(0) != 0x40;
    probe_report("wrong", wrong);
    probe_report("ticks", ticks() - start);
    sleep(crew.b);
    probe_report("all_at_once", receive_bits(IPC_NONBLOCKING));
    probe_report("then", (uint32_t)ipc_receive(ENDPOINT_KERNEL, &message, IPC_NONBLOCKING));
    probe_report("next", receive_bits(0));
    probe_finish();
    return 0;
}

int main(const char *argument)
{
    static const struct crew_role roles[] = {
        {"bits", bits},
        {"kinds", kinds},
        {"storm", storm},
        {"interrupts", interrupts},
        {"ringer", ringer},
        {"writer", writer},
        {"late_writer", late_writer},
        {"player", player},
        {NULL, NULL},
    };
    return crew_play("notify", argument, roles);
}
