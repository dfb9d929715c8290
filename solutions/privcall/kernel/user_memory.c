/*
 * Pointers from programs. A program may pass any number as a pointer: to the kernel's memory, to
 * nothing, or such that start + length wraps around. The kernel could read and write it all, so it
 * must ask, page by page, what the program itself could do.
 */
#include "user_memory.h"

#include "error.h"
#include "frame.h"
#include "paging.h"
// STAGE 1 {
#include "privuser_area.h"
// STAGE 1 }
// STAGE 4 {
#include "process.h"
// STAGE 4 }
#include "string.h"

// STAGE 4 {
/* The system call's caller decides what may be named in it, and its frame says in which ring it is:
 * PrivUser may name its own memory, ring 3 may not, though to the kernel both are below KBASE. */
static uint32_t caller_flags(void)
{
    const trap_frame_t *caller = context_trap_frame(&current_process->context);

    return (caller->cs & 3) == 3 ? PAGE_PRESENT | PAGE_USER : PAGE_PRESENT;
}

// STAGE 4 }
static bool page_allows(virtual_address_t address, uint32_t flags)
{
    const page_entry_t *entry = page_walk(address_space_current(), address, false);

    return entry != NULL && (*entry & flags) == flags;
}

int user_range_check(virtual_address_t start, uint32_t length, bool writable)
{
    // STAGE 4 {
    //: const uint32_t flags = PAGE_PRESENT | PAGE_USER | (writable ? PAGE_WRITABLE : 0);
    const uint32_t flags = caller_flags() | (writable ? PAGE_WRITABLE : 0);
    // STAGE 4 }

    if (length == 0) {
        return OK;
    }
    /* Not `start + length > KBASE`: the sum may wrap around. */
    if (start >= KBASE || length > KBASE - start) {
        return E_FAULT;
    }
    const virtual_address_t end = start + length;
    for (virtual_address_t page = round_down(start, PAGE_SIZE); page < end; page += PAGE_SIZE) {
        if (!page_allows(page, flags)) {
            return E_FAULT;
        }
    }
    return OK;
}

int copy_from_user(void *to, virtual_address_t from, uint32_t length)
{
    const int error = user_range_check(from, length, false);

    if (error == OK) {
        memcpy(to, (const void *)from, length);
    }
    return error;
}

int copy_to_user(virtual_address_t to, const void *from, uint32_t length)
{
    const int error = user_range_check(to, length, true);

    if (error == OK) {
        memcpy((void *)to, from, length);
    }
    return error;
}

int copy_string_from_user(char *to, virtual_address_t from, uint32_t size)
{
    for (uint32_t length = 0; length < size; length++) {
        /* Once a page: the string may end just before memory that is not there. */
        if ((length == 0 || (from + length) % PAGE_SIZE == 0) &&
            user_range_check(from + length, 1, false) != OK) {
            return E_FAULT;
        }
        to[length] = *(const char *)(from + length);
        if (to[length] == '\0') {
            return length;
        }
    }
    return E_NAME;
}

static bool is_mappable(virtual_address_t start, uint32_t length)
{
    // STAGE 1 {
    //: return start % PAGE_SIZE == 0 && start >= USER_START && start < USER_END && length > 0 &&
    //:        length <= USER_END - start;
    return start % PAGE_SIZE == 0 && start >= USER_START && start < USER_END && length > 0 &&
           length <= USER_END - start && !overlaps_privuser(start, length);
    // STAGE 1 }
}

static int map_zeroed_page(virtual_address_t page)
{
    const physical_address_t frame = frame_alloc();

    if (frame == 0) {
        return E_MEMORY;
    }
    const int error = page_map(address_space_current(), page, frame, PAGE_USER | PAGE_WRITABLE);
    if (error != OK) {
        frame_free(frame);
    }
    return error;
}

static void unmap_pages(virtual_address_t start, virtual_address_t end)
{
    for (virtual_address_t page = start; page < end; page += PAGE_SIZE) {
        frame_free(page_unmap(address_space_current(), page));
    }
}

int user_memory_map(virtual_address_t start, uint32_t length)
{
    if (!is_mappable(start, length)) {
        return E_INVALID;
    }
    for (virtual_address_t page = start; page < start + length; page += PAGE_SIZE) {
        const int error = map_zeroed_page(page);
        if (error != OK) {
            unmap_pages(start, page);
            return error;
        }
    }
    return OK;
}

int user_memory_unmap(virtual_address_t start, uint32_t length)
{
    if (!is_mappable(start, length)) {
        return E_INVALID;
    }
    if (user_range_check(start, length, false) != OK) {
        return E_FAULT;
    }
    unmap_pages(start, start + length);
    return OK;
}
