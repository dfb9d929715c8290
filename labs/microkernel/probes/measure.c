/*
 * The experiment: how many instructions it takes to have a service done by a function, by the
 * kernel, and by a server in another address space. The time-stamp counter stands for an
 * instruction counter: on the grader's machine it advances by the same number with each
 * instruction, and `unit` says by which.
 */
#include "crew.h"
#include "service.h"

enum { ROUNDS = 32, NOPS = 1000 };

static uint32_t server;
static uint32_t wrong;

static inline uint32_t time_stamp(void)
{
    uint32_t low;
    __asm__ volatile("rdtsc" : "=a"(low) : : "edx", "memory");
    return low;
}

__attribute__((noinline, noclone)) static void by_function(uint32_t *words, uint32_t count)
{
    serve_words(words, count);
    __asm__ volatile("" : : : "memory");
}

static void by_system_call(uint32_t *words, uint32_t count)
{
    system_call(SERVICE_CALL, (uint32_t)words, count, 0, 0, 0);
}

static void by_messages(uint32_t *words, uint32_t count)
{
    message_t message = {.type = CREW_LETTER + count};
    memcpy(message.payload, words, count * sizeof words[0]);
    ipc_call(server, &message, 0);
    memcpy(words, message.payload, count * sizeof words[0]);
}

/* A system call that does nothing, for comparison. */
static void nothing(uint32_t *words, uint32_t count)
{
    (void)words;
    (void)count;
    system_call(SYSTEM_CALL_GETPID, 0, 0, 0, 0, 0);
}

/* The fewest units that it took, since now and then the timer interrupts. */
static uint32_t fewest_of(void (*operation)(uint32_t *words, uint32_t count), uint32_t count)
{
    uint32_t words[SERVICE_WORDS_MAX] = {0}, fewest = 0xffffffff;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        uint32_t start = time_stamp();
        operation(words, count);
        uint32_t taken = time_stamp() - start;
        fewest = taken < fewest ? taken : fewest;
    }
    for (uint32_t i = 0; operation != nothing && i < count; i++)
        wrong += words[i] != 0; /* an even number of inversions */
    return fewest;
}

static void measure(void (*operation)(uint32_t *words, uint32_t count))
{
    static const char *const keys[SERVICE_WORDS_MAX] = {"4",  "8",  "12", "16", "20", "24", "28",
                                                        "32", "36", "40", "44", "48", "52", "56"};
    for (uint32_t count = 1; count <= SERVICE_WORDS_MAX; count++)
        probe_report(keys[count - 1], fewest_of(operation, count));
}

static uint32_t units_of_an_instruction(void)
{
    uint32_t start = time_stamp();
    __asm__ volatile(".rept %c0; nop; .endr" : : "i"(NOPS));
    return (time_stamp() - start + NOPS / 2) / NOPS;
}

static int serving(void)
{
    message_t message;
    int result = crew_hello();
    while (result == 0) {
        result = ipc_receive(ENDPOINT_ANY, &message, 0);
        uint32_t client = message.sender;
        serve_words(message.payload, letter_key(&message));
        result = result != 0 ? result : ipc_reply(client, &message);
    }
    return result;
}

static int finish(void)
{
    probe_report("wrong", wrong);
    probe_report("unit", units_of_an_instruction());
    probe_report("null_call", fewest_of(nothing, 1));
    probe_finish();
    return 0;
}

static int function(void)
{
    measure(by_function);
    return finish();
}

static int kernel(void)
{
    measure(by_system_call);
    return finish();
}

static int messages(void)
{
    crew_start_known("serving", 0, 0, &server);
    measure(by_messages);
    return finish();
}

int main(const char *argument)
{
    static const struct crew_role roles[] = {
        {"function", function}, {"kernel", kernel}, {"messages", messages},
        {"serving", serving},   {NULL, NULL},
    };
    return crew_play("measure", argument, roles);
}
