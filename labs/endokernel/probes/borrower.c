/*
 * A program of several domains (modules_policy.h) in which some use what is others': handles,
 * memory, and the calls between monitors and the kernel.
 */
#include "domains.h"

#include "lab_calls.h"

static uint8_t module_buffer[600] DOMAIN_DATA(2) = {2};
static char vaults_line[] DOMAIN_DATA(1) = "a line of the vault's\n";

/* All that `domain` could do with a handle of another. */
static void try_handle(uint32_t domain, int handle)
{
    uint32_t h = (uint32_t)handle;
    must_fail(call_in(domain, SYSTEM_CALL_READ_HANDLE, h, (uint32_t)shared, 0, PART));
    must_fail(call_in(domain, SYSTEM_CALL_DUPLICATE_HANDLE, h, 0, 0, 0));
    must_fail(call_in(domain, SYSTEM_CALL_HANDLE_NAME, h, (uint32_t)shared, 32, 0));
    must_fail(call_in(domain, SYSTEM_CALL_DELETE_HANDLE, h, 0, 0, 0));
    must_fail(call_in(domain, SYSTEM_CALL_CLOSE_HANDLE, h, 0, 0, 0));
}

/* How many bytes of a handle's file a domain reads. */
static int read_in(uint32_t domain, int handle)
{
    return call_in(domain, SYSTEM_CALL_READ_HANDLE, (uint32_t)handle, (uint32_t)shared, 0, PART);
}

static int open_in(uint32_t domain, const char *name)
{
    return call_in(domain, SYSTEM_CALL_OPEN_FILE, (uint32_t)name, 0, 0, 0);
}

/* A handle is the domain's that opened or duplicated it, however often its number is used anew. */
static int handles(void)
{
    int first = open_in(VAULT, "secret");
    int second = call_in(VAULT, SYSTEM_CALL_DUPLICATE_HANDLE, (uint32_t)first, 0, 0, 0);
    try_handle(MAIN, first);
    try_handle(MODULE, first);
    try_handle(MAIN, second);
    try_handle(MODULE, second);
    memset(shared, 0, sizeof shared);
    probe_report("first", (uint32_t)read_in(VAULT, first));
    memset(shared, 0, sizeof shared);
    probe_report("close",
                 (uint32_t)call_in(VAULT, SYSTEM_CALL_CLOSE_HANDLE, (uint32_t)first, 0, 0, 0));
    int reused = open_in(MODULE, "public");
    probe_report("same_number", reused == first);
    try_handle(VAULT, reused);
    try_handle(MAIN, reused);
    probe_report("reused", (uint32_t)read_in(MODULE, reused));
    call_in(MODULE, SYSTEM_CALL_CLOSE_HANDLE, (uint32_t)reused, 0, 0, 0);
    reused = open_in(VAULT, "secret");
    try_handle(MODULE, reused);
    crew_report_attempts();
    probe_report("second", (uint32_t)read_in(VAULT, second));
    memset(shared, 0, sizeof shared);
    probe_finish();
    return 0;
}

/* Calls of `domain` with buffers in memory that is another domain's. */
static void try_buffers(uint32_t domain, uint32_t place)
{
    int handle = open_in(MODULE, "public");
    must_fail(call_in(domain, SYSTEM_CALL_WRITE, place, 16, 0, 0));
    must_fail(call_in(domain, SYSTEM_CALL_LIST_PROCESSES, place, 1, 0, 0));
    must_fail(call_in(domain, SYSTEM_CALL_PARAMETER, (uint32_t) "nonce", place, 16, 0));
    must_fail(call_in(domain, SYSTEM_CALL_SPAWN, (uint32_t) "borrower", place, 0, 0));
    must_fail(call_in(domain, SYSTEM_CALL_READ_FILE, (uint32_t) "public", place, 0, 16));
    must_fail(call_in(MODULE, SYSTEM_CALL_READ_HANDLE, (uint32_t)handle, place, 0, 16));
    must_fail(call_in(MODULE, SYSTEM_CALL_HANDLE_NAME, (uint32_t)handle, place, 16, 0));
    must_fail(call_in(domain, SYSTEM_CALL_CREATE_FILE, (uint32_t) "diary", place, 16, 0));
    must_fail(call_in(domain, SYSTEM_CALL_LIST_FILES, place, 1, 0, 0));
    must_fail(call_in(domain, SYSTEM_CALL_READ, place, 16, 0, 0));
    must_fail(call_in(domain, LAB_CALL_ANSWER, 0, place, 0, 0));
    must_fail(call_in(domain, LAB_CALL_THREAD_CREATE, (uint32_t)loot, place + 64, 0, 0));
    must_fail(call_in(domain, SYSTEM_CALL_PARAMETER, place, (uint32_t)shared, 16, 0));
    must_fail(call_in(MODULE, SYSTEM_CALL_LINK_FILE, (uint32_t) "public", place, 0, 0));
    must_fail(call_in(MODULE, SYSTEM_CALL_OPEN_FILE, place, 0, 0, 0));
    call_in(MODULE, SYSTEM_CALL_CLOSE_HANDLE, (uint32_t)handle, 0, 0, 0);
}

