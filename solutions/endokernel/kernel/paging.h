/*
 * Paging: address spaces and the pages in them. An address space is named by the physical address
 * of its page directory, which is what the processor's CR3 register holds.
 */
#ifndef PAGING_H
#define PAGING_H

#include "error.h"
#include "types.h"

/* An entry of a page directory or page table: a frame's address and, in the low bits, flags. */
typedef uint32_t page_entry_t;

#define PAGE_PRESENT  0x1u
#define PAGE_WRITABLE 0x2u
#define PAGE_USER     0x4u
#define PAGE_FLAGS    0xFFFu

#define PAGE_ENTRIES 1024u

/* The kernel's own page directory. Its upper quarter, the kernel's half of every address space, is
 * complete after paging_init and never changes: all address spaces share its page tables. */
extern page_entry_t *page_directory;

/* Builds the kernel's page directory with all RAM at KBASE, and switches to it. */
void paging_init(void);

/* Makes an address space that holds the kernel and nothing else; 0 when out of memory. */
physical_address_t address_space_create(void);

/* Frees an address space with all frames mapped below KBASE. It must not be the present one. */
void address_space_destroy(physical_address_t directory);

/* Makes an address space the present one, and says which one it is. */
void address_space_switch(physical_address_t directory);
physical_address_t address_space_current(void);

/* The page-table entry that maps an address, to be read or changed; NULL where there is no page
 * table. With `create` a missing page table is made, and NULL means out of memory. */
page_entry_t *page_walk(physical_address_t directory, virtual_address_t address, bool create);

// STAGE 3 {
/* Hides the page table that maps an address, with all its pages, or shows it again. Where there is
 * none, nothing happens. A hidden table still belongs to the address space. */
void page_table_show(physical_address_t directory, virtual_address_t address, bool shown);

// STAGE 3 }
/* Maps the page at `address` to a frame. Returns OK, E_EXISTS or E_MEMORY. */
int page_map(physical_address_t directory, virtual_address_t address, physical_address_t frame,
             uint32_t flags);

/* Unmaps the page at `address` and returns the frame it was mapped to, 0 if it was not mapped. */
physical_address_t page_unmap(physical_address_t directory, virtual_address_t address);

#endif
