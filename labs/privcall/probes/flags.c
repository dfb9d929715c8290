/*
 * Privcalls out of the ordinary: with flags set that ring 3 may set, and with segment registers
 * that ring 3 may load. EFLAGS and the segment registers go through a call gate as they are.
 */
#include "flags.h"

#include "privcall.h"
#include "privuser.h"
#include "roles.h"

#define FLAG_DF 0x00000400u
#define FLAG_NT 0x00004000u
#define FLAG_AC 0x00040000u

#define USER_CODE 0x1Bu
#define USER_DATA 0x23u

enum { LENGTH = 16, FILES_SECRET = 1 };

/* With room before, where a copy ends up that goes downwards. */
static uint8_t sources[3 * LENGTH], targets[3 * LENGTH];
static uint8_t *const source = sources + LENGTH, *const target = targets + LENGTH;

/* What the call is made with. */
uint32_t flags_given, es_given, fs_given, gs_given;

/* What `flags_thunk` makes of them at the far call; after it comes flags_back, says the grader. */
uint32_t late_flags, late_es, late_fs, late_gs;
const void *volatile flags_back;

/* privcall(number, a, b, c, d) with the given flags and segment registers. */
int call_with(uint32_t number, uint32_t a, uint32_t b, uint32_t c, uint32_t d);
__asm__(".text\n"
        "call_with:\n"
        "    push %ebp\n"
        "    mov %esp, %ebp\n"
        "    pushl 24(%ebp)\n"
        "    pushl 20(%ebp)\n"
        "    pushl 16(%ebp)\n"
        "    pushl 12(%ebp)\n"
        "    pushl 8(%ebp)\n"
        "    mov fs_given, %fs\n"
        "    mov gs_given, %gs\n"
        "    mov es_given, %es\n"
        "    pushl flags_given\n"
        "    popf\n"
        "    call privcall\n"
        "    pushl $0x202\n"
        "    popf\n"
        "    leave\n"
        "    ret\n");

/* Where the grader has the stub jump in the place of its far call: the flags and segments are as
 * odd as they can be at the gate, whatever the stub has made of them. */
void flags_thunk(void);
__asm__(".text\n"
        "flags_thunk:\n"
        "    mov late_fs, %fs\n"
        "    mov late_gs, %gs\n"
        "    mov late_es, %es\n"
        "    pushl late_flags\n"
        "    popf\n"
        "    lcall $0x1F, $0\n"
        "    jmp *%ss:flags_back\n");

/* The grader stops here. */
__attribute__((noinline)) void look_here(void)
{
    __asm__ volatile("" : : "r"(flags_thunk) : "memory");
}

/* One call with what is given: how many bytes it copied right; 1000 more when its result was. */
static uint32_t copy_once(uint32_t expected)
{
    uint32_t right = 0;

    for (uint32_t i = 0; i < LENGTH + 1; i++) {
        source[i] = (uint8_t)(role.nonce + i * 7);
        target[i] = 0;
    }
    const int result = call_with(FLAGS_COPY, (uint32_t)source, LENGTH, (uint32_t)target, LENGTH);
    for (uint32_t i = 0; i < LENGTH; i++) {
        right += target[i] == source[i];
    }
    return right + ((uint32_t)result == expected ? 1000 : 0) + target[LENGTH];
}

static void give(uint32_t flags, uint32_t es, uint32_t fs, uint32_t gs)
{
    flags_given = flags | 0x202;
    es_given = es;
    fs_given = fs;
    gs_given = gs;
}

static const struct {
    const char *key;
    uint32_t flags, es, fs, gs;
} cases[] = {
    {"plain", 0, USER_DATA, USER_DATA, USER_DATA},
    {"DF", FLAG_DF, USER_DATA, USER_DATA, USER_DATA},
    {"NT", FLAG_NT, USER_DATA, USER_DATA, USER_DATA},
    {"AC", FLAG_AC, USER_DATA, USER_DATA, USER_DATA},
    {"DF+NT+AC", FLAG_DF | FLAG_NT | FLAG_AC, USER_DATA, USER_DATA, USER_DATA},
    {"null-ES", 0, 0, USER_DATA, USER_DATA},
    {"code-ES", 0, USER_CODE, USER_DATA, USER_DATA},
    {"null-FS-GS", 0, USER_DATA, 0, 0},
    {"code-FS-GS", 0, USER_DATA, USER_CODE, USER_CODE},
    {"RPL0", 0, USER_DATA & ~3u, USER_DATA & ~3u, 1},
    {"all", FLAG_DF | FLAG_NT | FLAG_AC, 3, 3, 3},
};

/* a: which case. Its exit status is what copy_once says. */
static int one(void)
{
    give(cases[role.a].flags, cases[role.a].es, cases[role.a].fs, cases[role.a].gs);
    return (int)copy_once(FILES_SECRET);
}

static int flags_now(void)
{
    give(FLAG_DF, USER_DATA, USER_DATA, USER_DATA);
    return call_with(FLAGS_NOW, 0, 0, 0, 0);
}

/* All cases once more, at the gate. ROLE_DONE, and one more for each that went wrong. */
static int late(void)
{
    int wrong = 0;

    look_here();
    give(0, USER_DATA, USER_DATA, USER_DATA);
    for (uint32_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        late_flags = cases[i].flags | 0x202;
        late_es = cases[i].es;
        late_fs = cases[i].fs;
        late_gs = cases[i].gs;
        wrong += copy_once(FILES_SECRET) != 1000 + LENGTH;
    }
    return ROLE_DONE + wrong;
}

static int odd(void)
{
    role_try("at-the-gate", "late", 0, 0, 0);
    for (uint32_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        role_try(cases[i].key, "one", i, 0, 0);
    }
    role_try("in-ring-2", "flags_now", 0, 0, 0);
    probe_finish();
}

/* The same call again and again, for sweeps, always with the direction flag set. b: how often. */
static int many(void)
{
    uint32_t wrong = 0;

    give(FLAG_DF, USER_DATA, USER_DATA, USER_DATA);
    for (uint32_t i = 0; i < role.b; i++) {
        wrong += copy_once(FILES_SECRET) != 1000 + LENGTH;
    }
    probe_report("wrong", wrong);
    probe_finish();
}

/* The grader sets the trap flag in these. */
static int once(void)
{
    give(FLAG_DF, USER_DATA, USER_DATA, USER_DATA);
    const uint32_t right = copy_once(FILES_SECRET);

    return right == 1000 + LENGTH ? ROLE_DONE : (int)right;
}

static int trapped(void)
{
    for (uint32_t i = 0; i < role.b; i++) {
        role_try("once", "once", 0, 0, 0);
    }
    probe_finish();
}

int main(const char *argument)
{
    static const role_t roles[] = {
        {"odd", odd},   {"one", one},         {"flags_now", flags_now}, {"many", many},
        {"once", once}, {"trapped", trapped}, {"late", late},           {NULL, NULL},
    };

    return role_play("flags", argument, roles);
}
