/*
 * The loader. A program's file comes from outside: each number in it may be a lie, made to have the
 * kernel read past the file's end or write where it must not. So all of a file is checked before
 * any of it is used, and sums are never formed where they could wrap around.
 */
#include "loader.h"

#include "elf.h"
#include "error.h"
#include "frame.h"
#include "paging.h"
// STAGE 1 {
#include "privuser_area.h"
// STAGE 1 }
#include "string.h"
#include "system_call.h"

/* Whether `length` bytes from `offset` on lie within the first `size`. */
static bool is_within(uint32_t offset, uint32_t length, uint32_t size)
{
    return offset <= size && length <= size - offset;
}

static bool header_is_valid(const elf_header_t *header, uint32_t length)
{
    return length >= sizeof *header &&
           memcmp(header->magic, ELF_MAGIC, sizeof header->magic) == 0 &&
           header->class == ELF_CLASS_32 && header->byte_order == ELF_LITTLE_ENDIAN &&
           header->format_version == ELF_VERSION && header->version == ELF_VERSION &&
           header->type == ELF_EXECUTABLE && header->machine == ELF_MACHINE_386 &&
           header->segment_size == sizeof(elf_segment_t) &&
           is_within(header->segments_offset, header->segment_count * sizeof(elf_segment_t),
                     length);
}

static bool segment_is_valid(const elf_segment_t *segment, uint32_t length)
{
    if (segment->type == ELF_SEGMENT_DYNAMIC || segment->type == ELF_SEGMENT_INTERPRETER) {
        return false; /* wants a dynamic linker, and there is none */
    }
    if (segment->type != ELF_SEGMENT_LOAD || segment->memory_length == 0) {
        return true;
    }
    return segment->file_length <= segment->memory_length &&
           is_within(segment->offset, segment->file_length, length) &&
           segment->address >= USER_START &&
           // STAGE 1 {
           //: is_within(segment->address, segment->memory_length, USER_END);
           is_within(segment->address, segment->memory_length, USER_END) &&
           (is_privuser_segment(segment) ||
            !overlaps_privuser(segment->address, segment->memory_length));
    // STAGE 1 }
}

static bool is_entry_segment(const elf_segment_t *segment, virtual_address_t entry)
{
    return segment->type == ELF_SEGMENT_LOAD && (segment->flags & ELF_EXECUTE) &&
           entry >= segment->address && entry - segment->address < segment->memory_length;
}

/* Maps a new, zeroed frame at `page` and returns where the kernel sees it; NULL with *error set. */
static uint8_t *map_new_page(physical_address_t directory, virtual_address_t page, uint32_t flags,
                             int *error)
{
    const physical_address_t frame = frame_alloc();

    if (frame == 0) {
        *error = E_MEMORY;
        return NULL;
    }
    // STAGE 1 {
    //: *error = page_map(directory, page, frame, flags | PAGE_USER);
    if (!overlaps_privuser(page, PAGE_SIZE)) {
        flags |= PAGE_USER;
    }
    *error = page_map(directory, page, frame, flags);
    // STAGE 1 }
    if (*error != OK) {
        frame_free(frame);
        return NULL;
    }
    return physical_to_virtual(frame);
}

/* Copies what the file holds of the page at `page`; what it does not hold stays zero. */
static void fill_page(uint8_t *memory, virtual_address_t page, const elf_segment_t *segment,
                      const uint8_t *image)
{
    const virtual_address_t data_end = segment->address + segment->file_length;
    const virtual_address_t from = page > segment->address ? page : segment->address;
    const virtual_address_t to = page + PAGE_SIZE < data_end ? page + PAGE_SIZE : data_end;

    if (from < to) {
        memcpy(memory + (from - page), image + segment->offset + (from - segment->address),
               to - from);
    }
}

static int load_segment(physical_address_t directory, const elf_segment_t *segment,
                        const uint8_t *image)
{
    const virtual_address_t end = segment->address + segment->memory_length;
    const uint32_t flags = segment->flags & ELF_WRITE ? PAGE_WRITABLE : 0;
    int error;

    for (virtual_address_t page = round_down(segment->address, PAGE_SIZE); page < end;
         page += PAGE_SIZE) {
        uint8_t *memory = map_new_page(directory, page, flags, &error);
        if (memory == NULL) {
            /* Two segments in one page would need both their protections at once. */
            return error == E_EXISTS ? E_FORMAT : error;
        }
        fill_page(memory, page, segment, image);
    }
    return OK;
}

static int load_image(program_t *program, const uint8_t *image, uint32_t length)
{
    const elf_header_t *header = (const elf_header_t *)image;
    bool entry_is_valid = false;

    if (!header_is_valid(header, length)) {
        return E_FORMAT;
    }
    const elf_segment_t *segments = (const elf_segment_t *)(image + header->segments_offset);
    for (uint32_t i = 0; i < header->segment_count; i++) {
        if (!segment_is_valid(&segments[i], length)) {
            return E_FORMAT;
        }
        entry_is_valid |= is_entry_segment(&segments[i], header->entry);
    }
    if (!entry_is_valid) {
        return E_FORMAT;
    }
    program->entry = header->entry;
    for (uint32_t i = 0; i < header->segment_count; i++) {
        if (segments[i].type == ELF_SEGMENT_LOAD && segments[i].memory_length > 0) {
            const int error = load_segment(program->page_directory, &segments[i], image);
            if (error != OK) {
                return error;
            }
        }
    }
    // STAGE 1 {
    //: return OK;
    return privuser_find(program->page_directory, segments, header->segment_count,
                         &program->privcall_entry);
    // STAGE 1 }
}

/* The stack's last page ends with the argument string; below it lies what a C function finds when
 * it is called: a return address, here none, and its argument, a pointer to the string. */
static int load_stack(program_t *program, const char *argument)
{
    const uint32_t size = strlen(argument) + 1;
    uint8_t *memory = NULL;
    int error;

    if (size > ARGUMENT_MAX + 1) {
        return E_INVALID;
    }
    for (virtual_address_t page = USER_STACK_TOP - USER_STACK_SIZE; page < USER_STACK_TOP;
         page += PAGE_SIZE) {
        memory = map_new_page(program->page_directory, page, PAGE_WRITABLE, &error);
        if (memory == NULL) {
            return error;
        }
    }
    const uint32_t string_offset = round_down(PAGE_SIZE - size, 16);
    uint32_t *words = (uint32_t *)(memory + string_offset) - 2;
    memcpy(memory + string_offset, argument, size);
    words[0] = 0;
    words[1] = USER_STACK_TOP - PAGE_SIZE + string_offset;
    program->stack_pointer = words[1] - 2 * sizeof(uint32_t);
    return OK;
}

int program_load(program_t *program, const void *image, uint32_t length, const char *argument)
{
    program->page_directory = address_space_create();
    if (program->page_directory == 0) {
        return E_MEMORY;
    }
    int error = load_image(program, image, length);
    if (error == OK) {
        error = load_stack(program, argument);
    }
    if (error != OK) {
        address_space_destroy(program->page_directory);
    }
    return error;
}
