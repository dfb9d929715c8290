/*
 * Cycles: two or three processes, each of which would wait for the next one for ever. The request
 * that would close the cycle is refused; everybody else's goes on.
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

static int two(void)
{
    uint32_t other;
    int pid = crew_start_known("second_of_two", 0, ticks() + CREW_LEAD, &other);
    message_t letter;
    letter_write(&letter, 40);
    probe_report("result", (uint32_t)ipc_call(other, &letter, 0));
    probe_report("words", letter_words(&letter, 41));
    probe_report("refusals", (uint32_t)crew_wait(pid));
    probe_finish();
    return 0;
}

static int itself(void)
{
    uint32_t other, self = (uint32_t)ipc_endpoint();
    message_t letter;
    letter_write(&letter, 40);
    probe_report("send", (uint32_t)ipc_send(self, &letter, 0));
    probe_report("call", (uint32_t)ipc_call(self, &letter, 0));
    int pid = crew_start_known("answerer", 0, 0, &other);
    probe_report("to_another", (uint32_t)ipc_call(other, &letter, 0));
    probe_report("words", letter_words(&letter, 41));
    probe_report("answered", (uint32_t)crew_wait(pid));
    probe_finish();
    return 0;
}

static int answerer(void)
{
    int result = crew_hello();
    return result != 0 ? result : answer_one();
}

/* The middle of three: calls a while home's call to it waits, then answers home. */
static int second_of_three(void)
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

/* The last of three: its call home would close the cycle; then it answers the middle one. */
static int third_of_three(void)
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

static int three(void)
{
    uint32_t start = ticks() + CREW_LEAD, middle, last;
    int last_pid = crew_start_known("third_of_three", 0, start + 6, &last);
    int middle_pid = crew_start_known("second_of_three", last, start + 3, &middle);
    sleep_until(start);
    message_t letter;
    letter_write(&letter, 40);
    probe_report("first", (uint32_t)ipc_call(middle, &letter, 0));
    probe_report("first_words", letter_words(&letter, 41));
    probe_report("second_words", (uint32_t)crew_wait(middle_pid));
    probe_report("third", (uint32_t)crew_wait(last_pid));
    probe_finish();
    return 0;
}

int main(const char *argument)
{
    static const struct crew_role roles[] = {
        {"two", two},
        {"itself", itself},
        {"three", three},
        {"second_of_two", second_of_two},
        {"answerer", answerer},
        {"second_of_three", second_of_three},
        {"third_of_three", third_of_three},
        {NULL, NULL},
    };
    return crew_play("cycles", argument, roles);
}
