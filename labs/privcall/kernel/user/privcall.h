/*
 * How ring 3 calls a function of its program's PrivUser. (The stub itself is user/privcall.asm.)
 */
#ifndef PRIVCALL_H
#define PRIVCALL_H

#include <stdint.h>

/* Calls privcall_table[number](a, b, c, d) in ring 2 and returns its result. E_NO_CALL: there is no
 * such number. For pointers (enum privcall_kind): E_INVALID, when the length is more than
 * PRIVCALL_BUFFER_MAX; E_FAULT, when they do not lead to ordinary memory of the program. */
int privcall(uint32_t number, uint32_t a, uint32_t b, uint32_t c, uint32_t d);

#endif
