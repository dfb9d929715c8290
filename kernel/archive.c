/*
 * The boot archive: a table of names, and behind it their data. bootstrap.asm has read it to low
 * memory, from where it is never moved. Programs in it come before files of the same name on the
 * disk, so that a kernel can be tried with programs of one's own and no disk at all.
 */
#include "archive.h"

#include "error.h"
#include "string.h"

#define ARCHIVE_MAGIC  "539A"
#define ARCHIVE_END    0x80000u /* bootstrap.asm reads nothing beyond */
#define ENTRY_NAME_MAX 24

typedef struct {
    char name[ENTRY_NAME_MAX]; /* padded with NULs */
    uint32_t offset;           /* from the archive's start */
    uint32_t length;
} archive_entry_t;

typedef struct {
    char magic[4];
    uint32_t count;
    archive_entry_t entries[];
} archive_t;

static const archive_t *archive; /* NULL: there is none */

void archive_init(physical_address_t address)
{
    const archive_t *found = physical_to_virtual(address);
    const uint32_t size = ARCHIVE_END - address;

    archive = NULL;
    if (address > ARCHIVE_END - sizeof *found ||
        memcmp(found->magic, ARCHIVE_MAGIC, sizeof found->magic) != 0 ||
        found->count > (size - sizeof *found) / sizeof(archive_entry_t)) {
        return;
    }
    for (uint32_t i = 0; i < found->count; i++) {
        const archive_entry_t *entry = &found->entries[i];
        if (entry->offset > size || entry->length > size - entry->offset) {
            return;
        }
    }
    archive = found;
}

int archive_find(const char *name, const void **data, uint32_t *length)
{
    const uint32_t count = archive == NULL ? 0 : archive->count;

    for (uint32_t i = 0; i < count; i++) {
        const archive_entry_t *entry = &archive->entries[i];
        if (strlen(name) <= ENTRY_NAME_MAX && strncmp(entry->name, name, ENTRY_NAME_MAX) == 0) {
            *data = (const uint8_t *)archive + entry->offset;
            *length = entry->length;
            return OK;
        }
    }
    return E_NOT_FOUND;
}

/* The first byte at or after `from` that is `byte`; `end` when there is none. */
static const char *find_byte(const char *from, const char *end, char byte)
{
    while (from < end && *from != byte) {
        from++;
    }
    return from;
}

int parameter_get(const char *key, char *buffer, uint32_t size)
{
    const void *data;
    uint32_t length;

    if (archive_find("parameters", &data, &length) != OK) {
        return E_NOT_FOUND;
    }
    const char *end = (const char *)data + length;
    for (const char *line = data; line < end; line = find_byte(line, end, '\n') + 1) {
        const char *line_end = find_byte(line, end, '\n');
        const char *equals = find_byte(line, line_end, '=');
        const uint32_t key_length = equals - line;

        if (equals < line_end && strlen(key) == key_length && memcmp(line, key, key_length) == 0) {
            const uint32_t value_length = line_end - equals - 1;
            if (value_length >= size) {
                return E_INVALID;
            }
            memcpy(buffer, equals + 1, value_length);
            buffer[value_length] = '\0';
            return value_length;
        }
    }
    return E_NOT_FOUND;
}
