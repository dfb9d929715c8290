/*
 * Calls and replies: a call waits for the reply of the very process it was sent to, and a reply
 * reaches only a caller that waits for it, once.
 */
#include "crew.h"

enum { TURNS = 40 };

/* Answers one call, a ticks after it arrived, with the letter of the next key. Its exit status
 * tells of the reply. */
static int server(void)
{
    message_t letter = {0};
    int result = crew_hello();
    if (result == 0)
        result = ipc_receive(ENDPOINT_ANY, &letter, 0);
    if (result != 0)
        return result;
    uint32_t caller = letter.sender;
    sleep(crew.a);
    letter_write(&letter, letter_words(&letter, 10) == MESSAGE_WORDS ? 11 : 0xbad);
    return ipc_reply(caller, &letter);
}

/* Sends letter 20 to a caller that waits for somebody else's reply. */
static int intruder(void)
{
    sleep_until(crew.b);
    return letter_send(crew.home, 20);
}

static int call(void)
{
    uint32_t other;
    int server_pid = crew_start_known("server", 6, 0, &other);
    int intruder_pid = crew_start("intruder", 0, ticks() + CREW_LEAD);
    sleep(CREW_LEAD - 1); /* the intruder comes while this process waits for the server's reply */
    message_t letter;
    letter_write(&letter, 10);
    probe_report("result", (uint32_t)ipc_call(other, &letter, 0));
    probe_report("words", letter_words(&letter, 11));
    probe_report("from_server", letter.sender == other);
    probe_report("replied", (uint32_t)crew_wait(server_pid));
    probe_report("received", (uint32_t)ipc_receive(ENDPOINT_ANY, &letter, 0));
    probe_report("intruder_words", letter_words(&letter, 20));
    probe_report("intruder_sent", (uint32_t)crew_wait(intruder_pid));
    probe_finish();
    return 0;
}

/* Answers a calls, each in the moment it arrives: the caller must be found waiting. */
static int hasty_server(void)
{
    int refused = 0, result = crew_hello();
    for (uint32_t turn = 0; result == 0 && turn < crew.a; turn++) {
        message_t letter = {0};
        result = ipc_receive(ENDPOINT_ANY, &letter, 0);
        uint32_t caller = letter.sender;
        letter_write(&letter, letter_key(&letter) + 1);
        refused += ipc_reply(caller, &letter) != 0;
    }
    return result != 0 ? result : refused;
}

static int atomic(void)
{
    uint32_t other, words = 0;
    int pid = crew_start_known("hasty_server", TURNS, 0, &other);
    for (uint32_t turn = 0; turn < TURNS; turn++) {
        message_t letter;
        letter_write(&letter, 2 * turn);
        int result = ipc_call(other, &letter, 0);
        if (result != 0)
            crew_give_up("no_call", result);
        words += letter_words(&letter, 2 * turn + 1);
    }
    probe_report("words", words);
    probe_report("refused", (uint32_t)crew_wait(pid));
    probe_finish();
    return 0;
}

/* Says hello, then stays blocked in a plain send; its exit status is that send's result. */
static int writer(void)
{
    int result = crew_hello();
    return result != 0 ? result : letter_send(crew.home, 30);
}

/* Says hello and calls; its exit status is the number of right words of the reply. */
static int caller(void)
{
    message_t letter;
    int result = crew_hello();
    letter_write(&letter, 31);
    if (result == 0)
        result = ipc_call(crew.home, &letter, 0);
    return result != 0 ? result : (int)letter_words(&letter, 32);
}

/* Replies to a caller that waits for somebody else. */
static int meddler(void)
{
    message_t letter;
    letter_write(&letter, 33);
    return ipc_reply(crew.a, &letter);
}

