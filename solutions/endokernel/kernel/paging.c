/*
 * Paging. A page directory has 1,024 entries, each of which points to a page table of 1,024
 * entries, each of which points to a frame: ten, ten and twelve bits of an address (Intel SDM vol.
 * 3, section 4.3). All page tables are ordinary frames, which the kernel sees at KBASE like all
 * memory.
 */
#include "paging.h"

#include "frame.h"
#include "privuser_area.h"
#include "string.h"

#define ENTRY_COVERS (PAGE_ENTRIES * PAGE_SIZE) /* what one directory entry maps: 4 MB */
#define KERNEL_ENTRY (KBASE / ENTRY_COVERS)     /* the first directory entry of the kernel's half */
#define BOOT_MAP_END ENTRY_COVERS               /* what starter.asm has mapped at KBASE */

extern uint8_t kernel_start[], kernel_writable[]; /* link.ld: text and rodata lie between them */

page_entry_t *page_directory;

static physical_address_t address_of(page_entry_t entry)
{
    return entry & ~PAGE_FLAGS;
}

static uint32_t directory_index(virtual_address_t address)
{
    return address / ENTRY_COVERS;
}

static uint32_t table_index(virtual_address_t address)
{
    return address / PAGE_SIZE % PAGE_ENTRIES;
}

/* The processor remembers translations; it must be told when one has changed. */
static void forget_translation(virtual_address_t address)
{
    __asm__ volatile("invlpg (%0)" : : "r"(address) : "memory");
}

void address_space_switch(physical_address_t directory)
{
    __asm__ volatile("mov %0, %%cr3" : : "r"(directory) : "memory");
}

physical_address_t address_space_current(void)
{
    physical_address_t directory;

    __asm__ volatile("mov %%cr3, %0" : "=r"(directory));
    return directory;
}

/* A frame that can be reached while the tables of starter.asm are still in use. */
static page_entry_t *early_table(physical_address_t *address)
{
    *address = frame_alloc();
    assert(*address != 0 && *address < BOOT_MAP_END);
    return physical_to_virtual(*address);
}

/* The kernel's instructions and constants cannot be written, not even by the kernel. */
static uint32_t kernel_flags(virtual_address_t address)
{
    const bool read_only =
        address >= (virtual_address_t)kernel_start && address < (virtual_address_t)kernel_writable;

    return read_only ? PAGE_PRESENT : PAGE_PRESENT | PAGE_WRITABLE;
}

void paging_init(void)
{
    const physical_address_t end = memory_end();
    physical_address_t directory;

    page_directory = early_table(&directory);
    for (physical_address_t base = 0; base < end; base += ENTRY_COVERS) {
        physical_address_t table_address;
        page_entry_t *table = early_table(&table_address);

        for (uint32_t i = 0; i < PAGE_ENTRIES && base + i * PAGE_SIZE < end; i++) {
            const physical_address_t frame = base + i * PAGE_SIZE;
            table[i] = frame | kernel_flags(KBASE + frame);
        }
        page_directory[directory_index(KBASE + base)] =
            table_address | PAGE_PRESENT | PAGE_WRITABLE;
    }
    address_space_switch(directory);
}

physical_address_t address_space_create(void)
{
    const physical_address_t directory = frame_alloc();

    if (directory != 0) {
        page_entry_t *entries = physical_to_virtual(directory);
        memcpy(entries + KERNEL_ENTRY, page_directory + KERNEL_ENTRY,
               (PAGE_ENTRIES - KERNEL_ENTRY) * sizeof(page_entry_t));
    }
    return directory;
}

void address_space_destroy(physical_address_t directory)
{
    const page_entry_t *entries = physical_to_virtual(directory);

    assert(directory != address_space_current());
    privuser_wipe(directory);
    for (uint32_t i = 0; i < KERNEL_ENTRY; i++) {
        // STAGE 3 {
        //: if (!(entries[i] & PAGE_PRESENT)) {
        if (entries[i] == 0) { /* what is hidden goes too */
            // STAGE 3 }
            continue;
        }
        const page_entry_t *table = physical_to_virtual(address_of(entries[i]));
        for (uint32_t j = 0; j < PAGE_ENTRIES; j++) {
            if (table[j] & PAGE_PRESENT) {
                frame_free(address_of(table[j]));
            }
        }
        frame_free(address_of(entries[i]));
    }
    frame_free(directory);
}

// STAGE 3 {
/* To the processor an entry without the present bit is empty, and it leaves the rest to us: a
 * hidden page table's address stays where it was. */
static bool is_hidden(page_entry_t entry)
{
    return entry != 0 && !(entry & PAGE_PRESENT);
}

void page_table_show(physical_address_t directory, virtual_address_t address, bool shown)
{
    page_entry_t *entry = (page_entry_t *)physical_to_virtual(directory) + directory_index(address);

    if (*entry != 0) {
        *entry = shown ? *entry | PAGE_PRESENT : *entry & ~PAGE_PRESENT;
    }
}

// STAGE 3 }
page_entry_t *page_walk(physical_address_t directory, virtual_address_t address, bool create)
{
    page_entry_t *entry = (page_entry_t *)physical_to_virtual(directory) + directory_index(address);

    // STAGE 3 {
    if (is_hidden(*entry)) {
        return NULL;
    }
    // STAGE 3 }
    if (!(*entry & PAGE_PRESENT)) {
        /* A new table of the kernel's half would be in one address space alone. */
        assert(!create || address < KBASE);
        const physical_address_t table = create ? frame_alloc() : 0;
        if (table == 0) {
            return NULL;
        }
        /* A page may be used as its own entry allows; the table does not restrict it further. */
        *entry = table | PAGE_PRESENT | PAGE_WRITABLE | PAGE_USER;
    }
    return (page_entry_t *)physical_to_virtual(address_of(*entry)) + table_index(address);
}

int page_map(physical_address_t directory, virtual_address_t address, physical_address_t frame,
             uint32_t flags)
{
    page_entry_t *entry = page_walk(directory, address, true);

    if (entry == NULL) {
        return E_MEMORY;
    }
    if (*entry & PAGE_PRESENT) {
        return E_EXISTS;
    }
    *entry = frame | flags | PAGE_PRESENT;
    return OK;
}

physical_address_t page_unmap(physical_address_t directory, virtual_address_t address)
{
    page_entry_t *entry = page_walk(directory, address, false);

    if (entry == NULL || !(*entry & PAGE_PRESENT)) {
        return 0;
    }
    const physical_address_t frame = address_of(*entry);
    *entry = 0;
    forget_translation(address);
    return frame;
}
