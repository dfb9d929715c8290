/*
 * A mediated program with rights to some files (filer_privuser.c): `public` to read, `diary` to do
 * all with, `inbox` to create, `trash` to delete, `ledger` to read and delete. It tries what it may
 * and what it may not, on these and on `secret`, which it has no rule for.
 */
#include "crew.h"
#include "privcall.h"
#include "privuser.h"
#include "thread.h"

#define PAGE   0x1000u
#define MAPPED 0x20000000u /* ordinary memory that nobody uses */
#define KERNEL 0xc0100000u
#define PART   100u /* bytes that are read at once */

static uint8_t buffer[600];

/* Opens a file and reads its first bytes. Returns how many of them are right ones of `public`, or
 * the first error. */
static int read_by_handle(const char *name)
{
    memset(buffer, 0, sizeof buffer);
    int handle = open_file(name);
    if (handle < 0)
        return handle;
    int length = read_handle(handle, buffer, 8, PART);
    close_handle(handle);
    return length < 0 ? length : (int)crew_right_bytes(buffer, 8, (uint32_t)length);
}

static int read_by_name(const char *name)
{
    memset(buffer, 0, sizeof buffer);
    int length = read_file(name, buffer, 8, PART);
    return length < 0 ? length : (int)crew_right_bytes(buffer, 8, (uint32_t)length);
}

static bool is_untouched(void)
{
    for (size_t i = 0; i < sizeof buffer; i++)
        if (buffer[i] != 0)
            return false;
    return true;
}

/* Files for which there is no rule, or one of another domain. */
static int no_rule(void)
{
    probe_report("open", (uint32_t)read_by_handle("secret"));
    probe_report("read", (uint32_t)read_by_name("secret"));
    probe_report("untouched", is_untouched());
    probe_report("longer", (uint32_t)read_by_handle("public2"));
    probe_report("shorter", (uint32_t)read_by_name("publi"));
    probe_report("delete", (uint32_t)delete_file("secret"));
    probe_report("create", (uint32_t)create_file("stranger", "x", 1));
    probe_report("by_handle", (uint32_t)read_by_handle("public"));
    probe_report("by_name", (uint32_t)read_by_name("public"));
    probe_finish();
    return 0;
}

/* One call for each pair of a file and a right. */
static int rights(void)
{
    static const char page[] = "dear diary";
    probe_report("new_diary", (uint32_t)create_file("diary", page, sizeof page));
    probe_report("read_diary", (uint32_t)read_file("diary", buffer, 0, sizeof buffer));
    probe_report("delete_diary", (uint32_t)delete_file("diary"));
    probe_report("again_diary", (uint32_t)create_file("diary", &crew.nonce, sizeof crew.nonce));
    probe_report("new_inbox", (uint32_t)create_file("inbox", &crew.nonce, sizeof crew.nonce));
    probe_report("read_inbox", (uint32_t)read_by_name("inbox"));
    probe_report("open_inbox", (uint32_t)read_by_handle("inbox"));
    probe_report("delete_inbox", (uint32_t)delete_file("inbox"));
    probe_report("read_trash", (uint32_t)read_by_name("trash"));
    probe_report("open_trash", (uint32_t)read_by_handle("trash"));
    int trash = open_file("trash");
    probe_report("trash_handle", (uint32_t)trash);
    close_handle(trash);
    probe_report("link_secret", (uint32_t)link_file("secret", "mine"));
    probe_report("link_trash", (uint32_t)link_file("trash", "mine"));
    probe_report("link_public", (uint32_t)link_file("public", "ours"));
    probe_report("delete_trash", (uint32_t)delete_file("trash"));
    probe_report("new_trash", (uint32_t)create_file("trash", page, sizeof page));
    probe_report("new_public", (uint32_t)create_file("public", page, sizeof page));
    probe_report("delete_public", (uint32_t)delete_file("public"));
    probe_report("read_public", (uint32_t)read_by_name("public"));
    probe_finish();
    return 0;
}

