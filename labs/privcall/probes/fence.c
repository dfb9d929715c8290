/*
 * The fence around ring 2. Children go into ring 2 and try there to touch the kernel's memory, to
 * execute what only the kernel may, and to get out by a way that is none.
 */
#include "fence.h"

#include "privcall.h"
#include "privuser.h"
#include "roles.h"

#define KBASE         0xC0000000u
#define USER_SELECTOR 0x23u
#define SELECTORS_END 0x100u /* looked at; a kernel has a handful */
#define FLAG_IF       0x200u
#define FLAG_IOPL     0x3000u

/* The grader writes here where the kernel has what ring 2 wants. */
enum target { TARGET_GDT, TARGET_LDT, TARGET_TASK_STATE, TARGET_DIRECTORY, TARGET_STACK, TARGETS };
volatile uint32_t fence_targets[TARGETS];
static volatile uint32_t own_word;

/* The grader stops here. */
__attribute__((noinline)) void look_here(void)
{
    __asm__ volatile("" : : : "memory");
}

static const char *const segment_names[FENCE_SEGMENTS] = {"ds", "es", "fs", "gs", "ss"};

/* a: segment register; b: selector; c: address. */
static int read_there(void)
{
    privcall(FENCE_READ, role.a, role.b, role.c, 0);
    return ROLE_DONE;
}

static int write_there(void)
{
    privcall(FENCE_WRITE, role.a, role.b, role.c, role.nonce);
    return ROLE_DONE;
}

/* Ring 2's own memory and the program's, through both selectors. */
static void touch_what_is_allowed(void)
{
    const uint32_t secret = (uint32_t)privcall(FENCE_SECRET, 0, 0, 0, 0);

    for (uint32_t segment = 0; segment < FENCE_SEGMENTS; segment++) {
        const uint32_t selector = segment == FENCE_SS ? PRIVUSER_DATA_SELECTOR : USER_SELECTOR;
        char key[16];
        own_word = role.nonce + segment;
        role_append(role_append(key, "own-"), segment_names[segment]);
        probe_report(key, (uint32_t)privcall(FENCE_READ, segment, PRIVUSER_DATA_SELECTOR,
                                             (uint32_t)&own_word, 0));
        role_append(role_append(key, "user-"), segment_names[segment]);
        probe_report(key,
                     (uint32_t)privcall(FENCE_READ, segment, selector, (uint32_t)&own_word, 0));
        role_append(role_append(key, "secret-"), segment_names[segment]);
        probe_report(key, (uint32_t)privcall(FENCE_READ, segment, selector, secret, 0));
    }
    privcall(FENCE_WRITE, FENCE_DS, PRIVUSER_DATA_SELECTOR, (uint32_t)&own_word, role.nonce);
    probe_report("written", own_word);
}

static int addresses(void)
{
    look_here();
    const struct {
        const char *key;
        uint32_t address;
    } places[] = {
        {"KBASE", KBASE},
        {"KBASE-1", KBASE - 1},
        {"0xFFFFFFFC", 0xFFFFFFFC},
        {"kernel-code", KBASE + 0x100000},
        {"screen", KBASE + 0xB8000},
        {"GDT", fence_targets[TARGET_GDT]},
        {"LDT", fence_targets[TARGET_LDT]},
        {"TSS", fence_targets[TARGET_TASK_STATE]},
        {"page-directory", fence_targets[TARGET_DIRECTORY]},
        {"kernel-stack", fence_targets[TARGET_STACK]},
    };

    touch_what_is_allowed();
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        role_try(places[i].key, "read_there", FENCE_DS, PRIVUSER_DATA_SELECTOR, places[i].address);
        role_try(places[i].key, "write_there", FENCE_DS, PRIVUSER_DATA_SELECTOR, places[i].address);
    }
    probe_finish();
}

/* Every selector through which ring 2 may read is tried, in every segment register. */
static int selectors(void)
{
    touch_what_is_allowed();
    for (uint32_t selector = 0; selector < SELECTORS_END; selector += 4) {
        if (privcall(FENCE_LIMIT, selector | 2, 0, 0, 0) != 1) {
            continue;
        }
        probe_report("selector", selector);
        for (uint32_t segment = 0; segment < FENCE_SS; segment++) {
            role_try(segment_names[segment], "read_there", segment, selector | 2, KBASE);
        }
    }
    role_try("own-ss-beyond", "read_there", FENCE_SS, PRIVUSER_DATA_SELECTOR, KBASE);
    role_try("own-ss-last", "read_there", FENCE_SS, PRIVUSER_DATA_SELECTOR, 0xFFFFFFFC);
    role_try("load-user-ss", "read_there", FENCE_SS, USER_SELECTOR, (uint32_t)&own_word);
    role_try("load-rpl2-ss", "read_there", FENCE_SS, (USER_SELECTOR & ~3u) | 2,
             (uint32_t)&own_word);
    probe_finish();
}

static int run(void)
{
    privcall(FENCE_RUN, role.a, 0, 0, 0);
    return ROLE_DONE;
}

static const char *const names[FENCE_RUNS] = {
#define NAME(name, text) [FENCE_RUN_##name] = #name,
    FENCE_INSTRUCTIONS(NAME) FENCE_BEYOND(NAME)};

static void run_each(uint32_t first, uint32_t end)
{
    touch_what_is_allowed();
    for (uint32_t which = first; which < end; which++) {
        role_try(names[which], "run", which, 0, 0);
    }
    role_try("none", "run", FENCE_RUNS, 0, 0);
    probe_finish();
}

static int privileged(void)
{
    run_each(0, FENCE_ORDINARY);
    return 0;
}

static int beyond(void)
{
    run_each(FENCE_ORDINARY, FENCE_RUNS);
    return 0;
}

/* POPF in ring 2 does not fault: it leaves alone what ring 2 may not change. */
static int flags(void)
{
    probe_report("secret-at", (uint32_t)privcall(FENCE_SECRET, 0, 0, 0, 0));
    probe_report("plain", (uint32_t)privcall(FENCE_FLAGS, 0, 0, 0, 0));
    probe_report("iopl", (uint32_t)privcall(FENCE_FLAGS, FLAG_IOPL, 0, 0, 0));
    probe_report("no-if", (uint32_t)privcall(FENCE_FLAGS, 0, FLAG_IF, 0, 0));
    probe_report("both", (uint32_t)privcall(FENCE_FLAGS, FLAG_IOPL, FLAG_IF, 0, 0));
    look_here();
    probe_finish();
}

int main(const char *argument)
{
    static const role_t roles[] = {
        {"addresses", addresses},
        {"selectors", selectors},
        {"read_there", read_there},
        {"run", run},
        {"write_there", write_there},
        {"privileged", privileged},
        {"beyond", beyond},
        {"flags", flags},
        {NULL, NULL},
    };

    return role_play("fence", argument, roles);
}
