/*
 * What the probes of this lab share. A probe is one program that is started several times, in
 * several roles: the first process plays the role the test asked for and starts the others, its
 * crew. A member tells its result by its exit status, so that a member may be ended by its crime.
 */
#ifndef CREW_H
#define CREW_H

#include "endokernel.h"
#include "handle.h"
#include "library.h"
#include "probe.h"

/* What a child's exit status says of an attack. */
enum {
    HARMLESS = 100, /* it did nothing, and the attacker still lives */
    HARMFUL = 666,  /* it did what it must not */
};

static struct {
    char program[24]; /* this program's name in the archive */
    char role[20];
    uint32_t nonce;
    uint32_t a, b; /* two numbers for the role to use */
    uint32_t seed; /* what the files of the test that may be known are made from */
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

/* Starts a program in `role`. Returns its process id, or the error. */
static inline int crew_spawn(const char *program, const char *role, uint32_t a, uint32_t b)
{
    char argument[120];
    char *end = crew_append(crew_append(argument, "role="), role);
    end = crew_append_number(end, " nonce=", crew.nonce);
    end = crew_append_number(end, " a=", a);
    end = crew_append_number(end, " b=", b);
    crew_append_number(end, " seed=", crew.seed);
    return spawn(program, argument);
}

/* Starts a program in `role`, as every later step needs; returns its process id. */
static inline int crew_start_program(const char *program, const char *role, uint32_t a, uint32_t b)
{
    int pid = crew_spawn(program, role, a, b);
    if (pid <= 0)
        crew_give_up("no_spawn", pid);
    return pid;
}

static inline int crew_start(const char *role, uint32_t a, uint32_t b)
{
    return crew_start_program(crew.program, role, a, b);
}

/* The exit status of one member. */
static inline int crew_wait(int pid)
{
    int status = 0;
    int result = wait((uint32_t)pid, &status);
    if (result != pid)
        crew_give_up("no_wait", result);
    return status;
}

/* The exit status of a member of this program that plays `role` now. */
static inline int crew_run(const char *role, uint32_t a, uint32_t b)
{
    return crew_wait(crew_start(role, a, b));
}

/* Whether a process of that name, other than a zombie, is listed. */
static inline bool crew_lives(const char *name)
{
    static struct process_entry entries[64];
    int count = list_processes(entries, 64);
    for (int i = 0; i < count; i++)
        if (strcmp(entries[i].name, name) == 0 && entries[i].state != ZOMBIE)
            return true;
    return false;
}

/* Reports one of several values of a kind: under the key with its number behind it. */
static inline void crew_report_one(const char *key, uint32_t number, uint32_t value)
{
    char numbered[PROBE_KEY_MAX + 1];
    crew_append_number(numbered, key, number);
    probe_report(numbered, value);
}

static uint32_t crew_attempts; /* how often something was tried that must be refused */
static bool crew_taken;        /* whether one of these was not */

/* Takes the result of the next attempt. The number of the first one that was not refused is
 * reported at once. */
static inline void must_fail(int result)
{
    if (result >= 0 && !crew_taken) {
        crew_taken = true;
        print("\n"); /* so that the report begins a line, whatever was written */
        probe_report("taken", crew_attempts);
    }
    crew_attempts++;
}

/* Reports how many attempts there were, if all of them were refused. */
static inline void crew_report_attempts(void)
{
    print("\n");
    if (!crew_taken)
        probe_report("taken", crew_attempts);
}

/* A number that follows from the nonce and `place`; none of the pages of a program holds it by
 * chance. */
static inline uint32_t crew_word(uint32_t place)
{
    return (crew.nonce + place * 0x9e3779b1u) | 1;
}

/* How many of `length` bytes from `offset` of a file are what the test made from the seed. */
static inline uint32_t crew_right_bytes(const uint8_t *bytes, uint32_t offset, uint32_t length)
{
    uint32_t right = 0;
    for (uint32_t place = offset; place < offset + length; place++) {
        uint32_t word = crew.seed + place / 4 * 0x9e3779b1u;
        right += bytes[place - offset] == (uint8_t)(word >> 8 * (place % 4));
    }
    return right;
}

/* What a reader of a file tells of it without showing it. */
static inline uint32_t crew_checksum(const uint8_t *bytes, uint32_t length)
{
    uint32_t sum = length;
    for (uint32_t i = 0; i < length; i++)
        sum = sum * 31 + bytes[i];
    return sum;
}

/* Reads the argument and plays the role it names, once: a jump into the wild may lead to main
 * again. */
static inline int crew_play(const char *program, const char *argument,
                            const struct crew_role *roles)
{
    static bool plays;
    if (plays)
        return HARMLESS;
    plays = true;
    crew_append(crew.program, program);
    if (!probe_text(argument, "role", crew.role, sizeof crew.role))
        return -1; /* nobody of ours has started it */
    crew.nonce = probe_number(argument, "nonce", 0);
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
