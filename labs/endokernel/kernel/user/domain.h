/*
 * Domains, from a program's side. A function that other domains may call is an entry: its name
 * begins with `entry_`, it is named in the policy (NAME_privuser.c), and it runs in ring 3 like any
 * other code, with the rights and the memory of its domain.
 */
#ifndef DOMAIN_H
#define DOMAIN_H

#include <stdint.h>

#include "../endokernel.h"

/* Puts a variable into the memory of domain `number`, 1 to 7, written as a plain digit:
 *     static char key[16] DOMAIN_DATA(1);  */
#define DOMAIN_DATA(number) __attribute__((section(".domain" #number)))

/* Calls an entry of a domain, by its place in the policy's table. Returns what the entry returned;
 * E_NO_CALL: there is no such domain or entry; E_FULL: too many calls are nested in this thread, or
 * go on in that domain. */
int domain_call(uint32_t domain, uint32_t entry, uint32_t a, uint32_t b, uint32_t c);

#endif
