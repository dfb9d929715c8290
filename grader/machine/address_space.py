"""What an address space maps, in regions: where, with which rights, and what lies there.

Read from the guest's own page tables, from outside. What lies somewhere is said by the sections of the program's file,
and by the stack pointer; the kernel's half is told in short.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from grader import untrusted
from grader.machine.faults import NotAsRequired, UnreadableMemory
from grader.machine.paging import Mapping as PageMapping
from grader.machine.paging import rights

if TYPE_CHECKING:
    from grader.machine.inspection import Inspection

KERNEL_HALF = 0xC0000000
REGIONS_MAX = 40
"""Regions that are kept: what lies between the first and the last of them is counted."""


@dataclass(frozen=True)
class Region:
    """Pages in a row with the same rights, and what lies there. `end` is the address after the last byte."""

    start: int
    end: int
    writable: bool
    user: bool
    what: str

    @property
    def rights(self) -> str:
        """`user, read-only`."""
        return rights(self.writable, self.user)

    @property
    def size(self) -> str:
        """`4 KB`, `32 MB`."""
        kilobytes = (self.end - self.start) >> 10
        return f"{kilobytes >> 10} MB" if kilobytes >= 1024 and not kilobytes % 1024 else f"{kilobytes} KB"


@dataclass(frozen=True)
class Mark:
    """An address that matters."""

    address: int
    what: str
    fault: bool = False
    """The address that the last page fault was about."""


@dataclass(frozen=True)
class AddressSpace:
    """One address space at one moment."""

    cr3: int
    process: str
    at: int = 0
    """Instructions since power-on."""
    when: str = ""
    """What moment that was, in words."""
    regions: list[Region] = field(default_factory=list)
    """In the order of their addresses."""
    marks: list[Mark] = field(default_factory=list)
    left_out: int = 0
    """Regions that are not shown."""

    def to_dict(self) -> dict[str, Any]:
        """As result.json has it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> AddressSpace:
        """The inverse of `to_dict`."""
        regions = [Region(**item) for item in data["regions"]]
        marks = [Mark(**item) for item in data["marks"]]
        return cls(data["cr3"], data["process"], data["at"], data["when"], regions, marks, data["left_out"])


def seen_in(machine: Inspection, when: str) -> AddressSpace | None:
    """The address space that is in force; None when there is no paging, or its tables cannot be read. `when` says in
    words what moment it is.
    """
    now = machine.registers()
    if not now.paging:
        return None
    try:
        pages = machine.mappings()
    except UnreadableMemory:
        return None
    running = machine.running_process() or (0, "")
    name = untrusted.plain(running[1])[:32]
    sections = [*_sections(machine, name), *machine.symbols.sections()]
    stack = _user_stack(machine)
    regions = merged(pages, sections, stack)
    left_out = max(0, len(regions) - REGIONS_MAX)
    if left_out:  # the lowest and the highest say most: the program, its stack, the kernel
        half = REGIONS_MAX // 2
        regions = [*regions[:half], *regions[-half:]]
    marks = [Mark(stack, "stack pointer")] if stack else []
    if now.cr2:
        marks.append(Mark(now.cr2, "last page fault (CR2)", fault=True))
    process = f"{name} ({running[0]})" if running[0] else "the kernel, idle"
    return AddressSpace(now.cr3, process, machine.instructions(), when, regions, marks, left_out)


def merged(
    pages: Sequence[PageMapping], sections: Sequence[tuple[int, int, str]], stack: int | None = None
) -> list[Region]:
    """Pages put together to regions. `sections` are (start, end, name) of what a program's file puts there."""
    found: list[Region] = []
    for page in pages:
        end = page.virtual + page.page_bytes
        if page.virtual >= KERNEL_HALF:
            what = ": ".join(["kernel", *filter(None, [_here(page.virtual, end, sections)])])
        else:
            what = _here(page.virtual, end, sections)
        last = found[-1] if found else None
        facts = page.virtual, page.writable, page.user, what
        if last and (last.end, last.writable, last.user, last.what) == facts:
            found[-1] = Region(last.start, end, page.writable, page.user, what)
            continue
        found.append(Region(page.virtual, end, page.writable, page.user, what))
    return [_named(region, stack) for region in found]


def _here(start: int, end: int, sections: Sequence[tuple[int, int, str]]) -> str:
    return ", ".join(name for first, last, name in sections if first < end and start < last)


def _named(region: Region, stack: int | None) -> Region:
    if region.what:
        return region
    is_stack = stack is not None and region.start <= stack <= region.end
    what = "stack" if is_stack else "not from its file" if region.user else "supervisor's"
    return Region(region.start, region.end, region.writable, region.user, what)


def _sections(machine: Inspection, program: str) -> list[tuple[int, int, str]]:
    """What the program's file puts into memory: (start, end, name) of each section."""
    with contextlib.suppress(NotAsRequired):
        return machine.table(program).sections()
    return []


def _user_stack(machine: Inspection) -> int | None:
    """The program's stack pointer: now, or as the processor pushed it when the kernel was entered."""
    now = machine.registers()
    if now.cpl == 3:
        return now.esp
    with contextlib.suppress(UnreadableMemory, IndexError, ValueError):
        task = machine.tss()
        pointer, selector = (int.from_bytes(machine.read_virtual(task.esp0 - back, 4), "little") for back in (8, 4))
        if selector & 3 and 0 < pointer < KERNEL_HALF:
            return pointer
    return None
