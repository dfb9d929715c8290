/*
 * The loader: makes an address space from a program's file.
 */
#ifndef LOADER_H
#define LOADER_H

#include "types.h"

typedef struct {
    physical_address_t page_directory;
    virtual_address_t entry;         /* where the program begins */
    virtual_address_t stack_pointer; /* with the argument already on the stack */
    // STAGE 1 {
    virtual_address_t privcall_entry; /* of its PrivUser; 0 when it has none */
    // STAGE 1 }
} program_t;

/* Loads an ELF32 file, which need not be trusted, into a new address space, and gives it a stack
 * with the argument string, of at most ARGUMENT_MAX characters. Returns OK, E_FORMAT, E_INVALID
 * (the argument is too long) or E_MEMORY; after an error nothing is left behind. */
int program_load(program_t *program, const void *image, uint32_t length, const char *argument);

#endif
