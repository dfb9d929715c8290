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
"""Regions that are kept: the lowest and the highest say most, which are the program, its stack and the kernel. Those
that hold a mark are kept too.
"""
PAGES_MAX = 1 << 14
"""Pages of the user's half, and of the kernel's, that are looked at: twice as many as there is memory for. One page
table, entered everywhere, maps a million, and the address space of a run may be looked at several times.
"""
NAMES_MAX = 8
"""Sections that are named of one page."""


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


@dataclass(frozen=True, order=True)
class Cut:
    """A stretch that is not shown. `end` is the address after the last byte."""

    start: int
    end: int
    regions: int = 0
    """How many lie there; 0 where nobody looked, since there were too many pages."""

    @property
    def what(self) -> str:
        """`20 regions left out`."""
        if not self.regions:
            return "not looked at"
        return f"{self.regions} region{'' if self.regions == 1 else 's'} left out"


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
    cuts: list[Cut] = field(default_factory=list)
    """In the order of their addresses."""

    @property
    def left_out(self) -> int:
        """Regions that were seen and are not shown."""
        return sum(cut.regions for cut in self.cuts)

    def to_dict(self) -> dict[str, Any]:
        """As result.json has it."""
        return {**asdict(self), "left_out": self.left_out}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> AddressSpace:
        """The inverse of `to_dict`."""
        regions = [Region(**item) for item in data["regions"]]
        marks = [Mark(**item) for item in data["marks"]]
        cuts = [Cut(**item) for item in data.get("cuts", [])]
        return cls(data["cr3"], data["process"], data["at"], data["when"], regions, marks, cuts)


def seen_in(machine: Inspection, when: str) -> AddressSpace | None:
    """The address space that is in force; None when there is no paging, or its tables cannot be read. `when` says in
    words what moment it is.
    """
    now = machine.registers()
    if not now.paging:
        return None
    try:
        pages, cuts = _pages(machine)
    except UnreadableMemory:
        return None
    running = machine.running_process() or (0, "")
    name = untrusted.name(running[1])
    sections = [
        (start, end, untrusted.name(what))
        for start, end, what in [*_sections(machine, name), *machine.symbols.sections()]
    ]
    stack = _user_stack(machine)
    regions = merged(pages, sections, stack)
    marks = [Mark(stack, "stack pointer")] if stack else []
    if now.cr2:
        marks.append(Mark(now.cr2, "last page fault (CR2)", fault=True))
    regions, left_out = shown(regions, marks)
    process = f"{name} ({running[0]})" if running[0] else "the kernel, idle"
    return AddressSpace(now.cr3, process, machine.instructions(), when, regions, marks, sorted([*left_out, *cuts]))


def _pages(machine: Inspection) -> tuple[list[PageMapping], list[Cut]]:
    """What is mapped, in the order of addresses, and where nobody looked because there is too much."""
    pages, cuts = [], []
    for start, end in ((0, KERNEL_HALF), (KERNEL_HALF, 1 << 32)):
        found = machine.mappings(start=start, end=end, most=PAGES_MAX + 1)
        if len(found) > PAGES_MAX:
            cuts.append(Cut(found.pop().virtual, end))
        pages += found
    return pages, cuts


def merged(
    pages: Sequence[PageMapping], sections: Sequence[tuple[int, int, str]], stack: int | None = None
) -> list[Region]:
    """Pages put together to regions. `sections` are (start, end, name) of what a program's file puts there."""
    found: list[Region] = []
    coming = sorted(sections, reverse=True)
    here: list[tuple[int, int, str]] = []
    for page in pages:
        end = page.virtual + page.page_bytes
        while coming and coming[-1][0] < end:
            here.append(coming.pop())
        here = [section for section in here if section[1] > page.virtual]
        what = ", ".join(name for _, _, name in here[:NAMES_MAX])
        if page.virtual >= KERNEL_HALF:
            what = f"kernel: {what}" if what else "kernel"
        last = found[-1] if found else None
        facts = page.virtual, page.writable, page.user, what
        if last and (last.end, last.writable, last.user, last.what) == facts:
            found[-1] = Region(last.start, end, page.writable, page.user, what)
            continue
        found.append(Region(page.virtual, end, page.writable, page.user, what))
    return [_named(region, stack) for region in found]


def shown(regions: Sequence[Region], marks: Sequence[Mark]) -> tuple[list[Region], list[Cut]]:
    """The regions that are kept, and the cuts between them. What a mark lies in is never part of a cut, be it a region
    or a hole: it would not be seen which it is. No cut crosses from the user's half to the kernel's: between them may
    lie pages that were not looked at.
    """
    half = REGIONS_MAX // 2
    kept: list[Region] = []
    cuts: list[Cut] = []
    for place, region in enumerate(regions):
        if not half <= place < len(regions) - half or _holds_mark(region.start, region.end, marks):
            kept.append(region)
            continue
        last = cuts[-1] if cuts and cuts[-1].start > kept[-1].start else None
        halves = last is not None and last.start < KERNEL_HALF <= region.start
        if last is None or halves or _holds_mark(last.end, region.start, marks):
            cuts.append(Cut(region.start, region.end, 1))
        else:
            cuts[-1] = Cut(last.start, region.end, last.regions + 1)
    return kept, cuts


def _holds_mark(start: int, end: int, marks: Sequence[Mark]) -> bool:
    return any(start <= mark.address < end for mark in marks)


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
