/*
 * The privcalls of the probe `deputy`, by number.
 */
#ifndef DEPUTY_H
#define DEPUTY_H

enum deputy_number {
    DEPUTY_OWN, /* () -> one bit for each system call that works from ring 2 on PrivUser memory */
    DEPUTY_KERNELS,  /* () -> one bit for each that ring 2 is refused on the kernel's memory */
    DEPUTY_ORDINARY, /* (buffer) -> the same as DEPUTY_OWN for a buffer in ordinary memory */
    DEPUTY_PAGES, /* () -> one bit for each of four ways to map and unmap PrivUser that is refused
                   */
    DEPUTY_COUNT,
};

enum deputy_call {
    DEPUTY_WRITE,
    DEPUTY_PARAMETER,
    DEPUTY_SPAWN,
    DEPUTY_WAIT,
    DEPUTY_CREATE_FILE,
    DEPUTY_READ_FILE,
    DEPUTY_LIST_FILES,
    DEPUTY_DELETE_FILE,
    DEPUTY_LIST_PROCESSES,
    DEPUTY_CALLS,
};

#define DEPUTY_FILE  "deputy-file" /* is there */
#define DEPUTY_NEW   "deputy-new"  /* is to be created */
#define DEPUTY_TEXT  "from ring 2\n"
#define DEPUTY_CHILD "role=leave"

#endif
