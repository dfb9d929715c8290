/*
 * A mediated program with the policy of `filer`. What it asks for changes while the monitor thinks
 * about it: the name in its memory, the file that a name leads to, the handles that are open.
 */
#include "crew.h"
#include "thread.h"

#define PART 100u

static char name[8] __attribute__((aligned(8))); /* the grader changes it */
static uint8_t buffer[600];
static volatile uint32_t harm;

/* The grader stops at these: a round begins and ends. */
__attribute__((noinline)) void round_begins(void)
{
    __asm__ volatile("");
}

__attribute__((noinline)) void round_ends(void)
{
    __asm__ volatile("");
}

/* Takes what a call read; other bytes than those of `public` are harm. */
static int looked_at(int length)
{
    if (length > 0 && crew_right_bytes(buffer, 0, (uint32_t)length) != (uint32_t)length)
        harm++;
    memset(buffer, 0, sizeof buffer);
    return length;
}

static int open_and_read(const char *file)
{
    int handle = open_file(file);
    if (handle < 0)
        return handle;
    int length = looked_at(read_handle(handle, buffer, 0, PART));
    close_handle(handle);
    return length;
}

enum { OPEN, READ, DELETE, CREATE, KINDS };

/* One call with a name that means a file it may be made with, as long as nobody changes it. */
static int one_round(uint32_t kind)
{
    static const char *const names[] = {"public", "public", "diary", "diary"};
    int result;
    delete_file("diary");
    if (kind == DELETE)
        create_file("diary", "x", 1);
    crew_append(name, names[kind]);
    round_begins();
    if (kind == OPEN)
        result = open_file(name);
    else if (kind == READ)
        result = read_file(name, buffer, 0, PART);
    else
        result = kind == DELETE ? delete_file(name) : create_file(name, "x", 1);
    round_ends();
    if (kind == OPEN && result >= 0) {
        looked_at(read_handle(result, buffer, 0, PART));
        close_handle(result);
    } else if (kind == READ) {
        looked_at(result);
    }
    return result;
}

static volatile bool enough; /* the grader says so before the last round of a kind */

/* Rounds of each kind. The first and the last are left alone. */
static int names(void)
{
    for (uint32_t kind = 0; kind < KINDS; kind++) {
        uint32_t last;
        crew_report_one("first", kind, (uint32_t)one_round(kind));
        enough = false;
        do
            last = (uint32_t)one_round(kind);
        while (!enough);
        crew_report_one("last", kind, last);
    }
    probe_report("harm", harm);
    probe_report("secret", (uint32_t)open_file("secret"));
    probe_finish();
    return 0;
}

/* With `nickname` and `second` leading to `secret`, `other` to `public`, `gone` to `ledger`: one
 * bit for each answer that is right. */
static int aliases(void)
{
    uint32_t right = 0, bit = 0;
#define CHECK(condition) (right |= (uint32_t)(condition) << bit++)
    CHECK(open_and_read("nickname") == E_PERMISSION);
    CHECK(looked_at(read_file("nickname", buffer, 0, PART)) == E_PERMISSION);
    CHECK(delete_file("nickname") == E_PERMISSION);
    CHECK(open_and_read("/./nickname") == E_PERMISSION);
    CHECK(open_and_read("second") == E_PERMISSION);
    CHECK(create_file("nickname", "x", 1) < 0);
    CHECK(open_and_read("other") == PART);
    CHECK(looked_at(read_file("./other", buffer, 0, PART)) == PART);
    CHECK(delete_file("other") == E_PERMISSION);
    CHECK(delete_file("gone") == 0);
    int handle = open_file("other");
    CHECK(handle_name(handle, (char *)buffer, sizeof buffer) == sizeof "public" - 1);
    CHECK(strcmp((char *)buffer, "public") == 0);
    CHECK(delete_handle(handle) == E_PERMISSION);
    memset(buffer, 0, sizeof buffer);
    CHECK(link_file("secret", "theirs") == E_PERMISSION);
    CHECK(link_file("public", "mine") == 0);
    CHECK(open_and_read("mine") == PART);
    CHECK(harm == 0);
    return (int)right;
}

