/*
 * Two processes meet: who comes first waits for the other. Also the order in which waiting senders
 * are served, receiving from one of several, the stamped sender, and the calls that do not wait.
 */
#include "crew.h"

/* Sends letter a after sleeping to tick b (at once if 0). Its exit status is its own endpoint. */
static int sender(void)
{
    sleep_until(crew.b);
    int result = letter_send(crew.home, crew.a);
    return result < 0 ? result : ipc_endpoint();
}

static int receiver_first(void)
{
    int pid = crew_start("sender", 0, ticks() + CREW_LEAD);
    uint32_t start = ticks();
    message_t letter = {0};
    probe_report("result", (uint32_t)ipc_receive(ENDPOINT_ANY, &letter, 0));
    probe_report("waited", ticks() - start);
    probe_report("received", letter.payload[0]);
    probe_report("words", letter_words(&letter, 0));
    probe_report("sender", letter.sender);
    probe_report("endpoint", (uint32_t)crew_wait(pid));
    probe_finish();
    return 0;
}

/* Sends letter 0 at once; its exit status is the tick at which the send came back. */
static int early_sender(void)
{
    int result = letter_send(crew.home, 0);
    return result < 0 ? result : (int)ticks();
}

static int sender_first(void)
{
    int pid = crew_start("early_sender", 0, 0);
    sleep(10);
    uint32_t asked = ticks();
    message_t letter = {0};
    probe_report("result", (uint32_t)ipc_receive(ENDPOINT_ANY, &letter, 0));
    probe_report("received", letter.payload[0]);
    probe_report("words", letter_words(&letter, 0));
    int returned = crew_wait(pid);
    probe_report("sent", returned < 0 ? (uint32_t)returned : 0);
    probe_report("waited", returned >= (int)asked);
    probe_finish();
    return 0;
}

/* Four senders queue up in an order that is neither that of their slots nor its reverse. */
static int order(void)
{
    static const uint8_t turns[2][4] = {{2, 0, 3, 1}, {1, 3, 0, 2}};
    uint32_t start = ticks() + CREW_LEAD;
    for (int i = 0; i < 4; i++) {
        uint32_t turn = turns[crew.nonce & 1][i];
        crew_start("sender", turn + 1, start + 2 * turn);
    }
    sleep_until(start + 10);
    uint32_t words = 0, arrived = 0;
    for (int i = 0; i < 4; i++) {
        message_t letter = {0};
        int result = ipc_receive(ENDPOINT_ANY, &letter, 0);
        if (result != 0)
            crew_give_up("no_receive", result);
        words += letter_words(&letter, letter_key(&letter));
        arrived = arrived << 4 | letter_key(&letter);
    }
    probe_report("order", arrived);
    probe_report("words", words);
    probe_finish();
    return 0;
}

/* X: says hello, sends letter 2 late, and letter 4 directly after it. */
static int chosen(void)
{
    int result = crew_hello();
    sleep_until(crew.b);
    if (result == 0)
        result = letter_send(crew.home, 2);
    return result < 0 ? result : letter_send(crew.home, 4);
}

static uint32_t receive_key(uint32_t from)
{
    message_t letter = {0};
    int result = ipc_receive(from, &letter, 0);
    if (result != 0)
        crew_give_up("no_receive", result);
    return letter_words(&letter, letter_key(&letter)) == MESSAGE_WORDS ? letter_key(&letter) : 0xf;
}

static int receive_from(void)
{
    uint32_t start = ticks() + CREW_LEAD, x;
    crew_start_known("chosen", 0, start + 8, &x);
    crew_start("sender", 1, start + 3); /* Y, who waits from tick 3 on */
    sleep_until(start + 5);
    uint32_t got = receive_key(x); /* Y is there, X is not yet: letter 2 */
    probe_report("order", got);    /* so far: one of the three may never come back */
    sleep(2);
    got = got << 4 | receive_key(x); /* Y has waited longer than X: letter 4 */
    probe_report("order", got);
    got = got << 4 | receive_key(ENDPOINT_ANY);
    probe_report("order", got);
    probe_report("tick", ticks() - start);
    probe_finish();
    return 0;
}

/* Claims to be someone else in two sends and a call. Its exit status is its endpoint, if the reply
 * was from home. */
static int forger(void)
{
    message_t letter;
    for (uint32_t key = 1; key <= 2; key++) {
        letter_write(&letter, key);
        letter.sender = key == 1 ? crew.home : ENDPOINT_KERNEL;
        if (ipc_send(crew.home, &letter, 0) != 0)
            return -1;
    }
    letter_write(&letter, 3);
    letter.sender = crew.home ^ 64;
    if (ipc_call(crew.home, &letter, 0) != 0)
        return -2;
    return letter.sender == crew.home && letter_words(&letter, 4) == MESSAGE_WORDS ? ipc_endpoint()
                                                                                   : -3;
}

