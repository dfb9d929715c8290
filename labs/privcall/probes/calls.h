/*
 * The privcalls of the probe `calls`, by number.
 */
#ifndef CALLS_H
#define CALLS_H

enum calls_number {
    CALLS_MIX,       /* (a, b, c, d) -> something of all four and of the secret */
    CALLS_MADE,      /* () -> how many calls of CALLS_MIX there were */
    CALLS_DEEP,      /* (bytes, value) -> value, after using that much stack */
    CALLS_COMPUTE,   /* (rounds, value) -> a hash; takes long */
    CALLS_BLOW,      /* (how, value) a fault, with `value` in all registers */
    CALLS_GETPID,    /* () -> the result of the system call getpid */
    CALLS_SLEEP,     /* (ticks) -> the ticks that passed meanwhile */
    CALLS_FOR_EVER,  /* () does not return */
    CALLS_COUNT,     /* privcall_count */
    CALLS_FORBIDDEN, /* is in the table's memory, but after its end */
};

/* What CALLS_BLOW does. */
enum blow {
    BLOW_DIVIDE,
    BLOW_BREAKPOINT,
    BLOW_OPCODE,
    BLOW_HALT,
    BLOW_KERNEL_SELECTOR,
    BLOW_NULL,
    BLOW_OWN_CODE,
    BLOWS,
};

#endif
