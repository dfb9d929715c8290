/*
 * Processes that end in the middle of a conversation: whoever waits for them is told, nothing of
 * them stays behind, and their endpoints never mean anybody else.
 */
#include "crew.h"

/* Answers one call, takes one request that it never answers, then sleeps until it is killed. */
static int victim(void)
{
    message_t letter = {0};
    int result = crew_hello();
    if (result == 0)
        result = ipc_receive(ENDPOINT_ANY, &letter, 0);
    uint32_t caller = letter.sender;
    letter_write(&letter, letter_key(&letter) + 1);
    if (result == 0)
        result = ipc_reply(caller, &letter);
    if (result == 0)
        result = ipc_receive(ENDPOINT_ANY, &letter, 0);
    if (result != 0)
        return result;
    sleep(500);
    return 0;
}

static int sending(void)
{
    sleep_until(crew.b);
    return letter_send(crew.a, 1);
}

/* Its exit status tells how its first call to a ended, if that was wrong, otherwise its second. */
static int calling_twice(void)
{
    message_t letter;
    letter_write(&letter, 2);
    int result = ipc_call(crew.a, &letter, 0);
    if (result != 0 || letter_words(&letter, 3) != MESSAGE_WORDS)
        return result != 0 ? result : -1;
    return ipc_call(crew.a, &letter, 0);
}

static int calling(void)
{
    message_t letter;
    sleep_until(crew.b);
    letter_write(&letter, 4);
    return ipc_call(crew.a, &letter, 0);
}

static int receiving(void)
{
    message_t letter = {0};
    sleep_until(crew.b);
    return ipc_receive(crew.a, &letter, 0);
}

static int receiver_dies(void)
{
    uint32_t start = ticks() + CREW_LEAD, endpoint;
    int victim_pid = crew_start_known("victim", 0, 0, &endpoint);
    int pids[] = {
        crew_start("calling_twice", endpoint, 0),     crew_start("sending", endpoint, start + 3),
        crew_start("sending", endpoint, start + 4),   crew_start("calling", endpoint, start + 5),
        crew_start("receiving", endpoint, start + 6),
    };
    sleep_until(start + 9);
    probe_report("killed", (uint32_t)kill((uint32_t)victim_pid));
    probe_report("victim", (uint32_t)crew_wait(victim_pid));
    static const char *const keys[] = {"wait_for_reply", "first_sender", "second_sender",
                                       "queued_caller", "receiver"};
    for (int i = 0; i < 5; i++)
        probe_report(keys[i], (uint32_t)crew_wait(pids[i]));
    probe_finish();
    return 0;
}

/* Sends letter a to home at tick b. */
static int writing(void)
{
    sleep_until(crew.b);
    return letter_send(crew.home, crew.a);
}

static int sender_dies(void)
{
    uint32_t start = ticks() + CREW_LEAD, arrived = 0, words = 0;
    int pids[5];
    for (uint32_t i = 0; i < 5; i++)
        pids[i] = crew_start("writing", i, start + i);
    sleep_until(start + 7);
    for (int i = 0; i < 5; i += 2) { /* the first of the queue, one in the middle, and the last */
        kill((uint32_t)pids[i]);
        crew_wait(pids[i]);
    }
    message_t letter = {0};
    for (int i = 0; i < 2; i++) {
        int result = ipc_receive(ENDPOINT_ANY, &letter, IPC_NONBLOCKING);
        if (result != 0)
            crew_give_up("no_receive", result);
        words += letter_words(&letter, letter_key(&letter));
        arrived |= 1u << (letter_key(&letter) & 31);
    }
    probe_report("arrived", arrived);
    probe_report("words", words);
    probe_report("then", (uint32_t)ipc_receive(ENDPOINT_ANY, &letter, IPC_NONBLOCKING));
    probe_report("sent", (uint32_t)(crew_wait(pids[1]) | crew_wait(pids[3])));
    int pid = crew_start("writing", 5, 0); /* the queue still takes new ones */
    int result = ipc_receive(ENDPOINT_ANY, &letter, 0);
    probe_report("new_sender", result != 0 ? (uint32_t)result : letter_words(&letter, 5));
    probe_report("new_sent", (uint32_t)crew_wait(pid));
    probe_finish();
    return 0;
}

/* Calls home; its exit status is the number of right words of the answer. */
static int asking(void)
{
    message_t letter;
    letter_write(&letter, 6);
    int result = ipc_call(crew.home, &letter, 0);
    return result != 0 ? result : (int)letter_words(&letter, 7);
}

