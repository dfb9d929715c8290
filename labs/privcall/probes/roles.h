/*
 * What the probes of this lab share. A probe is one program that is started several times, in
 * several roles: the first process plays the role the test asked for, and has every attack that may
 * end a process made by a child, itself once more in another role. The child's exit status tells
 * how the attack ended: EXIT_FAULT(vector) of system_call.h, or what the child returned.
 */
#ifndef ROLES_H
#define ROLES_H

#include "library.h"
#include "probe.h"

#define ROLE_DONE 539 /* the exit status of a child that nothing and nobody has stopped */

typedef struct {
    const char *name;
    int (*play)(void);
} role_t;

static struct {
    const char *program; /* this program's name in the archive */
    const char *argument;
    char role[24];
    uint32_t nonce;
    uint32_t a, b, c; /* numbers for the role to use */
} role;

static inline char *role_append(char *to, const char *text)
{
    while (*text != '\0') {
        *to++ = *text++;
    }
    *to = '\0';
    return to;
}

static inline char *role_append_number(char *to, const char *key, uint32_t value)
{
    char digits[12];
    size_t at = sizeof digits - 1;

    digits[at] = '\0';
    do {
        digits[--at] = (char)('0' + value % 10);
    } while ((value /= 10) != 0);
    return role_append(role_append(to, key), digits + at);
}

/* Ends the test early: a step that every later one needs went wrong with `result`. */
static inline void role_give_up(const char *step, int result)
{
    probe_report(step, (uint32_t)result);
    probe_finish();
}

/* Starts `program` in a role; returns its process id. */
static inline int role_start_as(const char *program, const char *name, uint32_t a, uint32_t b,
                                uint32_t c)
{
    char argument[120];
    char *end = role_append(role_append(argument, "role="), name);

    end = role_append_number(end, " nonce=", role.nonce);
    end = role_append_number(end, " a=", a);
    end = role_append_number(end, " b=", b);
    role_append_number(end, " c=", c);
    const int pid = spawn(program, argument);
    if (pid <= 0) {
        role_give_up("no-spawn", pid);
    }
    return pid;
}

/* Starts this program once more. */
static inline int role_start(const char *name, uint32_t a, uint32_t b, uint32_t c)
{
    return role_start_as(role.program, name, a, b, c);
}

/* The exit status of a child. */
static inline int role_wait(int pid)
{
    int status = 0;
    const int result = wait((uint32_t)pid, &status);

    if (result != pid) {
        role_give_up("no-wait", result);
    }
    return status;
}

/* Has a child play a role, and reports under `key` how it ended. */
static inline void role_try(const char *key, const char *name, uint32_t a, uint32_t b, uint32_t c)
{
    probe_report(key, (uint32_t)role_wait(role_start(name, a, b, c)));
}

/* Reads the argument and plays the role it names. */
static inline int role_play(const char *program, const char *argument, const role_t *roles)
{
    role.program = program;
    role.argument = argument;
    if (!probe_text(argument, "role", role.role, sizeof role.role)) {
        return -1; /* nobody of ours has started it */
    }
    role.nonce = probe_number(argument, "nonce", 0);
    role.a = probe_number(argument, "a", 0);
    role.b = probe_number(argument, "b", 0);
    role.c = probe_number(argument, "c", 0);
    for (; roles->name != NULL; roles++) {
        if (strcmp(roles->name, role.role) == 0) {
            return roles->play();
        }
    }
    role_give_up("no-such-role", 0);
    return 0;
}

#endif
