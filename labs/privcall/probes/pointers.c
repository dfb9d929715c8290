/*
 * Buffers for privcalls, right ones and wrong ones: what lies wholly in ordinary memory goes in and
 * comes out, everything else is E_FAULT, and the function has not run.
 */
#include "pointers.h"

#include "privcall.h"
#include "privuser.h"
#include "roles.h"

#define PAGE   4096u
#define KBASE  0xC0000000u
#define LITTLE 8u          /* bytes of a buffer in sweeps, which go through each instruction */
#define AREA   0x20000000u /* two pages of which the second is not mapped */

static uint8_t buffer[PRIVCALL_BUFFER_MAX + 1];

/* The grader stops here. */
__attribute__((noinline)) void look_here(const void *what)
{
    __asm__ volatile("" : : "r"(what) : "memory");
}

static void fill_buffer(uint8_t *bytes, uint32_t length)
{
    for (uint32_t i = 0; i < length; i++) {
        bytes[i] = (uint8_t)(role.nonce >> (i % 4 * 8)) + (uint8_t)i;
    }
}

static int sum_of(const uint8_t *bytes, uint32_t length)
{
    int sum = 0;

    for (uint32_t i = 0; i < length; i++) {
        sum += bytes[i];
    }
    return sum;
}

/* Pages on both sides of PrivUser, so that only the right check can tell them from it. */
static void map_neighbours(void)
{
    const int below = memory_map((void *)(PRIVUSER_START - PAGE), PAGE);
    const int after = memory_map((void *)PRIVUSER_END, PAGE);

    if (below != OK || after != OK) {
        role_give_up("no-memory", below != OK ? below : after);
    }
}

static uint32_t run_count(void)
{
    return (uint32_t)privcall(POINTERS_RUNS, 0, 0, 0, 0);
}

/* a: the address of a secret of 256 bytes. Played by a child, which reports and finishes itself. */
static int ranges(void)
{
    const struct {
        const char *key;
        uint32_t start, length;
    } bad_ranges[] = {
        {"secret", role.a, 256},
        {"header", PRIVUSER_START, 4},
        {"into", PRIVUSER_START - 15, 16},
        {"out-of", PRIVUSER_END - 1, 16},
        {"hole", PRIVUSER_END - PAGE, 16},
        {"last-byte", PRIVUSER_END - 1, 1},
        {"KBASE", KBASE, 4},
        {"kernel", KBASE + 0x100000, 256},
        {"across-KBASE", KBASE - 15, 16},
        {"end", 0xFFFFFFF0, 15},
        {"to-zero", 0xFFFFFFF0, 16},
        {"wraps", 0xFFFFFFF0, 32},
        {"null", 0, 4},
        {"page-0", PAGE - 1, 8},
    };

    map_neighbours();
    look_here(NULL);
    const uint32_t before = run_count();
    for (size_t i = 0; i < sizeof bad_ranges / sizeof bad_ranges[0]; i++) {
        const uint32_t start = bad_ranges[i].start, length = bad_ranges[i].length;
        probe_report(bad_ranges[i].key, (uint32_t)privcall(POINTERS_SUM, start, length, 0, 0));
        probe_report(bad_ranges[i].key, (uint32_t)privcall(POINTERS_SECOND, 0, start, length, 0));
        probe_report(bad_ranges[i].key, (uint32_t)privcall(POINTERS_THIRD, 0, 0, start, length));
        probe_report(bad_ranges[i].key,
                     (uint32_t)privcall(POINTERS_FILL, start, length, role.nonce, FILL_ALL));
        probe_report(bad_ranges[i].key,
                     (uint32_t)privcall(POINTERS_COPY, (uint32_t)buffer, length, start, length));
    }
    probe_report("long", (uint32_t)privcall(POINTERS_SUM, (uint32_t)buffer, 257, 0, 0));
    probe_report("long", (uint32_t)privcall(POINTERS_FILL, (uint32_t)buffer, 257, 1, FILL_ALL));
    probe_report("longest", (uint32_t)privcall(POINTERS_SUM, (uint32_t)buffer, 0xFFFFFFFF, 0, 0));
    probe_report("longest", (uint32_t)privcall(POINTERS_FILL, AREA, 0x80000000, 1, FILL_ALL));
    probe_report("lengthless", (uint32_t)privcall(POINTERS_FOURTH, 4, 4, 4, (uint32_t)buffer));
    probe_report("lengthless", (uint32_t)privcall(POINTERS_FOURTH, 0, 0, 0, (uint32_t)buffer));
    probe_report("lengthless-bad", (uint32_t)privcall(POINTERS_FOURTH, 0, 0, 0, role.a));
    probe_report("ran", run_count() - before);
    probe_report("still-right",
                 privcall(POINTERS_SUM, (uint32_t) "abc", 3, 0, 0) == 'a' + 'b' + 'c');
    probe_finish();
}

static int bad(void)
{
    role_give_up("ended", role_wait(role_start("ranges", role.a, 0, 0)));
    return 0;
}