/* Takes a handle: one of another file than `public` is harm, whatever can be done with it. */
static int looked_at_handle(int handle)
{
    char own_name[FILE_NAME_MAX + 1];
    if (handle < 0)
        return handle;
    harm += handle_name(handle, own_name, sizeof own_name) < 0 || strcmp(own_name, "public") != 0;
    int length = looked_at(read_handle(handle, buffer, 0, PART));
    close_handle(handle);
    return length;
}

/* One call with a name that is turned from one file to another meanwhile. Returns whether it did
 * what it should with the first of the two. */
static bool turned_round(uint32_t kind)
{
    int result;
    if (kind == DELETE) {
        create_file("diary", "x", 1);
        link_file("diary", "nickname");
    }
    round_begins();
    if (kind == OPEN)
        result = open_file("nickname");
    else if (kind == READ)
        result = read_file("nickname", buffer, 0, PART);
    else
        result = delete_file("nickname");
    round_ends();
    if (kind == DELETE)
        return result == 0;
    return (kind == OPEN ? looked_at_handle(result) : looked_at(result)) == PART;
}

/* Rounds of each kind but CREATE. Returns how many of the first and last, which are left alone,
 * were right. */
static int turning(void)
{
    int right = 0;
    for (uint32_t kind = 0; kind < CREATE; kind++) {
        bool last;
        right += turned_round(kind);
        enough = false;
        do
            last = turned_round(kind);
        while (!enough);
        right += last;
    }
    return harm == 0 ? right : HARMFUL;
}

static volatile bool over;

/* Tries the two handles that are opened next, whenever it gets the processor. */
static void lurker(uint32_t handle)
{
    static uint8_t loot[PART];
    while (!over) {
        for (uint32_t next = handle; next < handle + 2; next++) {
            int length = read_handle((int)next, loot, 0, PART);
            harm += length > 0 && crew_right_bytes(loot, 0, (uint32_t)length) != (uint32_t)length;
        }
        yield();
    }
    exit(0);
}

/* Opens a file that it may open, with a name of its own. */
static void neighbour(uint32_t unused)
{
    static uint8_t part[PART];
    (void)unused;
    while (!over) {
        int own = open_file("public");
        harm += read_handle(own, part, 0, PART) != PART || crew_right_bytes(part, 0, PART) != PART;
        close_handle(own);
        yield();
    }
    exit(0);
}

enum { NOT_DENIED = 200 };

static uint32_t open_denied(void)
{
    round_begins();
    int result = open_file("nickname");
    round_ends();
    return result == E_PERMISSION;
}

/* `a` times a file is opened that may not be: once alone, then while a second thread waits for a
 * handle, and a third one opens another file. */
static int unjudged(void)
{
    static uint8_t stacks[2][2048] __attribute__((aligned(16)));
    int handle = open_file("public");
    close_handle(handle);
    uint32_t denied = open_denied();
    int pid = thread_create(lurker, stacks[0] + sizeof stacks[0], (uint32_t)handle);
    int other = thread_create(neighbour, stacks[1] + sizeof stacks[1], 0);
    for (uint32_t turn = 1; turn < crew.a; turn++) {
        yield();
        denied += open_denied();
    }
    over = true;
    crew_wait(pid);
    crew_wait(other);
    if (harm != 0)
        return HARMFUL;
    return denied == crew.a ? HARMLESS : NOT_DENIED;
}

int main(const char *argument)
{
    static const struct crew_role roles[] = {
        {"names", names},       {"aliases", aliases}, {"turning", turning},
        {"unjudged", unjudged}, {NULL, NULL},
    };
    return crew_play("changer", argument, roles);
}
