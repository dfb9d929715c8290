"""The walk through page tables, on tables made by hand."""

from __future__ import annotations

import struct

from grader.machine.paging import LARGE_PAGE_BYTES, PAGE_BYTES, mappings, walk, why_it_faults

CR3 = 0x1000
PRESENT, WRITABLE, USER, LARGE = 1, 2, 4, 0x80


class Memory:
    """Physical memory with a page directory at CR3."""

    def __init__(self) -> None:
        self.bytes = bytearray(64 << 10)

    def entry(self, table: int, index: int, value: int) -> None:
        """Set an entry of a directory or table."""
        struct.pack_into("<I", self.bytes, table + index * 4, value)

    def read(self, address: int, length: int) -> bytes:
        """As the machine's read_physical."""
        return bytes(self.bytes[address : address + length])


def guest() -> Memory:
    """4 KB pages at 0x400000 (user, writable) and 0x401000 (read-only), a 4 MB page at 0xC0000000."""
    memory = Memory()
    memory.entry(CR3, 1, 0x2000 | PRESENT | WRITABLE | USER)
    memory.entry(0x2000, 0, 0x7000 | PRESENT | WRITABLE | USER)
    memory.entry(0x2000, 1, 0x8000 | PRESENT | USER)
    memory.entry(0x2000, 2, 0x9000 | WRITABLE | USER)  # not present
    memory.entry(CR3, 768, 0x0040_0000 | PRESENT | WRITABLE | LARGE)
    return memory


def test_a_page_of_4_kb() -> None:
    """Both entries, the address with its offset, and the rights of both levels together."""
    found = walk(guest().read, CR3, 0x400ABC)
    assert (found.physical, found.page_bytes) == (0x7ABC, PAGE_BYTES)
    assert found.writable
    assert found.user
    assert (found.directory_entry, found.table_entry) == (0x2007, 0x7007)


def test_the_stricter_level_decides() -> None:
    """A right that either entry denies is denied."""
    memory = guest()
    assert not walk(memory.read, CR3, 0x401000).writable
    memory.entry(CR3, 1, 0x2000 | PRESENT)
    found = walk(memory.read, CR3, 0x400000)
    assert not found.writable
    assert not found.user


def test_a_page_of_4_mb() -> None:
    """With CR4.PSE one entry maps 4 MB; without it, PS is no more than a bit."""
    found = walk(guest().read, CR3, 0xC012_3456)
    assert (found.physical, found.page_bytes, found.table_entry) == (0x0052_3456, LARGE_PAGE_BYTES, None)
    assert walk(guest().read, CR3 & 0xFFFFF000, 0xC000_0000, large_pages=False).table_entry is not None


def test_what_is_not_mapped() -> None:
    """The walk says at which level it ended."""
    memory = guest()
    in_directory, in_table = walk(memory.read, CR3, 0x8000_0000), walk(memory.read, CR3, 0x402000)
    assert not in_directory.present
    assert "its directory entry is 0x0" in str(in_directory)
    assert not in_table.present
    assert "its page table entry is 0x9006" in str(in_table)


def test_the_low_bits_of_cr3_do_not_count() -> None:
    """PWT and PCD are not part of the address."""
    assert walk(guest().read, CR3 | 0x18, 0x400000).physical == 0x7000


def test_all_mappings_in_their_order() -> None:
    """And a part of them."""
    found = [(page.virtual, page.physical) for page in mappings(guest().read, CR3)]
    assert found == [(0x400000, 0x7000), (0x401000, 0x8000), (0xC000_0000, 0x40_0000)]
    assert [page.virtual for page in mappings(guest().read, CR3, 0x401000, 0x402000)] == [0x401000]


def test_why_an_access_faults() -> None:
    """In words."""
    memory, protect = guest(), 1 << 16
    assert "not mapped" in why_it_faults(walk(memory.read, CR3, 0x402000), 6, protect)
    assert "supervisor only" in why_it_faults(walk(memory.read, CR3, 0xC000_0000), 5, protect)
    assert "read-only" in why_it_faults(walk(memory.read, CR3, 0x401000), 7, protect)
    assert "stale TLB" in why_it_faults(walk(memory.read, CR3, 0x400000), 7, protect)
    assert "stale TLB" in why_it_faults(walk(memory.read, CR3, 0x401000), 3, 0)  # ring 0 without CR0.WP may write
