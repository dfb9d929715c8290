/*
 * What the probe `modules` and its policy agree on: its domains, and what an entry can be asked to
 * do.
 */
#ifndef MODULES_H
#define MODULES_H

enum {
    MAIN,   /* where the program starts; may not read `secret` */
    VAULT,  /* may read `secret`; may not call getpid */
    MODULE, /* may read `public`; may not call ticks */
    THIRD,
    FOURTH,
    FIFTH,
    CLOSED, /* has no entries */
    DOMAINS,
};

/* The entries of each domain but CLOSED. */
enum {
    ENTRY_DO,    /* (what, b, c): see below */
    ENTRY_LOOK,  /* (a, b, c): the grader looks at its registers and stack */
    ENTRY_COUNT, /* number of entries */
};

/* What ENTRY_DO does, in the domain that it runs in. */
enum {
    DO_PAUSE,        /* calls in_domain(b) */
    DO_SECRET,       /* the checksum of `secret`, or an error */
    DO_PUBLIC,       /* how many of the first bytes of `public` are right, or an error */
    DO_PEEK,         /* what lies at address b */
    DO_POKE,         /* writes c to address b */
    DO_JUMP,         /* calls address b */
    DO_CALL,         /* the system call in `planned` */
    DO_NEXT,         /* passes c on to domain b, as DO_... */
    DO_RECURSE,      /* calls domains VAULT and MODULE in turn, level b, until an error comes */
    DO_SLEEP,        /* sleeps b ticks with c on its stack, and returns that */
    DO_DAMAGE,       /* overwrites what is on its stack but its return address */
    DO_DAMAGE_MORE,  /* overwrites that too */
    DO_RETURNS,      /* the address that the entry returns to */
    DO_SLEEP_NESTED, /* has MODULE sleep b ticks; says when it is returned to too early */
    DO_THREAD,       /* starts a thread of function b, on the stack that ends at c */
    DO_LEAVE,        /* ends the thread */
    DO_LEAVE_NESTED, /* has MODULE end the thread; says when it is returned to */
};

#endif
