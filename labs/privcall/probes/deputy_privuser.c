/*
 * The PrivUser of the probe `deputy`: names, texts and room that the kernel must not touch for ring
 * 3, and that ring 2 itself makes system calls with.
 */
#include "deputy.h"

#include "functions.h"
#include "string.h"
#include "system_call.h"

#define PAGE   4096u
#define KERNEL 0xC0100000u

char deputy_secret[32] = "not yet a secret, but soon one.";
char deputy_program[8] = "deputy";
char deputy_argument[16] = DEPUTY_CHILD;
char deputy_file[16] = DEPUTY_FILE;
char deputy_new[16] = DEPUTY_NEW;
char deputy_key[8] = "nonce";
char deputy_room[512];
static __attribute__((aligned(PAGE))) char deputy_spare[PAGE];

static int call(uint32_t number, const void *first, const void *second, uint32_t third,
                uint32_t fourth)
{
    int result;

    __asm__ volatile("int $0x80"
                     : "=a"(result)
                     : "a"(number), "b"(first), "c"(second), "d"(third), "S"(fourth)
                     : "memory");
    return result;
}

/* The bit of a system call, if it did what it was to do. */
static uint32_t bit(enum deputy_call number, bool right)
{
    return (uint32_t)right << number;
}

/* All of them with names in PrivUser and results that go to `room`. */
static uint32_t try_calls(char *room)
{
    uint32_t done = 0;
    int *const status = (int *)room;

    strcpy(room, DEPUTY_TEXT);
    done |= bit(DEPUTY_WRITE, call(SYSTEM_CALL_WRITE, room, (void *)12, 0, 0) == 12);
    done |= bit(DEPUTY_PARAMETER,
                call(SYSTEM_CALL_PARAMETER, deputy_key, room, 32, 0) > 0 && room[0] >= '0');
    const int pid = call(SYSTEM_CALL_SPAWN, deputy_program, deputy_argument, 0, 0);
    done |= bit(DEPUTY_SPAWN, pid > 0);
    *status = -1;
    done |= bit(DEPUTY_WAIT,
                call(SYSTEM_CALL_WAIT, (void *)pid, status, 0, 0) == pid && *status == 539);
    strcpy(room, "abcd");
    done |= bit(DEPUTY_CREATE_FILE, call(SYSTEM_CALL_CREATE_FILE, deputy_new, room, 4, 0) == 0);
    memset(room, 0, 8);
    done |= bit(DEPUTY_READ_FILE, call(SYSTEM_CALL_READ_FILE, deputy_new, room, 0, 8) == 4 &&
                                      memcmp(room, "abcd", 4) == 0);
    done |= bit(DEPUTY_LIST_FILES, call(SYSTEM_CALL_LIST_FILES, room, (void *)4, 0, 0) > 0);
    done |= bit(DEPUTY_DELETE_FILE, call(SYSTEM_CALL_DELETE_FILE, deputy_new, NULL, 0, 0) == 0);
    done |= bit(DEPUTY_LIST_PROCESSES, call(SYSTEM_CALL_LIST_PROCESSES, room, (void *)4, 0, 0) > 0);
    memset(room, 0, sizeof deputy_room);
    return done;
}

static int own(uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
    return (int)try_calls(deputy_room);
}

static int ordinary(uint32_t buffer, uint32_t b, uint32_t c, uint32_t d)
{
    return (int)try_calls((char *)buffer);
}

/* Ring 2 is no deputy of the kernel's either: its pointers end at KBASE as everybody's. */
static int kernels(uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
    const void *const kernel = (const void *)KERNEL;
    uint32_t refused = 0;

    refused |= bit(DEPUTY_WRITE, call(SYSTEM_CALL_WRITE, kernel, (void *)16, 0, 0) < 0);
    refused |= bit(DEPUTY_PARAMETER, call(SYSTEM_CALL_PARAMETER, deputy_key, kernel, 32, 0) < 0);
    refused |= bit(DEPUTY_SPAWN, call(SYSTEM_CALL_SPAWN, kernel, deputy_argument, 0, 0) < 0);
    const int pid = call(SYSTEM_CALL_SPAWN, deputy_program, deputy_argument, 0, 0);
    refused |= bit(DEPUTY_WAIT, call(SYSTEM_CALL_WAIT, (void *)pid, kernel, 0, 0) < 0);
    call(SYSTEM_CALL_WAIT, (void *)pid, NULL, 0, 0);
    refused |=
        bit(DEPUTY_CREATE_FILE, call(SYSTEM_CALL_CREATE_FILE, deputy_new, kernel, 16, 0) < 0);
    refused |= bit(DEPUTY_READ_FILE, call(SYSTEM_CALL_READ_FILE, deputy_file, kernel, 0, 4) < 0);
    refused |= bit(DEPUTY_LIST_FILES, call(SYSTEM_CALL_LIST_FILES, kernel, (void *)4, 0, 0) < 0);
    refused |= bit(DEPUTY_DELETE_FILE, call(SYSTEM_CALL_DELETE_FILE, kernel, NULL, 0, 0) < 0);
    refused |=
        bit(DEPUTY_LIST_PROCESSES, call(SYSTEM_CALL_LIST_PROCESSES, kernel, (void *)4, 0, 0) < 0);
    return (int)refused;
}

static int pages(uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
    const struct {
        uint32_t number, start, length;
    } calls[] = {
        {SYSTEM_CALL_MEMORY_MAP, PRIVUSER_START + (1u << 20), PAGE},
        {SYSTEM_CALL_MEMORY_MAP, PRIVUSER_END - PAGE, 2 * PAGE},
        {SYSTEM_CALL_MEMORY_UNMAP, (uint32_t)deputy_spare, PAGE},
        {SYSTEM_CALL_MEMORY_UNMAP, PRIVUSER_START, PRIVUSER_END - PRIVUSER_START},
    };
    uint32_t refused = 0;

    for (uint32_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        const void *const start = (const void *)calls[i].start;
        const int result = call(calls[i].number, start, (const void *)calls[i].length, 0, 0);
        refused |= (uint32_t)(result < 0) << i;
    }
    return (int)refused;
}

const privcall_entry_t privcall_table[] = {
    [DEPUTY_OWN] = {.function = own},
    [DEPUTY_KERNELS] = {.function = kernels},
    [DEPUTY_ORDINARY] = {.function = ordinary},
    [DEPUTY_PAGES] = {.function = pages},
};
const uint32_t privcall_count = DEPUTY_COUNT;