static int reply_rules(void)
{
    uint32_t writing;
    message_t letter;
    int writer_pid = crew_start_known("writer", 0, 0, &writing);
    sleep(2); /* now the writer waits in its send */
    letter_write(&letter, 33);
    probe_report("to_sender", (uint32_t)ipc_reply(writing, &letter));
    probe_report("to_itself", (uint32_t)ipc_reply((uint32_t)ipc_endpoint(), &letter));
    probe_report("letter", ipc_receive(writing, &letter, 0) == 0 ? letter_words(&letter, 30) : 0);
    probe_report("letter_sent", (uint32_t)crew_wait(writer_pid));

    uint32_t calling;
    int caller_pid = crew_start_known("caller", 0, 0, &calling);
    sleep(2); /* now the caller waits in its call */
    letter_write(&letter, 33);
    probe_report("too_early", (uint32_t)ipc_reply(calling, &letter));
    int result = ipc_receive(ENDPOINT_ANY, &letter, 0);
    if (result != 0 || letter_words(&letter, 31) != MESSAGE_WORDS)
        crew_give_up("no_request", result);
    probe_report("of_another", (uint32_t)crew_wait(crew_start("meddler", calling, 0)));
    letter_write(&letter, 32);
    probe_report("reply", (uint32_t)ipc_reply(calling, &letter));
    letter_write(&letter, 33);
    probe_report("twice", (uint32_t)ipc_reply(calling, &letter));
    probe_report("reply_words", (uint32_t)crew_wait(caller_pid));
    probe_finish();
    return 0;
}

/* The back of the relay: takes the calls of both relays, then answers them in the other order. */
static int back(void)
{
    int result = crew_hello();
    for (uint32_t turn = 0; result == 0 && turn < TURNS; turn++) {
        message_t first = {0}, second = {0};
        result = ipc_receive(ENDPOINT_ANY, &first, 0);
        if (result == 0)
            result = ipc_receive(ENDPOINT_ANY, &second, 0);
        uint32_t first_caller = first.sender, second_caller = second.sender;
        letter_write(&second, letter_key(&second) + 1000);
        letter_write(&first, letter_key(&first) + 1000);
        if (result == 0)
            result = ipc_reply(second_caller, &second);
        if (result == 0)
            result = ipc_reply(first_caller, &first);
    }
    return result;
}

/* One of two in the middle: passes every call on to a, and the answer back. */
static int relay(void)
{
    int result = crew_hello();
    for (uint32_t turn = 0; result == 0 && turn < TURNS; turn++) {
        message_t letter = {0};
        result = ipc_receive(ENDPOINT_ANY, &letter, 0);
        uint32_t client = letter.sender;
        letter.sender = 0;
        if (result == 0)
            result = ipc_call(crew.a, &letter, 0);
        letter.sender = 0;
        if (result == 0)
            result = ipc_reply(client, &letter);
    }
    return result;
}

/* One of two in front: its exit status is the number of its words that came back right through the
 * relay a. */
static int front(void)
{
    int words = 0;
    for (uint32_t turn = 0; turn < TURNS; turn++) {
        message_t letter;
        letter_write(&letter, crew.b + turn);
        int result = ipc_call(crew.a, &letter, 0);
        if (result != 0)
            return result;
        words += (int)letter_words(&letter, crew.b + turn + 1000);
    }
    return words;
}

static int turns(void)
{
    uint32_t last, middle[2];
    int pids[5];
    pids[0] = crew_start_known("back", 0, 0, &last);
    pids[1] = crew_start_known("relay", last, 0, &middle[0]);
    pids[2] = crew_start_known("relay", last, 0, &middle[1]);
    pids[3] = crew_start("front", middle[0], 100);
    pids[4] = crew_start("front", middle[1], 500);
    probe_report("first_words", (uint32_t)crew_wait(pids[3]));
    probe_report("second_words", (uint32_t)crew_wait(pids[4]));
    probe_report("back", (uint32_t)crew_wait(pids[0]));
    probe_report("relays", (uint32_t)(crew_wait(pids[1]) | crew_wait(pids[2])));
    probe_finish();
    return 0;
}

int main(const char *argument)
{
    static const struct crew_role roles[] = {
        {"call", call},
        {"atomic", atomic},
        {"reply_rules", reply_rules},
        {"turns", turns},
        {"server", server},
        {"intruder", intruder},
        {"hasty_server", hasty_server},
        {"writer", writer},
        {"caller", caller},
        {"meddler", meddler},
        {"back", back},
        {"relay", relay},
        {"front", front},
        {NULL, NULL},
    };
    return crew_play("calls", argument, roles);
}