/* The reports say at first, a bit each, which of the three false senders were taken for true. */
static int forged(void)
{
    int pid = crew_start("forger", 0, 0);
    message_t letter = {0};
    uint32_t senders[3] = {0};
    for (int i = 0; i < 3; i++) {
        letter.sender = crew.nonce; /* what a kernel that does not stamp would leave here */
        int result = ipc_receive(ENDPOINT_ANY, &letter, 0);
        if (result != 0)
            crew_give_up("no_receive", result);
        senders[i] = letter.sender;
    }
    uint32_t caller = letter.sender, self = (uint32_t)ipc_endpoint();
    probe_report("believed", (senders[0] == self) << 0 | (senders[1] == ENDPOINT_KERNEL) << 1 |
                                 (senders[2] == (self ^ 64)) << 2);
    letter_write(&letter, 4);
    letter.sender = caller;
    ipc_reply(caller, &letter);
    probe_report("endpoint", (uint32_t)crew_wait(pid));
    probe_report("first", senders[0]);
    probe_report("second", senders[1]);
    probe_report("called", senders[2]);
    probe_finish();
    return 0;
}

/*
 * Not receiving until tick b; then finds nothing (what was refused must leave nothing behind),
 * waits for a letter and for a call, and answers the call. Its exit status is the number of words
 * that arrived as they should.
 */
static int quiet(void)
{
    message_t letter = {0};
    int result = crew_hello();
    sleep_until(crew.b);
    if (result != 0 || ipc_receive(ENDPOINT_ANY, &letter, IPC_NONBLOCKING) != E_BLOCKED)
        return -1;
    if (ipc_receive(ENDPOINT_ANY, &letter, 0) != 0)
        return -2;
    int words = (int)letter_words(&letter, 5);
    if (ipc_receive(ENDPOINT_ANY, &letter, 0) != 0)
        return -3;
    words += (int)letter_words(&letter, 6);
    letter_write(&letter, 7);
    sleep(2); /* the caller does wait for the reply, even with IPC_NONBLOCKING */
    return ipc_reply(crew.a, &letter) != 0 ? -4 : words;
}

static int nonblocking(void)
{
    uint32_t start = ticks() + CREW_LEAD, other;
    int pid = crew_start_known("quiet", (uint32_t)ipc_endpoint(), start, &other);
    message_t letter;
    letter_write(&letter, 1);
    sleep(1);
    probe_report("receive_any", (uint32_t)ipc_receive(ENDPOINT_ANY, &letter, IPC_NONBLOCKING));
    probe_report("receive_from", (uint32_t)ipc_receive(other, &letter, IPC_NONBLOCKING));
    probe_report("send", (uint32_t)ipc_send(other, &letter, IPC_NONBLOCKING));
    probe_report("call", (uint32_t)ipc_call(other, &letter, IPC_NONBLOCKING));
    sleep_until(start + 3); /* now the other waits in a receive */
    letter_write(&letter, 5);
    probe_report("send_to_waiting", (uint32_t)ipc_send(other, &letter, IPC_NONBLOCKING));
    sleep(2);
    letter_write(&letter, 6);
    probe_report("call_to_waiting", (uint32_t)ipc_call(other, &letter, IPC_NONBLOCKING));
    probe_report("reply_words", letter_words(&letter, 7));
    probe_report("words", (uint32_t)crew_wait(pid));
    crew_start("sender", 0, 0);
    sleep(3);
    probe_report("from_waiting", (uint32_t)ipc_receive(ENDPOINT_ANY, &letter, IPC_NONBLOCKING));
    probe_report("received", letter.payload[0]);
    probe_finish();
    return 0;
}

/* Takes letters b .. b+a-1; its exit status is the number of words that were right. */
static int taker(void)
{
    int words = 0;
    if (crew_hello() != 0)
        return -1;
    for (uint32_t key = crew.b; key < crew.b + crew.a; key++) {
        message_t letter = {0};
        if (ipc_receive(ENDPOINT_ANY, &letter, 0) != 0)
            return -2;
        words += (int)letter_words(&letter, key);
    }
    return words;
}

/* The grader stops here before each round. */
__attribute__((noinline)) int sweep_round(uint32_t to, message_t *letter)
{
    return ipc_send(to, letter, 0);
}

/* Sends a letters while the grader lets a timer interrupt arrive somewhere in the middle of each
 * copy. */
static int sweep(void)
{
    uint32_t other;
    int refusal = 0;
    int pid = crew_start_known("taker", crew.a, 100, &other);
    for (uint32_t key = 100; key < 100 + crew.a; key++) {
        message_t letter;
        letter_write(&letter, key);
        sleep(1); /* the taker waits, so that the copy is part of this send */
        int result = sweep_round(other, &letter);
        refusal = refusal == 0 ? result : refusal;
    }
    probe_report("first_refusal", (uint32_t)refusal);
    probe_report("words", (uint32_t)crew_wait(pid));
    probe_finish();
    return 0;
}

int main(const char *argument)
{
    static const struct crew_role roles[] = {
        {"receiver_first", receiver_first},
        {"sender_first", sender_first},
        {"order", order},
        {"receive_from", receive_from},
        {"forged", forged},
        {"nonblocking", nonblocking},
        {"sweep", sweep},
        {"sender", sender},
        {"early_sender", early_sender},
        {"chosen", chosen},
        {"forger", forger},
        {"quiet", quiet},
        {"taker", taker},
        {NULL, NULL},
    };
    return crew_play("rendezvous", argument, roles);
}
