/*
 * The frame allocator: hands out physical memory by frames of 4 KB.
 */
#ifndef FRAME_H
#define FRAME_H

#include "types.h"

/* Reads the BIOS's memory map and marks as free what is usable RAM above 1 MB and the kernel. */
void frame_init(void);

/* One zeroed frame, or 0 when there is none. */
physical_address_t frame_alloc(void);

/* `count` frames in a row, not zeroed, or 0 when there is no such run. */
physical_address_t frame_alloc_run(uint32_t count);

/* Gives one frame back. The frame must have been allocated: giving one back twice is a panic. */
void frame_free(physical_address_t frame);

/* How many frames can still be allocated. */
uint32_t frames_free(void);

/* The end of the RAM that the kernel uses: no allocatable frame lies at or above it. */
physical_address_t memory_end(void);

#endif
