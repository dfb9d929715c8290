/*
 * 539filesystem. Every operation walks the list on the disk from its base; nothing is kept in
 * memory between two calls, so there is nothing that could differ from the disk. What is read is
 * checked before it is used, since a disk may come from anywhere. filesystem.h says how it is laid
 * out.
 */
#include "filesystem.h"

#include "error.h"
#include "string.h"

/* A place in the list: the base or a file, checked. */
typedef struct {
    filesystem_block_t block; /* what is at `sector` */
    uint32_t sector;
    uint32_t end;      /* the first sector behind this file */
    uint32_t previous; /* the sector that leads here */
    uint32_t total;    /* sectors of the filesystem */
} position_t;

static int read_sectors(uint32_t sector, void *buffer, uint32_t sectors)
{
    return read_disk(FILESYSTEM_START + sector, buffer, sectors);
}

static int write_sectors(uint32_t sector, const void *buffer, uint32_t sectors)
{
    return write_disk(FILESYSTEM_START + sector, buffer, sectors);
}

/* Rounds up, and does not overflow for any length. */
static uint32_t sectors_for(uint32_t length)
{
    return length / SECTOR_SIZE + (length % SECTOR_SIZE != 0);
}

static uint32_t smaller(uint32_t left, uint32_t right)
{
    return left < right ? left : right;
}

static bool has_magic(const filesystem_block_t *block, const char *magic)
{
    return memcmp(block->magic, magic, sizeof(block->magic)) == 0;
}

/* The list climbs and stays inside; all that is said about loops in filesystem.h rests on this. */
static int check_next(const position_t *at)
{
    uint32_t next = at->block.next;

    return next == 0 || (next >= at->end && next < at->total) ? OK : E_CORRUPT;
}

/* Goes to the base. */
static int walk_start(position_t *at)
{
    int error = read_sectors(0, &at->block, 1);

    if (error != OK) {
        return error == E_INVALID ? E_CORRUPT : error; /* invalid: the disk ends before the base */
    }
    at->sector = 0;
    at->end = 1;
    at->previous = 0;
    at->total = at->block.length;
    if (!has_magic(&at->block, BASE_MAGIC) || at->total == 0 ||
        at->total > disk_sectors() - FILESYSTEM_START) {
        return E_CORRUPT;
    }
    return check_next(at);
}

static bool is_sound_file(const position_t *at)
{
    const filesystem_block_t *file = &at->block;

    return has_magic(file, FILE_MAGIC) && file->name[0] != '\0' &&
           file->name[FILE_NAME_MAX] == '\0' && file->length <= INT32_MAX &&
           sectors_for(file->length) < at->total - at->sector;
}

/* Goes to the next file; E_NOT_FOUND when there is none. */
static int walk_next(position_t *at)
{
    if (at->block.next == 0) {
        return E_NOT_FOUND;
    }
    at->previous = at->sector;
    at->sector = at->block.next;
    int error = read_sectors(at->sector, &at->block, 1);

    if (error != OK) {
        return error;
    }
    if (!is_sound_file(at)) {
        return E_CORRUPT;
    }
    at->end = at->sector + 1 + sectors_for(at->block.length);
    return check_next(at);
}

static int check_name(const char *name)
{
    size_t length = strlen(name);

    return length >= 1 && length <= FILE_NAME_MAX ? OK : E_NAME;
}

/* Goes to the file of that name. */
static int find(const char *name, position_t *at)
{
    int error = check_name(name);

    if (error == OK) {
        error = walk_start(at);
    }
    while (error == OK) {
        error = walk_next(at);
        if (error == OK && strcmp(at->block.name, name) == 0) {
            return OK;
        }
    }
    return error;
}

/* Where a new file can go: into the gap behind the file (or base) at `previous`. */
typedef struct {
    uint32_t previous;
    uint32_t start;
    uint32_t next;
} gap_t;

/* Finds the first gap of `sectors`. The whole list is walked in any case, to know that the name is
 * new. */
static int find_gap(const char *name, uint32_t sectors, gap_t *gap)
{
    position_t at;
    bool found = false;
    int error = walk_start(&at);

    while (error == OK) {
        uint32_t end = at.block.next != 0 ? at.block.next : at.total;

        if (!found && end - at.end >= sectors) {
            found = true;
            *gap = (gap_t){.previous = at.sector, .start = at.end, .next = at.block.next};
        }
        error = walk_next(&at);
        if (error == OK && strcmp(at.block.name, name) == 0) {
            return E_EXISTS;
        }
    }
    if (error != E_NOT_FOUND) {
        return error;
    }
    return found ? OK : E_FULL;
}

