/*
 * The kernel's heap: one piece of memory, cut into blocks that follow each other. Each block begins
 * with a header that says how long it is and whether it is in use. kalloc takes the first free
 * block that is long enough; kfree joins neighbours that are free, so that pieces grow together
 * again.
 */
#include "heap.h"

#include "frame.h"

#define HEAP_SIZE_MAX (4u * 1024 * 1024)
#define ALIGNMENT     16u
#define MAGIC         0x0539B10Cu

/* Exactly 16 bytes, so that what follows a header is as aligned as the header. */
typedef struct {
    uint32_t magic;    /* MAGIC; anything else: somebody wrote past the end of the block before */
    uint32_t length;   /* bytes, with the header */
    uint32_t previous; /* length of the block before, 0 for the first */
    bool in_use;
} block_t;

_Static_assert(sizeof(block_t) == ALIGNMENT, "blocks would not stay aligned");

static block_t *first;
static block_t *end; /* just past the last block */

/* The block after this one; `end` after the last. */
static block_t *next_of(block_t *block)
{
    return (block_t *)((uint8_t *)block + block->length);
}

static void check(const block_t *block)
{
    assert(block->magic == MAGIC);
}

/* Sets the length of a block and tells the next one. */
static void set_length(block_t *block, uint32_t length)
{
    block->length = length;
    if (next_of(block) != end) {
        next_of(block)->previous = length;
    }
}

void heap_init(void)
{
    const uint32_t eighth = round_down(frames_free() / 8 * PAGE_SIZE, PAGE_SIZE);
    const uint32_t size = eighth < HEAP_SIZE_MAX ? eighth : HEAP_SIZE_MAX;
    const physical_address_t memory = frame_alloc_run(size / PAGE_SIZE);

    if (memory == 0) {
        panic("no memory for the kernel's heap");
    }
    first = physical_to_virtual(memory);
    end = (block_t *)((uint8_t *)first + size);
    *first = (block_t){.magic = MAGIC, .length = size, .previous = 0, .in_use = false};
}

/* Makes a block `length` long and the rest, if a block fits into it, a free block of its own. */
static void split(block_t *block, uint32_t length)
{
    const uint32_t rest = block->length - length;

    if (rest < 2 * sizeof(block_t)) {
        return;
    }
    block->length = length;
    block_t *new = next_of(block);
    *new = (block_t){.magic = MAGIC, .previous = length, .in_use = false};
    set_length(new, rest);
}

void *kalloc(size_t bytes)
{
    if (bytes == 0 || bytes > HEAP_SIZE_MAX) {
        return NULL;
    }
    const uint32_t length = round_up(bytes, ALIGNMENT) + sizeof(block_t);
    for (block_t *block = first; block != end; block = next_of(block)) {
        check(block);
        if (!block->in_use && block->length >= length) {
            split(block, length);
            block->in_use = true;
            return block + 1;
        }
    }
    return NULL;
}

/* Joins a free block with the one after it, if that is free too. */
static void join_with_next(block_t *block)
{
    block_t *next = next_of(block);

    if (next != end && !next->in_use) {
        check(next);
        next->magic = 0; /* no block begins here any more */
        set_length(block, block->length + next->length);
    }
}

void kfree(void *pointer)
{
    if (pointer == NULL) {
        return;
    }
    block_t *block = (block_t *)pointer - 1;
    check(block);
    assert(block->in_use);
    block->in_use = false;
    join_with_next(block);
    if (block->previous != 0) {
        block_t *previous = (block_t *)((uint8_t *)block - block->previous);
        if (!previous->in_use) {
            join_with_next(previous);
        }
    }
}
