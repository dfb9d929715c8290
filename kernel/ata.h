/*
 * The disk: the first drive of the first ATA channel, sector by sector, by programmed I/O. Sectors
 * have 512 bytes. A call returns when the disk has done the work, or has failed to.
 */
#ifndef ATA_H
#define ATA_H

#include <stdint.h>

enum { SECTOR_SIZE = 512 };

/* Looks for the disk. OK, or E_IO when there is none; then every later call is an E_IO too. */
int ata_init(void);
/* How many sectors the disk has; 0 without a disk. */
uint32_t disk_sectors(void);
/*
 * Transfers `sectors` sectors that start at number `sector`. E_INVALID for what reaches past the
 * end of the disk (nothing is transferred then), E_IO when the disk reports an error or does not
 * answer. write_disk returns OK only when the data are on the medium itself, not in the drive's
 * cache.
 */
int read_disk(uint32_t sector, void *buffer, uint32_t sectors);
int write_disk(uint32_t sector, const void *buffer, uint32_t sectors);

#endif
