// STAGE 3 FILE
/*
 * Views of memory. All threads of a process have one page directory. Each domain's region is one
 * page table, thus one entry there; the entries of all domains but one are not present. Which one
 * is, changes with the thread that runs. So ordinary memory is the same for all without any effort,
 * and nobody, not even ring 2 by a mistaken pointer, reaches another domain's.
 */
#include "domain_view.h"

#include "endokernel.h"
#include "paging.h"

void domain_view_show(physical_address_t directory, uint32_t domain)
{
    for (uint32_t other = 1; other < DOMAINS_MAX; other++) {
        page_table_show(directory, DOMAIN_BASE(other), other == domain);
    }
}
