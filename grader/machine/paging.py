"""Page tables, walked by our own code through physical memory: what the guest's tables say, not what a cache remembers.

32-bit paging without PAE (Intel SDM volume 3, 4.3): a directory of 1024 entries, each of which leads to a table of
1024 pages of 4 KB or, with PS set and CR4.PSE, to one page of 4 MB.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

PRESENT, WRITABLE, USER, ACCESSED, DIRTY, LARGE = 1 << 0, 1 << 1, 1 << 2, 1 << 5, 1 << 6, 1 << 7
PAGE_BYTES = 4096
LARGE_PAGE_BYTES = 4 << 20
FRAME = 0xFFFFF000
_WRITE_PROTECT = 1 << 16
_PSE = 1 << 4

ReadPhysical = Callable[[int, int], bytes]
"""(physical address, length) to bytes; raises an exception where no memory answers."""


@dataclass(frozen=True)
class PageWalk:
    """What the tables say of one virtual address. `writable` and `user` combine both levels."""

    virtual: int
    cr3: int
    directory_entry: int
    table_entry: int | None
    """None when the walk ended in the directory (not present, or a large page)."""
    physical: int | None
    """The physical address, or None when the page is not mapped."""
    page_bytes: int
    writable: bool
    user: bool

    @property
    def present(self) -> bool:
        """Whether the address is mapped."""
        return self.physical is not None

    @property
    def entry(self) -> int:
        """The entry that decides: of the table, or of the directory where the walk ended there."""
        return self.directory_entry if self.table_entry is None else self.table_entry

    def __str__(self) -> str:
        if self.physical is None:
            where = "directory" if self.table_entry is None else "page table"
            return f"{self.virtual:#010x} is not mapped (its {where} entry is {self.entry:#x})"
        size = ", in a 4 MB page" if self.page_bytes == LARGE_PAGE_BYTES else ""
        how = rights(self.writable, self.user) + size
        return f"{self.virtual:#010x} is mapped to physical {self.physical:#010x}, {how}"


@dataclass(frozen=True)
class Mapping:
    """One mapped page."""

    virtual: int
    physical: int
    page_bytes: int
    writable: bool
    user: bool
    entry: int
    """The raw entry of the page table (or of the directory, for a large page): accessed and dirty bits too."""

    def __str__(self) -> str:
        return f"{self.virtual:#010x} to {self.physical:#010x}, {rights(self.writable, self.user)}"


def rights(writable: bool, user: bool) -> str:
    """Rights in words."""
    return f"{'user' if user else 'supervisor'}, {'writable' if writable else 'read-only'}"


def walk(read: ReadPhysical, cr3: int, virtual: int, *, large_pages: bool = True) -> PageWalk:
    """Translate one virtual address as the processor would, and say on the way what it found."""
    directory_entry = _entry(read, (cr3 & FRAME) + (virtual >> 22) * 4)
    writable, user = bool(directory_entry & WRITABLE), bool(directory_entry & USER)
    if not directory_entry & PRESENT:
        return PageWalk(virtual, cr3, directory_entry, None, None, PAGE_BYTES, False, False)
    if directory_entry & LARGE and large_pages:
        physical = directory_entry & 0xFFC00000 | virtual & 0x3FFFFF
        return PageWalk(virtual, cr3, directory_entry, None, physical, LARGE_PAGE_BYTES, writable, user)
    table_entry = _entry(read, (directory_entry & FRAME) + (virtual >> 12 & 1023) * 4)
    if not table_entry & PRESENT:
        return PageWalk(virtual, cr3, directory_entry, table_entry, None, PAGE_BYTES, False, False)
    return PageWalk(
        virtual,
        cr3,
        directory_entry,
        table_entry,
        table_entry & FRAME | virtual & 0xFFF,
        PAGE_BYTES,
        writable and bool(table_entry & WRITABLE),
        user and bool(table_entry & USER),
    )


def mappings(
    read: ReadPhysical,
    cr3: int,
    start: int = 0,
    end: int = 1 << 32,
    *,
    large_pages: bool = True,
    only_user: bool = False,
) -> Iterator[Mapping]:
    """All mapped pages that begin in `start` to `end` (exclusive), in the order of their addresses.

    With `only_user`, page tables that the directory gives to the supervisor alone are not looked at.
    """
    directory = struct.unpack("<1024I", read(cr3 & FRAME, PAGE_BYTES))
    for index in range(start >> 22, min(1024, (end + LARGE_PAGE_BYTES - 1) >> 22)):
        entry = directory[index]
        if not entry & PRESENT or (only_user and not entry & USER):
            continue
        base = index << 22
        if entry & LARGE and large_pages:
            yield Mapping(base, entry & 0xFFC00000, LARGE_PAGE_BYTES, bool(entry & WRITABLE), bool(entry & USER), entry)
            continue
        for number, page in enumerate(struct.unpack("<1024I", read(entry & FRAME, PAGE_BYTES))):
            virtual = base | number << 12
            if page & PRESENT and start <= virtual < end:
                both = entry & page
                yield Mapping(virtual, page & FRAME, PAGE_BYTES, bool(both & WRITABLE), bool(both & USER), page)


def large_pages_enabled(cr4: int) -> bool:
    """CR4.PSE."""
    return bool(cr4 & _PSE)


def why_it_faults(found: PageWalk, error_code: int, cr0: int) -> str:
    """What the tables say now about an access that raised a page fault with this error code."""
    user, write = bool(error_code & 4), bool(error_code & 2)
    if found.physical is None:
        return "that page is not mapped"
    if user and not found.user:
        return "that page is mapped for the supervisor only"
    if write and not found.writable and (user or cr0 & _WRITE_PROTECT):
        return "that page is mapped read-only"
    how = rights(found.writable, found.user)
    return f"the tables now allow it ({how}): a stale TLB entry, or they were changed since"


def _entry(read: ReadPhysical, address: int) -> int:
    return int.from_bytes(read(address, 4), "little")
