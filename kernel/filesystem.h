/*
 * 539filesystem: named files, each one run of sectors on the disk, in a linked list.
 *
 * All numbers are sectors, counted from FILESYSTEM_START. Sector 0 is the base block; a file is its
 * metadata sector and, right behind it, as many sectors as its data fill. Base block and metadata
 * have one form, filesystem_block_t, and each leads to the next file's metadata:
 *
 *     | base | metadata a | data of a | (free) | metadata b | data of b | (free) ... |
 *         `-------^  `---------------------------^  `---> 0
 *
 * The list climbs: a file's successor always lies behind the file's end. So the gaps between
 * neighbours are the free space, which needs no map of its own and cannot leak; and a list that was
 * tampered with cannot make the kernel go in circles.
 *
 * A crash never harms what was there. A new file is written into free space, data first, then the
 * metadata, and only then is one sector, its predecessor in the list, rewritten to lead to it. To
 * delete a file is one such rewrite. A disk writes a sector whole or not at all, and each step is
 * on the medium before the next begins (write_disk flushes), so at any moment the list on the disk
 * is either the old one or the new one.
 */
#ifndef FILESYSTEM_H
#define FILESYSTEM_H

#include "ata.h"
#include "system_call.h"
#include "types.h"

enum { FILESYSTEM_START = 1024 }; /* the disk's sector that is the filesystem's sector 0 */

#define BASE_MAGIC "539base"
#define FILE_MAGIC "539file"

typedef struct {
    char magic[8];
    uint32_t next;   /* sector of the next file's metadata, 0 after the last */
    uint32_t length; /* of the file, in bytes; in the base block: of the filesystem, in sectors */
    char name[FILE_NAME_MAX + 1]; /* ended by a NUL; empty in the base block */
    uint8_t unused[SECTOR_SIZE - 48];
} filesystem_block_t;

_Static_assert(sizeof(filesystem_block_t) == SECTOR_SIZE, "metadata take exactly one sector");

/*
 * Every function returns E_IO when the disk fails, and E_CORRUPT when what is on it is no
 * 539filesystem (any more). A name of no or too many characters is an E_NAME.
 */

/* Checks the whole list once, so that a bad disk is reported at the start. OK or an error. */
int filesystem_init(void);

/* Makes a new file. E_EXISTS, or E_FULL when no gap is large enough; then nothing has changed. */
int create_file(const char *name, const void *data, uint32_t length);

/* Reads up to `length` bytes from `offset` on; returns how many there were, 0 at the file's end. */
int read_file(const char *name, void *buffer, uint32_t offset, uint32_t length);

/* A file's length in bytes, or E_NOT_FOUND. */
int file_size(const char *name);

/* Makes a file's sectors free again. OK or E_NOT_FOUND. */
int delete_file(const char *name);

/* Fills in up to `max` entries, in the disk's order, and returns how many. */
int list_files(struct file_entry *entries, uint32_t max);

#endif
