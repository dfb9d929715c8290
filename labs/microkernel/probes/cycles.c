/*
 * Cycles: two, three or more processes, each of which would wait for the next one for ever. The
 * request that would close the cycle is refused; everybody else's goes on.
 */
#include "crew.h"

/* Receives one call and answers it with the letter of the next key. */
static int answer_one(void)
{
    message_t letter = {0};
    int result = ipc_receive(ENDPOINT_ANY, &letter, 0);
    if (result != 0)
        return result;
    uint32_t caller = letter.sender;
    letter_write(&letter, letter_key(&letter) + 1);
    return ipc_reply(caller, &letter);
}

/* Home's call to this process waits already. Its own send and call home must be refused, before
 * home's request is received and after; then it answers. Its exit status: one bit for each of the
 * four refusals. */
static int second_of_two(void)
{
    message_t letter;
    int refusals = 0, result = crew_hello();
    if (result != 0)
        return result;
    sleep_until(crew.b);
    letter_write(&letter, 1);
    refusals |= (ipc_send(crew.home, &letter, 0) == E_DEADLOCK) << 0;
    refusals |= (ipc_call(crew.home, &letter, 0) == E_DEADLOCK) << 1;
    if (ipc_receive(ENDPOINT_ANY, &letter, 0) != 0)
        return -1;
    message_t mine;
    letter_write(&mine, 1);
    refusals |= (ipc_send(crew.home, &mine, 0) == E_DEADLOCK) << 2;
    refusals |= (ipc_call(crew.home, &mine, 0) == E_DEADLOCK) << 3;
    letter_write(&letter, letter_key(&letter) + 1);
    result = ipc_reply(crew.home, &letter);
    return result != 0 ? result : refusals;
}

/* The smallest circle. */
static void itself(void)
{
    uint32_t other, self = (uint32_t)ipc_endpoint();
    message_t letter;
    letter_write(&letter, 40);
    probe_report("send_to_itself", (uint32_t)ipc_send(self, &letter, 0));
    probe_report("call_to_itself", (uint32_t)ipc_call(self, &letter, 0));
    int pid = crew_start_known("answerer", 0, 0, &other);
    probe_report("to_another", (uint32_t)ipc_call(other, &letter, 0));
    probe_report("answer", letter_words(&letter, 41));
    probe_report("answered", (uint32_t)crew_wait(pid));
}

static int two(void)
{
    uint32_t other;
    int pid = crew_start_known("second_of_two", 0, ticks() + CREW_LEAD, &other);
    message_t letter;
    letter_write(&letter, 40);
    probe_report("result", (uint32_t)ipc_call(other, &letter, 0));
    probe_report("words", letter_words(&letter, 41));
    probe_report("refusals", (uint32_t)crew_wait(pid));
    itself();
    probe_finish();
    return 0;
}

static int answerer(void)
{
    int result = crew_hello();
    return result != 0 ? result : answer_one();
}

/* One in the middle of a ring: calls a at tick b, while a call to it waits, then answers that. Its
 * exit status is the number of right words of its own answer. */
static int middle(void)
{
    message_t letter;
    int result = crew_hello();
    sleep_until(crew.b);
    letter_write(&letter, 50);
    if (result == 0)
        result = ipc_call(crew.a, &letter, 0);
    if (result != 0)
        return result;
    int words = (int)letter_words(&letter, 51);
    result = answer_one();
    return result != 0 ? result : words;
}

/* The last of a ring: its call home at tick b would close the circle; then it answers. */
static int last(void)
{
    message_t letter;
    int result = crew_hello();
    if (result != 0)
        return result;
    sleep_until(crew.b);
    letter_write(&letter, 60);
    int refused = ipc_call(crew.home, &letter, 0);
    result = answer_one();
    return result != 0 ? result : refused;
}

enum { RING_MAX = 5 };

/* Home calls the first, that one the second, and so on. Returns what the last of `members` was told
 * when it called home, and stores how many words of all answers were right. */
static int ring(int members, uint32_t *words)
{
    uint32_t start = ticks() + CREW_LEAD, next;
    int pids[RING_MAX];
    int last_pid = crew_start_known("last", 0, start + 3 * (uint32_t)members, &next);
    for (int i = members - 2; i >= 0; i--)
        pids[i] = crew_start_known("middle", next, start + 3 * (uint32_t)i + 3, &next);
    sleep_until(start);
    message_t letter;
    letter_write(&letter, 40);
    int result = ipc_call(next, &letter, 0);
    *words = result == 0 ? letter_words(&letter, 41) : 0;
    for (int i = 0; i < members - 1; i++)
        *words += (uint32_t)crew_wait(pids[i]);
    return crew_wait(last_pid);
}

static int late_sender(void)
{
    int result = crew_hello();
    sleep_until(crew.b);
    return result != 0 ? result : letter_send(crew.home, 70);
}

static int killer(void)
{
    sleep_until(crew.b);
    return kill(crew.a);
}

/* Home receives from a caller, the caller calls a sender, the sender sends home. That is no circle:
 * who receives waits for no reply, and not to send. Then the caller is killed. */
static void no_circle(void)
{
    uint32_t start = ticks() + CREW_LEAD, sender, caller;
    int sender_pid = crew_start_known("late_sender", 0, start + 6, &sender);
    int caller_pid = crew_start_known("middle", sender, start + 3, &caller);
    crew_start("killer", (uint32_t)caller_pid, start + 9);
    sleep_until(start);
    message_t letter = {0};
    probe_report("from_the_killed", (uint32_t)ipc_receive(caller, &letter, 0));
    int result = ipc_receive(sender, &letter, IPC_NONBLOCKING);
    probe_report("late_words", result == 0 ? letter_words(&letter, 70) : 0);
    probe_report("late_sent", (uint32_t)crew_wait(sender_pid));
}

static int rings(void)
{
    uint32_t words;
    probe_report("third", (uint32_t)ring(2, &words));
    probe_report("words_of_three", words);
    probe_report("sixth", (uint32_t)ring(5, &words));
    probe_report("words_of_six", words);
    no_circle();
    probe_finish();
    return 0;
}

int main(const char *argument)
{
    static const struct crew_role roles[] = {
        {"two", two},
        {"rings", rings},
        {"second_of_two", second_of_two},
        {"answerer", answerer},
        {"middle", middle},
        {"last", last},
        {"late_sender", late_sender},
        {"killer", killer},
        {NULL, NULL},
    };
    return crew_play("cycles", argument, roles);
}