/* One bit for each that came out right. */
static int good(void)
{
    uint8_t *const below = (uint8_t *)PRIVUSER_START - 64;
    uint8_t *const after = (uint8_t *)PRIVUSER_END;
    uint8_t on_stack[33];
    const struct {
        const char *key;
        uint8_t *start;
        uint32_t length;
    } ranges[] = {
        {"all", buffer, PRIVCALL_BUFFER_MAX}, {"odd", buffer + 1, 255}, {"one", buffer + 7, 1},
        {"stack", on_stack, sizeof on_stack}, {"below", below, 64},     {"after", after, 64},
    };

    map_neighbours();
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        uint8_t *const start = ranges[i].start;
        const uint32_t length = ranges[i].length;
        fill_buffer(start, length);
        const int sum = sum_of(start, length);
        uint32_t right = privcall(POINTERS_SUM, (uint32_t)start, length, 0, 0) == sum;
        right |= (uint32_t)(privcall(POINTERS_SECOND, 0, (uint32_t)start, length, 0) == sum) << 3;
        right |= (uint32_t)(privcall(POINTERS_THIRD, 0, 0, (uint32_t)start, length) == sum) << 1;
        const int dirty = privcall(POINTERS_FILL, (uint32_t)start, length, 3, FILL_ALL);
        right |= (uint32_t)(dirty == 0 && sum_of(start, length) == 3 * (int)length) << 2;
        probe_report(ranges[i].key, right);
    }
    probe_report("nothing-in", (uint32_t)privcall(POINTERS_SUM, (uint32_t)buffer, 0, 0, 0));
    probe_report("nothing-out", (uint32_t)privcall(POINTERS_FILL, (uint32_t)buffer, 0, 1, 0));
    probe_finish();
}

/* What comes out of a function is what it wrote, and nothing when it failed. */
static int out(void)
{
    uint8_t result[100];

    fill_buffer(buffer, sizeof buffer);
    privcall(POINTERS_SUM, (uint32_t)buffer, 256, 0, 0); /* leaves its bytes where copies lie */
    probe_report("dirty", (uint32_t)privcall(POINTERS_FILL, (uint32_t)result, 100, 5, FILL_HALF));
    probe_report("half", (uint32_t)sum_of(result, 100));
    probe_report("zeros", (uint32_t)sum_of(result + 50, 50));
    memset(result, 9, sizeof result);
    probe_report("failed", (uint32_t)privcall(POINTERS_FILL, (uint32_t)result, 100, 7, FILL_FAIL));
    probe_report("untouched", (uint32_t)sum_of(result, 100));
    probe_report("copied",
                 (uint32_t)privcall(POINTERS_COPY, (uint32_t)buffer, 100, (uint32_t)result, 100));
    uint32_t right = 0;
    for (uint32_t i = 0; i < 100; i++) {
        right += result[i] == (uint8_t)(buffer[i] + 1);
    }
    probe_report("right", right);
    memset(result, 4, sizeof result);
    probe_report("itself",
                 (uint32_t)privcall(POINTERS_COPY, (uint32_t)result, 100, (uint32_t)result, 100));
    probe_report("in-place", (uint32_t)sum_of(result, 100));
    probe_finish();
}

/* a: number; b: address; c: length. Its own text must be what it was. */
static int try_there(void)
{
    static const uint8_t *const text = (const uint8_t *)try_there;
    const int before = sum_of(text, 16);
    int result;

    memory_map((void *)AREA, PAGE);
    if (role.a == POINTERS_FILL) {
        result = privcall(POINTERS_FILL, role.b, role.c, 1, FILL_ALL);
    } else {
        result = privcall(role.a, role.b, role.c, 0, 0);
    }
    return sum_of(text, 16) == before ? result : ROLE_DONE;
}

static int absent(void)
{
    static const uint8_t constant[4] = {1, 2, 3, 4};

    role_try("in-absent", "try_there", POINTERS_SUM, AREA + PAGE, 16);
    role_try("in-half", "try_there", POINTERS_SUM, AREA + PAGE - 8, 16);
    role_try("out-absent", "try_there", POINTERS_FILL, AREA + PAGE, 16);
    role_try("out-half", "try_there", POINTERS_FILL, AREA + PAGE - 8, 16);
    role_try("out-code", "try_there", POINTERS_FILL, (uint32_t)try_there, 16);
    role_try("out-constant", "try_there", POINTERS_FILL, (uint32_t)constant, 4);
    role_try("in-constant", "try_there", POINTERS_SUM, (uint32_t)constant, 4);
    role_try("in-mapped", "try_there", POINTERS_SUM, AREA + PAGE - 16, 16);
    probe_finish();
}

static int once(void)
{
    fill_buffer(buffer, 64);
    look_here(buffer);
    probe_report("changed", (uint32_t)privcall(POINTERS_TWICE, (uint32_t)buffer, 64, 0, 0));
    probe_report("where", (uint32_t)privcall(POINTERS_WHERE, (uint32_t)buffer, 64, 0, 0));
    probe_report("now", (uint32_t)sum_of(buffer, 64));
    probe_finish();
}

/* The same call again and again, for sweeps. a: number; b: rounds. How many had each outcome. */
static int again(void)
{
    uint32_t right = 0, refused = 0, wrong = 0;

    fill_buffer(buffer, LITTLE);
    const int expected = role.a == POINTERS_SUM ? sum_of(buffer, LITTLE) : 0;
    look_here(buffer);
    for (uint32_t i = 0; i < role.b; i++) {
        const int result = privcall(role.a, (uint32_t)buffer, LITTLE, 0, 0);
        const bool error = result == E_FAULT || result == E_INVALID || result == E_NO_CALL;
        right += result == expected;
        refused += error;
        wrong += result != expected && !error;
    }
    probe_report("right", right);
    probe_report("refused", refused);
    probe_report("wrong", wrong);
    probe_finish();
}

int main(const char *argument)
{
    static const role_t roles[] = {
        {"bad", bad},   {"ranges", ranges}, {"good", good},
        {"out", out},   {"absent", absent}, {"try_there", try_there},
        {"once", once}, {"again", again},   {NULL, NULL},
    };

    return role_play("pointers", argument, roles);
}