/* The same file by other strings, all of at most 31 characters: one bit for each that is answered
 * rightly. */
static int tricks(void)
{
    static const char *const prefixes[] = {
        "", "/", "./", "//", ".//", "/./", "././", "/././/", ".///./", "./././././././././././.",
    };
    static const char *const strangers[] = {"../public", "public/", "public.", "Public",
                                            "public ",   ".public", "pub/lic", "x/public"};
    uint32_t refused = 0, kept = 0, right = 0, other = 0;
    for (uint32_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
        char name[40];
        char *end = crew_append(name, prefixes[i]);
        if (i == 9)
            end = crew_append(end, "/");
        crew_append(end, "secret");
        refused |= (uint32_t)(read_by_handle(name) == E_PERMISSION) << 2 * i;
        refused |= (uint32_t)(read_by_name(name) == E_PERMISSION) << (2 * i + 1);
        kept |= (uint32_t)(delete_file(name) == E_PERMISSION) << i;
        crew_append(end, "public");
        right |= (uint32_t)(read_by_handle(name) == PART) << 2 * i;
        right |= (uint32_t)(read_by_name(name) == PART) << (2 * i + 1);
    }
    for (uint32_t i = 0; i < sizeof strangers / sizeof strangers[0]; i++)
        other |= (uint32_t)(read_by_handle(strangers[i]) < 0 && read_by_name(strangers[i]) < 0)
                 << i;
    char *edge = (char *)MAPPED + PAGE - sizeof "public";
    if (memory_map((void *)MAPPED, PAGE) != 0)
        crew_give_up("no_memory", 0);
    crew_append(edge, "public"); /* its NUL is the last byte before unmapped memory */
    probe_report("refused", refused);
    probe_report("kept", kept);
    probe_report("right", right);
    probe_report("strangers", other);
    probe_report("at_the_edge", (uint32_t)read_by_handle(edge));
    probe_report("create", (uint32_t)create_file("./stranger", "x", 1));
    probe_report("inbox", (uint32_t)create_file(".//inbox", &crew.nonce, sizeof crew.nonce));
    probe_finish();
    return 0;
}

/* Handles are numbers, and every number may be tried. */
static int handles(void)
{
    static const uint32_t numbers[] = {16,         17,         255,        256,
                                       0x7fffffff, 0x80000000, 0xfffffff0, 0xffffffff};
    uint32_t opened = 0, read = 0;
    for (uint32_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        must_fail(read_handle((int)numbers[i], buffer, 0, PART));
        must_fail(duplicate_handle((int)numbers[i]));
        must_fail(close_handle((int)numbers[i]));
        must_fail(handle_name((int)numbers[i], (char *)buffer, sizeof buffer));
    }
    crew_report_attempts();
    int first = open_file("public");
    int second = duplicate_handle(first);
    probe_report("close", (uint32_t)close_handle(first));
    probe_report("closed", (uint32_t)read_handle(first, buffer, 0, PART));
    probe_report("name", (uint32_t)handle_name(second, (char *)buffer, sizeof buffer));
    probe_report("same_name", strcmp((char *)buffer, "public") == 0);
    probe_report("close_second", (uint32_t)close_handle(second));
    int result = 0;
    while (opened < 100 &&
           (result = opened % 2 == 0 ? open_file("public") : duplicate_handle(0)) >= 0)
        opened++;
    for (int handle = 0; handle < HANDLES_MAX; handle++) {
        int length = read_handle(handle, buffer, 0, PART);
        read += length < 0 ? 0 : crew_right_bytes(buffer, 0, (uint32_t)length);
    }
    probe_report("opened", opened);
    probe_report("full", (uint32_t)result);
    probe_report("secret", (uint32_t)open_file("secret"));
    probe_report("read", read);
    probe_report("close_one", (uint32_t)close_handle(11));
    probe_report("reused", (uint32_t)open_file("ledger"));
    probe_report("thief", (uint32_t)read_by_name("secret"));
    probe_finish();
    return 0;
}

