/*
 * The frame allocator: one bit for every 4 KB of physical memory, set while the frame is in use. A
 * bitmap is small, keeps nothing inside the free memory itself, and notices a frame that is given
 * back twice.
 */
#include "frame.h"

#include "string.h"

#define FRAMES_MAX (DIRECT_MAP_LENGTH / PAGE_SIZE)

/* The BIOS's memory map, as bootstrap.asm left it in low memory. */
#define MEMORY_MAP_COUNT  0x500
#define MEMORY_MAP        0x510
#define MEMORY_USABLE_RAM 1
#define LOW_MEMORY_END    0x100000u /* below: BIOS data, the boot archive, video memory */

typedef struct {
    uint64_t start;
    uint64_t length;
    uint32_t type;
    uint32_t attributes;
} memory_map_entry_t;

extern uint8_t kernel_end[]; /* link.ld */

static uint32_t used[FRAMES_MAX / 32]; /* the bitmap */
static uint32_t frames_end;            /* frames from this number on do not exist */
static uint32_t free_count;
static uint32_t search_from; /* no frame below this number is free */

static bool is_used(uint32_t frame)
{
    return used[frame / 32] & 1u << frame % 32;
}

static void mark_used(uint32_t frame)
{
    assert(!is_used(frame));
    used[frame / 32] |= 1u << frame % 32;
    free_count--;
}

static void mark_free(uint32_t frame)
{
    assert(is_used(frame));
    used[frame / 32] &= ~(1u << frame % 32);
    free_count++;
}

/* Marks as free the whole frames of one entry of the memory map. Entries may overlap, so a frame
 * may be free already. */
static void add_memory(const memory_map_entry_t *entry)
{
    uint64_t start = entry->start;
    uint64_t end = start + entry->length;
    const uint64_t lowest = virtual_to_physical(kernel_end);

    if (end > DIRECT_MAP_LENGTH || end < start) {
        end = DIRECT_MAP_LENGTH;
    }
    if (start < lowest) {
        start = lowest;
    }
    if (start >= end) {
        return;
    }
    const uint32_t last = (uint32_t)end / PAGE_SIZE;
    for (uint32_t frame = round_up((uint32_t)start, PAGE_SIZE) / PAGE_SIZE; frame < last; frame++) {
        if (is_used(frame)) {
            mark_free(frame);
        }
    }
    if (last > frames_end) {
        frames_end = last;
    }
}

/* Takes back the frames of an entry that is not usable: where entries overlap, the cautious one
 * is believed. */
static void remove_memory(const memory_map_entry_t *entry)
{
    if (entry->start >= DIRECT_MAP_LENGTH || entry->length == 0) {
        return;
    }
    const uint64_t end = entry->start + entry->length;
    const uint32_t last =
        end > DIRECT_MAP_LENGTH ? FRAMES_MAX : ((uint32_t)end + PAGE_SIZE - 1) / PAGE_SIZE;
    for (uint32_t frame = (uint32_t)entry->start / PAGE_SIZE; frame < last; frame++) {
        if (!is_used(frame)) {
            mark_used(frame);
        }
    }
}

void frame_init(void)
{
    const uint32_t count = *(uint32_t *)physical_to_virtual(MEMORY_MAP_COUNT);
    const memory_map_entry_t *map = physical_to_virtual(MEMORY_MAP);

    memset(used, 0xFF, sizeof used);
    for (uint32_t i = 0; i < count; i++) {
        if (map[i].type == MEMORY_USABLE_RAM) {
            add_memory(&map[i]);
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        if (map[i].type != MEMORY_USABLE_RAM) {
            remove_memory(&map[i]);
        }
    }
    if (free_count == 0) {
        panic("the BIOS reports no usable memory above 1 MB");
    }
}

physical_address_t frame_alloc_run(uint32_t count)
{
    uint32_t run = 0; /* free frames in a row, up to and without `frame` */

    assert(count > 0);
    while (search_from < frames_end && is_used(search_from)) {
        search_from++;
    }
    for (uint32_t frame = search_from; frame < frames_end; frame++) {
        run = is_used(frame) ? 0 : run + 1;
        if (run == count) {
            const uint32_t first = frame + 1 - count;
            for (uint32_t i = first; i <= frame; i++) {
                mark_used(i);
            }
            return first * PAGE_SIZE;
        }
    }
    return 0;
}

physical_address_t frame_alloc(void)
{
    const physical_address_t frame = frame_alloc_run(1);

    if (frame != 0) {
        memset(physical_to_virtual(frame), 0, PAGE_SIZE);
    }
    return frame;
}

void frame_free(physical_address_t frame)
{
    const uint32_t number = frame / PAGE_SIZE;

    assert(frame % PAGE_SIZE == 0);
    assert(frame >= virtual_to_physical(kernel_end) && number < frames_end);
    mark_free(number);
    if (number < search_from) {
        search_from = number;
    }
}

uint32_t frames_free(void)
{
    return free_count;
}

physical_address_t memory_end(void)
{
    return frames_end * PAGE_SIZE;
}
