// STAGE 3 FILE
/*
 * Which domain's private memory an address space shows.
 */
#ifndef DOMAIN_VIEW_H
#define DOMAIN_VIEW_H

#include "types.h"

/* Makes the memory of that domain the only private memory that is there. If the address space is
 * the present one, it must be switched to again: the processor remembers what it has seen. */
void domain_view_show(physical_address_t directory, uint32_t domain);

#endif