static void try_maps(uint32_t domain, uint32_t start, uint32_t length)
{
    must_fail(call_in(domain, SYSTEM_CALL_MEMORY_MAP, start, length, 0, 0));
    must_fail(call_in(domain, SYSTEM_CALL_MEMORY_UNMAP, start, length, 0, 0));
}

static int buffers(void)
{
    uint32_t vault = (uint32_t)vault_buffer, region = DOMAIN_BASE(VAULT);
    in(VAULT, DO_PAUSE, VAULT, 0); /* the grader plants a treasure in the vault's buffer */
    try_buffers(MAIN, vault);
    try_buffers(MODULE, vault);
    try_buffers(MODULE, region + 4);
    must_fail(call_in(MODULE, SYSTEM_CALL_WRITE, region - 8, 16, 0, 0));
    must_fail(
        call_in(MODULE, SYSTEM_CALL_WRITE, (uint32_t)shared, vault + 16 - (uint32_t)shared, 0, 0));
    for (uint32_t domain = MAIN; domain <= MODULE; domain += MODULE) {
        try_maps(domain, region, PAGE);
        try_maps(domain, region + DOMAIN_SIZE - PAGE, PAGE);
        try_maps(domain, region + 0x200000, PAGE);
        try_maps(domain, region - PAGE, 2 * PAGE);
        try_maps(domain, DOMAIN_BASE(THIRD) - PAGE, 2 * PAGE);
        try_maps(domain, PRIVUSER_START, PAGE);
        try_maps(domain, DOMAIN_BASE(6), PAGE);
        try_maps(domain, DOMAIN_BASE(7), PAGE);
        try_maps(domain, DOMAIN_BASE(DOMAINS_MAX) - PAGE, 2 * PAGE);
    }
    crew_report_attempts();
    probe_report("unused", (uint32_t)crew_wait(crew_start_program("filer", "maps", 0, 0)));
    int handle = open_in(MODULE, "public");
    probe_report("own", (uint32_t)call_in(MODULE, SYSTEM_CALL_READ_HANDLE, (uint32_t)handle,
                                          (uint32_t)module_buffer, 0, PART));
    probe_report("byte", (uint32_t)in(MODULE, DO_PEEK, (uint32_t)module_buffer, 0));
    probe_report("common", (uint32_t)read_in(MODULE, handle));
    probe_report("write", (uint32_t)call_in(VAULT, SYSTEM_CALL_WRITE, (uint32_t)vaults_line,
                                            sizeof vaults_line - 1, 0, 0));
    probe_report("kept", (uint32_t)in(VAULT, DO_PEEK, vault, 0));
    probe_report("map", (uint32_t)call_in(MODULE, SYSTEM_CALL_MEMORY_MAP, 0x20000000, PAGE, 0, 0));
    probe_report("unmap",
                 (uint32_t)call_in(MAIN, SYSTEM_CALL_MEMORY_UNMAP, 0x20000000, PAGE, 0, 0));
    probe_finish();
    return 0;
}

/* The calls that only monitors make, by somebody who has all bits set. */
static void try_numbers(uint32_t domain)
{
    static const uint32_t values[] = {0, VAULT, MODULE, 0xffffffff, DOMAIN_BASE(VAULT)};
    for (uint32_t number = KERNEL_CALL_FIRST; number <= KERNEL_CALL_LAST; number++)
        for (uint32_t i = 0; i < sizeof values / sizeof values[0]; i++)
            must_fail(call_in(domain, number, values[i], values[i], values[i], values[i]));
}

/* Looks whether a call has opened the vault: a fault is what it should end with. */
static int numbers(void)
{
    try_numbers(crew.a);
    if (crew_taken || read_secret() >= 0)
        return HARMFUL;
    return crew.a == MAIN ? (int)mark1 | 1 : in(crew.a, DO_PEEK, (uint32_t)&mark1, 0) | 1;
}

static int vault_reads(void)
{
    return in(VAULT, DO_SECRET, 0, 0);
}

int main(const char *argument)
{
    static const struct crew_role roles[] = {
        {"handles", handles},         {"buffers", buffers}, {"numbers", numbers},
        {"vault_reads", vault_reads}, {NULL, NULL},
    };
    return crew_play("borrower", argument, roles);
}