static int write_data(uint32_t sector, const uint8_t *data, uint32_t length)
{
    uint32_t whole = length / SECTOR_SIZE;
    uint32_t rest = length % SECTOR_SIZE;
    uint8_t last[SECTOR_SIZE] = {0};
    int error = whole > 0 ? write_sectors(sector, data, whole) : OK;

    if (error == OK && rest > 0) {
        memcpy(last, data + whole * SECTOR_SIZE, rest);
        error = write_sectors(sector + whole, last, 1);
    }
    return error;
}

static int write_metadata(uint32_t sector, const char *name, uint32_t length, uint32_t next)
{
    filesystem_block_t block = {.magic = FILE_MAGIC, .next = next, .length = length};

    strcpy(block.name, name);
    return write_sectors(sector, &block, 1);
}

/* Makes the block at `sector` lead to `next`: the one write that changes the list. */
static int lead_to(uint32_t sector, uint32_t next)
{
    filesystem_block_t block;
    int error = read_sectors(sector, &block, 1);

    if (error != OK) {
        return error;
    }
    block.next = next;
    return write_sectors(sector, &block, 1);
}

int filesystem_init(void)
{
    position_t at;
    int error = walk_start(&at);

    while (error == OK) {
        error = walk_next(&at);
    }
    return error == E_NOT_FOUND ? OK : error;
}

int create_file(const char *name, const void *data, uint32_t length)
{
    gap_t gap;
    int error = check_name(name);

    if (error == OK) {
        error = find_gap(name, 1 + sectors_for(length), &gap);
    }
    /* The order matters: until lead_to, the list on the disk does not know of the new file. */
    if (error == OK) {
        error = write_data(gap.start + 1, data, length);
    }
    if (error == OK) {
        error = write_metadata(gap.start, name, length, gap.next);
    }
    if (error == OK) {
        error = lead_to(gap.previous, gap.start);
    }
    return error;
}

/* Reads the piece of a file that begins at `offset`: whole sectors straight into the buffer, or a
 * part of one sector by way of a copy. Returns how many bytes it was. */
static int read_piece(uint32_t data_start, uint8_t *buffer, uint32_t offset, uint32_t length)
{
    uint8_t copy[SECTOR_SIZE];
    uint32_t sector = data_start + offset / SECTOR_SIZE;
    uint32_t within = offset % SECTOR_SIZE;

    if (within == 0 && length >= SECTOR_SIZE) {
        uint32_t whole = length / SECTOR_SIZE;
        int error = read_sectors(sector, buffer, whole);

        return error == OK ? (int)(whole * SECTOR_SIZE) : error;
    }
    uint32_t part = smaller(SECTOR_SIZE - within, length);
    int error = read_sectors(sector, copy, 1);

    if (error != OK) {
        return error;
    }
    memcpy(buffer, copy + within, part);
    return (int)part;
}

int read_file(const char *name, void *buffer, uint32_t offset, uint32_t length)
{
    position_t at;
    int error = find(name, &at);

    if (error != OK) {
        return error;
    }
    if (offset >= at.block.length) {
        return 0;
    }
    length = smaller(length, at.block.length - offset);
    for (uint32_t done = 0; done < length;) {
        int piece =
            read_piece(at.sector + 1, (uint8_t *)buffer + done, offset + done, length - done);

        if (piece < 0) {
            return piece;
        }
        done += (uint32_t)piece;
    }
    return (int)length;
}

int file_size(const char *name)
{
    position_t at;
    int error = find(name, &at);

    return error == OK ? (int)at.block.length : error;
}

int delete_file(const char *name)
{
    position_t at;
    int error = find(name, &at);

    return error == OK ? lead_to(at.previous, at.block.next) : error;
}

int list_files(struct file_entry *entries, uint32_t max)
{
    position_t at;
    uint32_t count = 0;
    int error = walk_start(&at);

    while (error == OK && count < max) {
        error = walk_next(&at);
        if (error == OK) {
            strcpy(entries[count].name, at.block.name);
            entries[count].length = at.block.length;
            count++;
        }
    }
    return error == OK || error == E_NOT_FOUND ? (int)count : error;
}