static int caller_dies(void)
{
    message_t letter = {0};
    for (int survives = 0; survives <= 1; survives++) {
        int pid = crew_start("asking", 0, 0);
        int result = ipc_receive(ENDPOINT_ANY, &letter, 0);
        if (result != 0)
            crew_give_up("no_receive", result);
        uint32_t caller = letter.sender;
        if (!survives)
            kill((uint32_t)pid);
        int status = survives ? 0 : crew_wait(pid);
        letter_write(&letter, 7);
        result = ipc_reply(caller, &letter);
        probe_report(survives ? "reply_to_living" : "reply_to_dead", (uint32_t)result);
        status = survives ? crew_wait(pid) : status;
        probe_report(survives ? "words" : "killed", (uint32_t)status);
    }
    probe_finish();
    return 0;
}

static int brief(void)
{
    return crew_hello();
}

/* Says hello and takes a letter: exit status its right words. A letter with another key sends it
 * away. */
static int guest(void)
{
    message_t letter = {0};
    int result = crew_hello();
    if (result == 0)
        result = ipc_receive(ENDPOINT_ANY, &letter, 0);
    return result != 0 ? result : (int)letter_words(&letter, 9);
}

/* Starts guests, one after the other, until one sits in the slot of the dead `stale`; stores its
 * endpoint. */
static int guest_in_slot(uint32_t stale, uint32_t *endpoint)
{
    for (int tries = 0; tries < 160; tries++) {
        int pid = crew_start_known("guest", 0, 0, endpoint);
        if (*endpoint % ENDPOINT_SLOTS == stale % ENDPOINT_SLOTS)
            return pid;
        letter_send(*endpoint, 8);
        crew_wait(pid);
    }
    crew_give_up("slot_not_reused", 0);
    return 0;
}

static int stale(void)
{
    uint32_t old, new;
    crew_wait(crew_start_known("brief", 0, 0, &old));
    int pid = guest_in_slot(old, &new);
    message_t letter;
    letter_write(&letter, 8);
    probe_report("old", old);
    probe_report("new", new);
    probe_report("grown", new / ENDPOINT_SLOTS > old / ENDPOINT_SLOTS);
    probe_report("send", (uint32_t)ipc_send(old, &letter, IPC_NONBLOCKING));
    probe_report("call", (uint32_t)ipc_call(old, &letter, IPC_NONBLOCKING));
    probe_report("reply", (uint32_t)ipc_reply(old, &letter));
    probe_report("notify", (uint32_t)ipc_notify(old, 1));
    probe_report("receive", (uint32_t)ipc_receive(old, &letter, IPC_NONBLOCKING));
    sleep(1);
    probe_report("sent_to_new", (uint32_t)letter_send(new, 9));
    probe_report("words", (uint32_t)crew_wait(pid));
    probe_finish();
    return 0;
}

/* Endpoints that nobody ever had. */
static int never(void)
{
    uint32_t self = (uint32_t)ipc_endpoint(), other;
    uint32_t never[] = {self + 64 * 1000, self % 64, 63, 0x7fffffff, 0xfffffffe};
    uint32_t sends = 0, calls = 0, replies = 0, notices = 0;
    for (int i = 0; i < 5; i++) {
        message_t letter;
        letter_write(&letter, 8);
        int results[] = {ipc_send(never[i], &letter, 0), ipc_call(never[i], &letter, 0),
                         ipc_reply(never[i], &letter), ipc_notify(never[i], 1)};
        sends |= (uint32_t)(results[0] == E_INVALID || results[0] == E_DEAD) << i;
        calls |= (uint32_t)(results[1] == E_INVALID || results[1] == E_DEAD) << i;
        replies |= (uint32_t)(results[2] == E_INVALID || results[2] == E_DEAD) << i;
        notices |= (uint32_t)(results[3] == E_INVALID || results[3] == E_DEAD) << i;
    }
    probe_report("sends", sends);
    probe_report("calls", calls);
    probe_report("replies", replies);
    probe_report("notices", notices);
    int pid = crew_start_known("guest", 0, 0, &other);
    probe_report("to_a_real_one", (uint32_t)letter_send(other, 9));
    probe_report("words", (uint32_t)crew_wait(pid));
    probe_finish();
    return 0;
}

int main(const char *argument)
{
    static const struct crew_role roles[] = {
        {"receiver_dies", receiver_dies},
        {"sender_dies", sender_dies},
        {"caller_dies", caller_dies},
        {"stale", stale},
        {"never", never},
        {"victim", victim},
        {"sending", sending},
        {"calling", calling},
        {"calling_twice", calling_twice},
        {"receiving", receiving},
        {"writing", writing},
        {"asking", asking},
        {"brief", brief},
        {"guest", guest},
        {NULL, NULL},
    };
    return crew_play("death", argument, roles);
}
