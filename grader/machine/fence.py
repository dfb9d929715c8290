"""The fence around the kernel for code in rings 1 to 3, which paging alone does not give: rules over descriptors.

Paging knows two kinds of code, user (ring 3) and supervisor (rings 0 to 2). So what keeps ring 2 out of the kernel is
the limits of the segments that it can load, each of the global descriptor table and of every local one. What is wrong
with tables is said in sentences here, and tables are shown in columns. Nothing here needs a machine: see `audit`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from grader.machine.descriptors import Gate, Segment, TaskState
from grader.machine.registers import Registers

KERNEL = 0xC0000000
TOP = 0xFFFFFFFF
HEADINGS = ("selector", "kind", "DPL", "base", "limit", "last byte", "rights")

_CALL_GATES, _TASK_GATE = (4, 12), 5
_TASK_STATES = (1, 3, 9, 11)
_GATE = 4  # cells of a gate's row
_LOCAL = 4  # the selector's TI bit


@dataclass(frozen=True)
class Table:
    """A descriptor table as it lay in memory at some moment."""

    name: str
    """`GDT`, or `LDT 0x0028`: with the selector that it was loaded by."""
    base: int
    limit: int
    entries: Sequence[Segment | Gate]

    @property
    def local(self) -> bool:
        """Whether it is an LDT, all of whose entries can be used; the first one of the GDT cannot."""
        return self.name != "GDT"

    def selector(self, entry: Segment | Gate) -> int:
        """The selector of an entry, its RPL left out."""
        return entry.index * 8 | _LOCAL * self.local

    def used(self) -> list[Segment | Gate]:
        """The entries that are not all zero."""
        return [entry for entry in self.entries if not (entry.null if isinstance(entry, Segment) else _empty(entry))]


def _empty(gate: Gate) -> bool:
    return not (gate.present or gate.offset or gate.selector)


def last_byte(segment: Segment) -> int:
    """The highest linear address that an access through the segment can come to; above 4 GB - 1 it wraps around."""
    if expands_down(segment):
        return segment.base + (TOP if segment.wide else 0xFFFF)
    return segment.base + segment.limit


def expands_down(segment: Segment) -> bool:
    """A data segment whose valid offsets lie above its limit."""
    return segment.code_or_data and not segment.code and bool(segment.type & 4)


def of_tables(gdt: Table, ldt: Table | None, kernel: int = KERNEL) -> list[str]:
    """What is wrong with the descriptors of the GDT and of the LDT that is loaded with it, a sentence each."""
    tables = [gdt] if ldt is None else [gdt, ldt]
    found = []
    for table in tables:
        for entry in table.entries if table.local else table.entries[1:]:
            if entry.present:
                name = f"descriptor {table.selector(entry):#06x} of the {table.name}"
                wrong = _of_segment(entry, kernel) if isinstance(entry, Segment) else _of_gate(entry, tables, kernel)
                found += [f"{name}, {sentence}" for sentence in wrong]
    return found


def _of_segment(segment: Segment, kernel: int) -> Iterator[str]:
    what = f"{segment.kind} of DPL {segment.dpl}"
    if not segment.code_or_data:
        if segment.type in _TASK_STATES and segment.dpl:
            yield f"{what}: an outer ring can switch tasks through it"
        return
    if segment.conforming and not segment.dpl:
        yield f"{what}: it is conforming, so that every ring can run in it"
    if not segment.dpl:
        return
    if expands_down(segment):
        end = last_byte(segment) & TOP
        yield f"{what}: it expands down, and so its last byte is {end:#010x}, whatever its limit"
    elif last_byte(segment) > TOP:
        yield f"{what}: its base {segment.base:#010x} and limit {segment.limit:#x} wrap around the end of memory"
    elif last_byte(segment) >= kernel:
        yield f"{what}: its last byte is {last_byte(segment):#010x}, in the kernel's memory from {kernel:#010x} on"


def _of_gate(gate: Gate, tables: Sequence[Table], kernel: int) -> Iterator[str]:
    what = f"{gate.kind} of DPL {gate.dpl}"
    if not gate.dpl:
        return  # the kernel's own
    if gate.type == _TASK_GATE:
        yield f"{what}: an outer ring can switch tasks through it"
    if gate.type not in _CALL_GATES:
        return
    to = f"{gate.selector:#06x}:{gate.offset:#010x}"
    target = _target(gate.selector, tables)
    if not isinstance(target, Segment) or not target.present or not target.code:
        yield f"{what}: it leads to {to}, which is no code segment"
    elif not target.dpl:
        yield f"{what}: it leads to {to}, into ring 0"
    elif gate.offset > target.limit or target.base + gate.offset >= kernel:
        yield f"{what}: it leads to {to}, past the end of that segment or of the user's memory"


def _target(selector: int, tables: Sequence[Table]) -> Segment | Gate | None:
    entries = next((table.entries for table in tables if table.local == bool(selector & _LOCAL)), ())
    return entries[selector >> 3] if selector >> 3 < len(entries) else None


def of_task_state(task: TaskState, gdt: Table, ldt: Table | None) -> list[str]:
    """What is wrong with the stacks and ports that the task state gives to inner and outer rings."""
    found = []
    if task.ss1:
        found.append(f"the task state has a stack for ring 1: SS1:ESP1 is {task.ss1:#06x}:{task.esp1:#010x}")
    if task.ss2:
        stack = _target(task.ss2, [gdt] if ldt is None else [gdt, ldt])
        usable = isinstance(stack, Segment) and stack.present and stack.writable and stack.dpl == task.ss2 & 3 == 2
        if not usable:
            found.append(f"the task state's SS2 is {task.ss2:#06x}, which is no writable data segment of ring 2")
    if task.io_map_base < task.limit:
        found.append(f"the task state has an I/O bitmap, at offset {task.io_map_base:#x} of {task.limit + 1:#x} bytes")
    return found


def of_registers(now: Registers, kernel: int = KERNEL) -> list[str]:
    """What is wrong with flags, control registers, and the descriptors that the processor holds at this moment."""
    found = []
    if now.iopl:
        found.append(f"IOPL is {now.iopl}: rings up to that may use all ports")
    if not now.write_protect:
        found.append("CR0.WP is 0: rings 0 to 2 may write to read-only pages")
    if not now.cpl:
        return found
    for name in ("cs", "ss", "ds", "es", "fs", "gs"):
        held = getattr(now, name)
        if held.selector & ~3 and held.present and held.dpl and held.base + held.limit >= kernel:
            end = held.base + held.limit
            found.append(f"in ring {now.cpl} {name.upper()} still holds a segment whose last byte is {end:#010x}")
    return found


def columns(table: Table) -> list[str]:
    """The table as lines under a heading; entries that are all zero are left out."""
    rows = [HEADINGS, *(_row(table, entry) for entry in table.used())]
    widths = [
        max(len(cell) for cell in cells) for cells in zip(*(row for row in rows if len(row) > _GATE), strict=True)
    ]
    widths[1] = max(len(row[1]) for row in rows)
    # What a gate leads to, the last of its cells, stands across the columns that it has not.
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)).rstrip() for row in rows]
    return [f"{table.name} at {table.base:#010x}, limit {table.limit:#x}", *lines]


def _row(table: Table, entry: Segment | Gate) -> tuple[str, ...]:
    selector = f"{table.selector(entry):#06x}"
    if isinstance(entry, Gate):
        leads = f"to {entry.selector:#06x}:{entry.offset:#010x}, {entry.parameters} parameters"
        return selector, entry.kind, str(entry.dpl), _unless_absent(entry, leads)
    last = last_byte(entry)
    end = f"{last & TOP:#010x}" + (" (wraps)" if last > TOP and not expands_down(entry) else "")
    numbers = (f"{entry.base:#010x}", f"{entry.limit:#010x}", end)
    return selector, entry.kind, str(entry.dpl), *numbers, _unless_absent(entry, _rights(entry))


def _rights(segment: Segment) -> str:
    if not segment.code_or_data:
        return ""
    if segment.code:
        return "execute" + ", read" * bool(segment.type & 2) + ", conforming" * segment.conforming
    return "read" + ", write" * segment.writable + ", expand-down" * expands_down(segment)


def _unless_absent(entry: Segment | Gate, rights: str) -> str:
    return rights if entry.present else "not present"
