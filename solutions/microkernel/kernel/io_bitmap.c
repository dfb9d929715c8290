// STAGE 4 FILE
/*
 * The I/O bitmap. It never changes, and is the same for everybody; what changes with the process is
 * where the processor looks for it: at the bitmap, or past the segment's end, where there is none.
 */
#include "io_bitmap.h"

#include "gdt.h"

extern uint8_t io_bitmap[], io_bitmap_none[]; /* gdt.asm */

void io_bitmap_select(bool grants_disk)
{
    const uint8_t *const bitmap = grants_disk ? io_bitmap : io_bitmap_none;

    task_state.io_bitmap_offset = (uint16_t)(bitmap - (const uint8_t *)&task_state);
}