/* What is denied must not stay open: afterwards there is room for all handles there are. */
static int denials(void)
{
    uint32_t denied = 0, opened = 0;
    for (uint32_t turn = 0; turn < 40; turn++)
        denied += open_file(turn % 2 == 0 ? "secret" : "./secret") == E_PERMISSION;
    while (opened < 100 && open_file("public") >= 0)
        opened++;
    probe_report("denied", denied);
    probe_report("opened", opened);
    probe_finish();
    return 0;
}

/* Files that are deleted by a handle. */
static int deletes(void)
{
    int public = open_file("public"), ledger = open_file("ledger");
    probe_report("public", (uint32_t)delete_handle(public));
    probe_report("duplicate", (uint32_t)delete_handle(duplicate_handle(public)));
    int length = read_handle(public, buffer, 0, PART);
    probe_report("read",
                 length < 0 ? (uint32_t)length : crew_right_bytes(buffer, 0, (uint32_t)length));
    length = read_handle(ledger, buffer, 0, PART);
    probe_report("ledger_read", (uint32_t)length);
    probe_report("ledger", (uint32_t)delete_handle(ledger));
    probe_report("gone", (uint32_t)read_handle(ledger, buffer, 0, PART));
    probe_finish();
    return 0;
}

/* Tries to read through every handle there may be. Returns how many bytes it got. */
static int thief(void)
{
    int got = 0;
    for (int handle = -2; handle < HANDLES_MAX + 2; handle++) {
        int length = read_handle(handle, buffer, 0, PART);
        int copy = duplicate_handle(handle);
        got += (length > 0 ? length : 0) + (copy >= 0 ? read_handle(copy, buffer, 0, PART) : 0);
    }
    int length = read_file("secret", buffer, 0, PART);
    got += length > 0 ? length : 0;
    return read_by_handle("public") == PART ? got : -1;
}

static volatile uint32_t shared_read;

static void friend_reads(uint32_t handle)
{
    static uint8_t part[PART];
    int length = read_handle((int)handle, part, 0, PART);
    shared_read = length < 0 ? 0 : crew_right_bytes(part, 0, (uint32_t)length);
    exit(0);
}

/* A child has none of its parent's handles; a thread has them all. */
static int inheritance(void)
{
    static uint8_t stack[2048] __attribute__((aligned(16)));
    int first = open_file("ledger"), second = open_file("public");
    probe_report("child", (uint32_t)crew_run("thief", 0, 0));
    probe_report("first", (uint32_t)read_handle(first, buffer, 0, PART));
    crew_wait(thread_create(friend_reads, stack + sizeof stack, (uint32_t)second));
    probe_report("thread", shared_read);
    probe_report("secret", (uint32_t)read_by_name("secret"));
    probe_finish();
    return 0;
}

