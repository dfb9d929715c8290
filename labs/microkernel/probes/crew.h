/*
 * What the probes of this lab share. A test's probe is one program that is started several times,
 * in several roles: the first process plays the role the test asked for and starts the others, its
 * crew, with `crew_start`. A member tells its result by its exit status, or by messages to
 * `crew.home`, the endpoint of the process that started it.
 */
#ifndef CREW_H
#define CREW_H

#include "ipc.h"
#include "library.h"
#include "probe.h"

#define CREW_LETTER 0x1000u /* type of a letter with key k is CREW_LETTER + k */
#define CREW_HELLO  0x0fffu /* type of the message by which a member tells its endpoint */

/* Ticks until a crew of several begins: time enough for the slowest kernel to start them all. To
 * wait is free. */
#define CREW_LEAD 30u

static struct {
    char program[24]; /* this program's name in the archive */
    const char *argument;
    char role[20];
    uint32_t nonce;
    uint32_t home; /* endpoint of the process that started this one */
    uint32_t a, b; /* two numbers for the role to use */
    uint32_t seed; /* a number that the whole crew and the test know, from which files are made */
} crew;

struct crew_role {
    const char *name;
    int (*play)(void);
};

static inline char *crew_append(char *to, const char *text)
{
    while (*text != '\0')
        *to++ = *text++;
    *to = '\0';
    return to;
}

static inline char *crew_append_number(char *to, const char *key, uint32_t value)
{
    char digits[12];
    int at = sizeof digits - 1;
    digits[at] = '\0';
    do
        digits[--at] = (char)('0' + value % 10);
    while ((value /= 10) != 0);
    return crew_append(crew_append(to, key), digits + at);
}

/* Ends the test early: a step that every later one needs went wrong with `result`. */
static inline void crew_give_up(const char *step, int result)
{
    probe_report(step, (uint32_t)result);
    probe_finish();
}

/* Starts this program once more in `role`; returns its process id. */
static inline int crew_start(const char *role, uint32_t a, uint32_t b)
{
    char argument[200];
    char *end = crew_append(crew_append(argument, "role="), role);
    end = crew_append_number(end, " nonce=", crew.nonce);
    end = crew_append_number(end, " home=", (uint32_t)ipc_endpoint());
    end = crew_append_number(end, " a=", a);
    end = crew_append_number(end, " b=", b);
    crew_append_number(end, " seed=", crew.seed);
    int pid = spawn(crew.program, argument);
    if (pid <= 0)
        crew_give_up("no_spawn", pid);
    return pid;
}

/* A member's first act where the test needs its endpoint. */
static inline int crew_hello(void)
{
    message_t hello = {.type = CREW_HELLO};
    return ipc_send(crew.home, &hello, 0);
}

/* Starts a member that says hello; stores its endpoint and returns its process id. */
static inline int crew_start_known(const char *role, uint32_t a, uint32_t b, uint32_t *endpoint)
{
    int pid = crew_start(role, a, b);
    message_t hello = {0};
    int result = ipc_receive(ENDPOINT_ANY, &hello, 0);
    if (result != 0 || hello.type != CREW_HELLO)
        crew_give_up("no_hello", result);
    *endpoint = hello.sender;
    return pid;
}

/* The exit status of one member. */
static inline int crew_wait(int pid)
{
    int status = 0;
    int result = wait(pid, &status);
    if (result != pid)
        crew_give_up("no_wait", result);
    return status;
}

/* Whether a process of that name is listed; stores its process id. */
static inline bool crew_find(const char *name, uint32_t *pid)
{
    static struct process_entry entries[64];
    int count = list_processes(entries, 64);
    for (int i = 0; i < count; i++)
        if (strcmp(entries[i].name, name) == 0) {
            *pid = entries[i].pid;
            return true;
        }
    return false;
}

/* Every word of a letter follows from the nonce, the letter's key and the word's place; word 0 of
 * letter 0 is the nonce. */
static inline uint32_t letter_word(uint32_t key, uint32_t place)
{
    return crew.nonce + key * 0x01000193u + place * 0x9e3779b1u;
}

static inline void letter_write(message_t *letter, uint32_t key)
{
    letter->sender = 0;
    letter->type = CREW_LETTER + key;
    for (uint32_t place = 0; place < MESSAGE_WORDS; place++)
        letter->payload[place] = letter_word(key, place);
}

/* How many of the 14 payload words are those of the letter with this key; 0 as well if its type is
 * another. */
static inline uint32_t letter_words(const message_t *letter, uint32_t key)
{
    uint32_t right = 0;
    for (uint32_t place = 0; place < MESSAGE_WORDS; place++)
        right += letter->payload[place] == letter_word(key, place);
    return letter->type == CREW_LETTER + key ? right : 0;
}

static inline uint32_t letter_key(const message_t *letter)
{
    return letter->type - CREW_LETTER;
}

static inline int letter_send(uint32_t to, uint32_t key)
{
    message_t letter;
    letter_write(&letter, key);
    return ipc_send(to, &letter, 0);
}

static inline void sleep_until(uint32_t tick)
{
    uint32_t now = (uint32_t)ticks();
    if ((int32_t)(tick - now) > 0)
        sleep(tick - now);
}

/* Reads the argument and plays the role it names. */
static inline int crew_play(const char *program, const char *argument,
                            const struct crew_role *roles)
{
    crew_append(crew.program, program);
    crew.argument = argument;
    if (!probe_text(argument, "role", crew.role, sizeof crew.role))
        crew_give_up("no_role", 0);
    crew.nonce = probe_number(argument, "nonce", 0);
    crew.home = probe_number(argument, "home", 0);
    crew.a = probe_number(argument, "a", 0);
    crew.b = probe_number(argument, "b", 0);
    crew.seed = probe_number(argument, "seed", 0);
    for (; roles->name != NULL; roles++)
        if (strcmp(roles->name, crew.role) == 0)
            return roles->play();
    crew_give_up("no_such_role", 0);
    return 0;
}

#endif
