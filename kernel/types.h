/*
 * Types and addresses that the whole kernel uses. An address is either physical (what the memory
 * chips see) or virtual (what an instruction sees); the two have types of their own, so that a
 * function's signature says which one it means.
 */
#ifndef TYPES_H
#define TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "panic.h"

typedef uint32_t physical_address_t;
typedef uint32_t virtual_address_t;

#define PAGE_SIZE 4096u

/* The kernel lives at and above KBASE, processes below it. Physical memory, as far as the kernel
 * uses it, can be seen whole at KBASE: physical address p is at virtual address KBASE + p. */
#define KBASE             0xC0000000u
#define DIRECT_MAP_LENGTH 0x10000000u /* 256 MB */

/* A program's half. Its lowest page is never mapped, so that a NULL pointer faults, and neither is
 * the page below the stack, so that a stack that grows too long does. */
#define USER_START      PAGE_SIZE
#define USER_END        (USER_STACK_TOP - USER_STACK_SIZE - PAGE_SIZE)
#define USER_STACK_SIZE (4 * PAGE_SIZE)
#define USER_STACK_TOP  0xBFFFE000u

static inline void *physical_to_virtual(physical_address_t address)
{
    assert(address < DIRECT_MAP_LENGTH);
    return (void *)(KBASE + address);
}

static inline physical_address_t virtual_to_physical(const void *pointer)
{
    assert((virtual_address_t)pointer - KBASE < DIRECT_MAP_LENGTH);
    return (virtual_address_t)pointer - KBASE;
}

static inline uint32_t round_down(uint32_t value, uint32_t power_of_two)
{
    return value & ~(power_of_two - 1);
}

static inline uint32_t round_up(uint32_t value, uint32_t power_of_two)
{
    return round_down(value + power_of_two - 1, power_of_two);
}

#endif
