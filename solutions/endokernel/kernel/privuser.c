/*
 * PrivUser's pages: those that come from the program's file, and the stacks on which its threads
 * work in ring 2. What protects them is one bit in the page entry, which loader.c does not set.
 */
#include "privuser_area.h"

#include "frame.h"
#include "paging.h"
#include "process.h"
#include "string.h"

/* The stacks lie at the area's end, each above a page that is never mapped: a stack that grows too
 * long faults. There are as many as there can be threads. */
#define STACK_STRIDE (PRIVUSER_STACK_SIZE + PAGE_SIZE)
#define STACKS_START (PRIVUSER_END - 64 * STACK_STRIDE)

_Static_assert(PROCESSES_MAX <= 64, "a stack for each thread");

bool overlaps_privuser(virtual_address_t start, uint32_t length)
{
    return length > 0 && start < PRIVUSER_END && start + length > PRIVUSER_START;
}

bool is_privuser_segment(const elf_segment_t *segment)
{
    return segment->address >= PRIVUSER_START && segment->address < STACKS_START &&
           segment->memory_length <= STACKS_START - segment->address;
}

/* Whether a segment that the file declares executable has code at this address. */
static bool is_privuser_code(const elf_segment_t *segments, uint32_t count,
                             virtual_address_t address)
{
    for (uint32_t i = 0; i < count; i++) {
        if (segments[i].type == ELF_SEGMENT_LOAD && (segments[i].flags & ELF_EXECUTE) &&
            is_privuser_segment(&segments[i]) && address >= segments[i].address &&
            address - segments[i].address < segments[i].memory_length) {
            return true;
        }
    }
    return false;
}

/* Where the kernel sees the page at an address; NULL when nothing is mapped there. */
static void *page_at(physical_address_t directory, virtual_address_t address)
{
    const page_entry_t *entry = page_walk(directory, address, false);

    if (entry == NULL || !(*entry & PAGE_PRESENT)) {
        return NULL;
    }
    return physical_to_virtual(*entry & ~PAGE_FLAGS);
}

int privuser_find(physical_address_t directory, const elf_segment_t *segments, uint32_t count,
                  virtual_address_t *privcall_entry)
{
    /* All of the area is one page table's, and only PrivUser's segments bring that into being. */
    const bool exists = page_walk(directory, PRIVUSER_START, false) != NULL;
    const privuser_header_t *header = page_at(directory, PRIVUSER_START);

    *privcall_entry = 0;
    if (!exists) {
        return OK;
    }
    if (header == NULL || header->magic != PRIVUSER_MAGIC ||
        // STAGE 1 {
        //: !is_privuser_code(segments, count, header->privcall_entry)) {
        !is_privuser_code(segments, count, header->privcall_entry) ||
        !is_privuser_code(segments, count, header->system_call_entry)) {
        // STAGE 1 }
        return E_FORMAT;
    }
    *privcall_entry = header->privcall_entry;
    return OK;
}

void privuser_wipe(physical_address_t directory)
{
    if (page_walk(directory, PRIVUSER_START, false) == NULL) {
        return;
    }
    for (virtual_address_t page = PRIVUSER_START; page < PRIVUSER_END; page += PAGE_SIZE) {
        void *memory = page_at(directory, page);

        if (memory != NULL) {
            memset(memory, 0, PAGE_SIZE);
        }
    }
}

/* Unmaps and wipes as much of the stack that ends at `top` as is there. */
static void unmap_stack(physical_address_t directory, virtual_address_t top)
{
    for (virtual_address_t page = top - PRIVUSER_STACK_SIZE; page < top; page += PAGE_SIZE) {
        const physical_address_t frame = page_unmap(directory, page);

        if (frame != 0) {
            memset(physical_to_virtual(frame), 0, PAGE_SIZE);
            frame_free(frame);
        }
    }
}

static int map_stack(physical_address_t directory, virtual_address_t top)
{
    for (virtual_address_t page = top - PRIVUSER_STACK_SIZE; page < top; page += PAGE_SIZE) {
        const physical_address_t frame = frame_alloc();
        const int error = frame == 0 ? E_MEMORY : page_map(directory, page, frame, PAGE_WRITABLE);

        if (error != OK) {
            if (frame != 0) {
                frame_free(frame);
            }
            unmap_stack(directory, top);
            return error;
        }
    }
    return OK;
}

int privuser_enter(process_context_t *thread, const ldt_t *ldt)
{
    virtual_address_t top = PRIVUSER_END;

    while (page_at(thread->page_directory, top - PAGE_SIZE) != NULL) {
        top -= STACK_STRIDE; /* another thread's */
    }
    assert(top > STACKS_START);
    const int error = map_stack(thread->page_directory, top);
    if (error == OK) {
        thread->ldt = ldt;
        thread->privuser_stack = top;
    }
    return error;
}

void privuser_leave(process_context_t *thread)
{
    if (thread->ldt != NULL) {
        unmap_stack(thread->page_directory, thread->privuser_stack);
        thread->ldt = NULL;
    }
}
