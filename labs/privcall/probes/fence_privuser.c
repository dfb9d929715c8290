/*
 * The PrivUser of the probe `fence`: ring 2 turned against the kernel. What it may do is told by
 * its results, what it may not by how its process ends.
 */
#include "fence.h"

#include "functions.h"

uint32_t fence_secret = 0x539; /* the grader plants another */

/* Touches (%[address]) through a segment register that is given `selector` for the moment. */
#define TOUCH(segment, access)                                                                     \
    __asm__ volatile("mov %%" segment ", %%edi\n\t"                                                \
                     "mov %w[selector], %%" segment "\n\t" access "\n\t"                           \
                     "mov %%edi, %%" segment                                                       \
                     : [value] "+a"(value)                                                         \
                     : [selector] "d"(selector), [address] "c"(address)                            \
                     : "edi", "memory")
#define READ(segment)  TOUCH(segment, "mov %%" segment ":(%[address]), %[value]")
#define WRITE(segment) TOUCH(segment, "mov %[value], %%" segment ":(%[address])")

static int fence_read(uint32_t segment, uint32_t selector, uint32_t address, uint32_t value)
{
    switch (segment) {
    case FENCE_DS:
        READ("ds");
        break;
    case FENCE_ES:
        READ("es");
        break;
    case FENCE_FS:
        READ("fs");
        break;
    case FENCE_GS:
        READ("gs");
        break;
    default:
        READ("ss");
        break;
    }
    return (int)value;
}

static int fence_write(uint32_t segment, uint32_t selector, uint32_t address, uint32_t value)
{
    switch (segment) {
    case FENCE_DS:
        WRITE("ds");
        break;
    case FENCE_ES:
        WRITE("es");
        break;
    case FENCE_FS:
        WRITE("fs");
        break;
    case FENCE_GS:
        WRITE("gs");
        break;
    default:
        WRITE("ss");
        break;
    }
    return 0;
}

static int may_read(uint32_t selector, uint32_t b, uint32_t c, uint32_t d)
{
    bool readable;

    __asm__("verr %w1" : "=@ccz"(readable) : "r"(selector));
    return readable;
}

#define DEFINE(name, text)                                                                         \
    void fence_run_##name(void);                                                                   \
    __asm__(".text\nfence_run_" #name ":\n"                                                        \
            "    push %ebp\n    mov %esp, %ebp\n    push %ebx\n    push %esi\n    push %edi\n"     \
            "    sub $8, %esp\n    " text "\n"                                                     \
            "    lea -12(%ebp), %esp\n    pop %edi\n    pop %esi\n    pop %ebx\n    pop %ebp\n"    \
            "    ret\n");
FENCE_INSTRUCTIONS(DEFINE)
FENCE_BEYOND(DEFINE)

static int run(uint32_t which, uint32_t b, uint32_t c, uint32_t d)
{
    static void (*const instructions[FENCE_RUNS])(void) = {
#define ENTRY(name, text) [FENCE_RUN_##name] = fence_run_##name,
        FENCE_INSTRUCTIONS(ENTRY) FENCE_BEYOND(ENTRY)};

    if (which < FENCE_RUNS) {
        instructions[which]();
    }
    return 0;
}

/* Interrupt flag off, I/O privilege level 3, and whatever else is asked for; then as it was. */
static int flags_after_popf(uint32_t set, uint32_t clear, uint32_t c, uint32_t d)
{
    uint32_t before, after;

    __asm__ volatile("pushf; pop %0" : "=r"(before));
    __asm__ volatile("push %1; popf; pushf; pop %0; push %2; popf"
                     : "=&r"(after)
                     : "r"((before | set) & ~clear), "r"(before)
                     : "cc", "memory");
    return (int)after;
}

static int secret_address(uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
    return (int)&fence_secret;
}

const privcall_entry_t privcall_table[] = {
    [FENCE_READ] = {.function = fence_read},        [FENCE_WRITE] = {.function = fence_write},
    [FENCE_LIMIT] = {.function = may_read},         [FENCE_RUN] = {.function = run},
    [FENCE_FLAGS] = {.function = flags_after_popf}, [FENCE_SECRET] = {.function = secret_address},
};
const uint32_t privcall_count = FENCE_COUNT;
