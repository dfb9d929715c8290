/*
 * The experiment: how many instructions it takes to have a secret function done in the program
 * itself, in its PrivUser, and in another process; and to make a system call that does nothing. The
 * time-stamp counter stands for an instruction counter: on the grader's machine it advances by the
 * same number with each instruction, and `unit` says by which.
 */
#include "measure.h"
#include "exchange.h"
#include "library.h"
#include "privcall.h"
#include "probe.h"

enum { ROUNDS = 64, NOPS = 1000 };

static uint32_t key = 0x539; /* as in PrivUser */
static uint32_t server;      /* pid */
static uint32_t text[MEASURE_TEXT_SIZE / sizeof(uint32_t)];
static uint32_t wrong;

typedef uint32_t (*way_t)(uint32_t value);

static inline uint32_t time_stamp(void)
{
    uint32_t low;

    __asm__ volatile("rdtsc" : "=a"(low) : : "edx", "memory");
    return low;
}

__attribute__((noinline, noclone)) static uint32_t by_function(uint32_t value)
{
    return measure_seal(key, value);
}

static uint32_t by_privcall(uint32_t value)
{
    return (uint32_t)privcall(MEASURE_NUMBER, value, 0, 0, 0);
}

static uint32_t by_privcall_with_text(uint32_t value)
{
    text[0] = value;
    return (uint32_t)privcall(MEASURE_TEXT, (uint32_t)text, sizeof text, 0, 0);
}

static uint32_t by_process(uint32_t value)
{
    return (uint32_t)ask(server, value);
}

/* A system call that does nothing; the function is done here, so that the answer is right. */
static uint32_t null_call(uint32_t value)
{
    system_call(SYSTEM_CALL_GETPID, 0, 0, 0, 0, 0);
    return measure_seal(key, value);
}

/* The fewest units that it took, since now and then the timer interrupts. */
static void measure(const char *name, way_t way)
{
    uint32_t fewest = 0xFFFFFFFF;

    for (uint32_t round = 0; round < ROUNDS; round++) {
        const uint32_t start = time_stamp();
        const uint32_t result = way(round);
        const uint32_t taken = time_stamp() - start;

        wrong += result != measure_seal(key, round);
        fewest = taken < fewest ? taken : fewest;
    }
    probe_report(name, fewest);
}

static uint32_t units_of_an_instruction(void)
{
    const uint32_t start = time_stamp();

    __asm__ volatile(".rept %c0; nop; .endr" : : "i"(NOPS));
    return (time_stamp() - start + NOPS / 2) / NOPS;
}

static int serve(void)
{
    uint32_t question;
    uint32_t sealed = 0;

    while (answer((int)sealed, &question) > 0) {
        sealed = measure_seal(key, question);
    }
    return 1;
}

int main(const char *argument)
{
    if (probe_number(argument, "serve", 0) != 0) {
        return serve();
    }
    server = (uint32_t)spawn("measure", "serve=1");
    measure("function", by_function);
    measure("null_call", null_call);
    measure("privcall", by_privcall);
    measure("privcall_text", by_privcall_with_text);
    measure("process", by_process);
    probe_report("wrong", wrong);
    probe_report("unit", units_of_an_instruction());
    probe_finish();
}