/* File calls with names and buffers that are not the program's. */
static int buffers(void)
{
    if (memory_map((void *)(PRIVUSER_START - PAGE), PAGE) != 0)
        crew_give_up("no_memory", 0);
    int handle = open_file("public");
    uint32_t treasure = PRIVUSER_START + (uint32_t)privcall(0, 0, 0, 0, 0);
    const uint32_t names[] = {treasure, PRIVUSER_START + 16, PRIVUSER_END - 8, KERNEL};
    const uint32_t places[] = {treasure,         PRIVUSER_START + 16, PRIVUSER_START - 4,
                               PRIVUSER_END - 8, 0xc0000000u - 4,     KERNEL};
    for (uint32_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *bad = (const char *)names[i];
        must_fail(open_file(bad));
        must_fail(read_file(bad, buffer, 0, 16));
        must_fail(create_file(bad, buffer, 16));
        must_fail(delete_file(bad));
        must_fail(link_file(bad, "alias"));
        must_fail(link_file("public", bad));
    }
    for (uint32_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        void *bad = (void *)places[i];
        must_fail(read_handle(handle, bad, 0, 16));
        must_fail(handle_name(handle, bad, 16));
        must_fail(read_file("public", bad, 0, 16));
        must_fail(create_file("diary", bad, 16));
    }
    must_fail(read_handle(handle, (void *)MAPPED, 0, 0u - MAPPED + 16));
    must_fail(read_file("public", (void *)MAPPED, 0, PRIVUSER_START + 16 - MAPPED));
    must_fail(create_file("diary", (void *)MAPPED, 0xffffffff));
    crew_report_attempts();
    uint8_t *border = (uint8_t *)PRIVUSER_START - PART;
    int length = read_handle(handle, border, 0, PART);
    probe_report("border", length < 0 ? (uint32_t)length : crew_right_bytes(border, 0, PART));
    probe_report("diary", (uint32_t)create_file("diary", border, PART));
    probe_report("secret", (uint32_t)read_by_name("secret"));
    probe_finish();
    return 0;
}

/* Mappings over regions of domains that this program does not have, from memory before them too. */
static int maps(void)
{
    const uint32_t places[][2] = {
        {DOMAIN_BASE(1), 1}, {DOMAIN_BASE(1) - PAGE, 2}, {DOMAIN_BASE(1) - 2 * PAGE, 3},
        {DOMAIN_BASE(4), 1}, {DOMAIN_BASE(7), 1},        {DOMAIN_BASE(DOMAINS_MAX) - PAGE, 2},
    };
    for (uint32_t i = 0; i < sizeof places / sizeof places[0]; i++)
        if (memory_map((void *)places[i][0], places[i][1] * PAGE) >= 0)
            return (int)i;
    if (memory_map((void *)(DOMAIN_BASE(1) - PAGE), PAGE) < 0 ||
        memory_map((void *)DOMAIN_BASE(DOMAINS_MAX), PAGE) < 0)
        return -1;
    return HARMLESS;
}

/* The grader stops here. */
__attribute__((noinline)) void numbers_begin(void)
{
    __asm__ volatile("");
}

static bool is_denied(uint32_t number)
{
    int result = system_call(number, (uint32_t)buffer, 16, (uint32_t)buffer, 16, 16);
    return result == E_PERMISSION || result == E_NO_CALL;
}

/* Numbers of no call, although the policy has all bits set. */
static int numbers(void)
{
    static const uint32_t ranges[][2] = {
        {19, 31},                 /* of the kernel's that have no call */
        {50, 63},                 /* of the monitors alone */
        {64, 83},                 /* beyond the policy's bits */
        {256, 274},               /* what a byte would take for others */
        {0x10009, 0x10009},       /* and what 16 bits would */
        {0x20000000, 0x20000012}, /* whose place in a table of words wraps around */
        {0x40000009, 0x40000009},
        {0x7fffffff, 0x80000012},
        {0xffffffc0, 0xffffffff},
    };
    numbers_begin();
    for (uint32_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        probe_report("trying", ranges[i][0]);
        for (uint32_t offset = 0; offset <= ranges[i][1] - ranges[i][0]; offset++)
            must_fail(is_denied(ranges[i][0] + offset) ? E_PERMISSION : 0);
    }
    crew_report_attempts();
    probe_report("ticks", ticks());
    probe_report("nonce", crew.nonce);
    probe_finish();
    return 0;
}

int main(const char *argument)
{
    static const struct crew_role roles[] = {
        {"no_rule", no_rule}, {"rights", rights},
        {"tricks", tricks},   {"handles", handles},
        {"denials", denials}, {"deletes", deletes},
        {"thief", thief},     {"inheritance", inheritance},
        {"buffers", buffers}, {"numbers", numbers},
        {"maps", maps},       {NULL, NULL},
    };
    return crew_play("filer", argument, roles);
}
