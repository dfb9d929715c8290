/*
 * The executable and linkable format (ELF), as far as the loader needs it: the header at a file's
 * beginning, and the program header that describes a segment, that is one piece of the file and
 * where it goes in memory. Tool Interface Standard, ELF specification 1.2.
 */
#ifndef ELF_H
#define ELF_H

#include <stdint.h>

#define ELF_MAGIC         "\177ELF"
#define ELF_CLASS_32      1
#define ELF_LITTLE_ENDIAN 1
#define ELF_VERSION       1
#define ELF_EXECUTABLE    2
#define ELF_MACHINE_386   3

typedef struct {
    char magic[4];
    uint8_t class;
    uint8_t byte_order;
    uint8_t format_version;
    uint8_t padding[9];
    uint16_t type;
    uint16_t machine;
    uint32_t version;
    uint32_t entry;
    uint32_t segments_offset; /* of the table of program headers in the file */
    uint32_t sections_offset;
    uint32_t flags;
    uint16_t header_size;
    uint16_t segment_size; /* of one program header */
    uint16_t segment_count;
    uint16_t section_size;
    uint16_t section_count;
    uint16_t section_names;
} elf_header_t;

#define ELF_SEGMENT_LOAD        1
#define ELF_SEGMENT_DYNAMIC     2
#define ELF_SEGMENT_INTERPRETER 3

#define ELF_EXECUTE 1u
#define ELF_WRITE   2u

typedef struct {
    uint32_t type;
    uint32_t offset;  /* in the file */
    uint32_t address; /* in memory */
    uint32_t physical_address;
    uint32_t file_length;
    uint32_t memory_length; /* what is beyond file_length is zero */
    uint32_t flags;
    uint32_t alignment;
} elf_segment_t;

_Static_assert(sizeof(elf_header_t) == 52 && sizeof(elf_segment_t) == 32, "as the standard says");

#endif
