"""Looks at a stopped machine from outside: registers, memory, page tables, descriptor tables, variables, code places.

Nothing here runs the guest or asks it anything; memory is read through the guest's page tables by our own walk.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from grader.machine import paging
from grader.machine.control import Control
from grader.machine.descriptors import Gate, Segment, TaskState, decode_idt, decode_table, decode_task_state
from grader.machine.faults import UnreadableMemory
from grader.machine.gdb_remote import StubError
from grader.machine.paging import Mapping as PageMapping
from grader.machine.paging import PageWalk
from grader.machine.registers import Registers
from grader.machine.symbols import Place, SymbolMissing, SymbolTable, Types
from grader.machine.witness import Witness

SCREEN_ADDRESS, SCREEN_COLUMNS, SCREEN_ROWS = 0xB8000, 80, 25
_DEVICES = 0xC0000000  # physical addresses from here on belong to devices and firmware
_KERNEL_HALF = 0xC0000000  # where the kernel is linked
_RECOGNIZED_BY = 24  # bytes of code that tell one program from another


@functools.lru_cache(maxsize=256)
def _program_symbols(elf: Path, _modified: int) -> SymbolTable:
    return SymbolTable.load(elf)


class Inspection:
    """A stopped machine. Addresses and sizes are in bytes; `cr3` is that of the running process if not given."""

    def __init__(self, control: Control, symbols: SymbolTable, programs: Mapping[str, Path], memory_bytes: int) -> None:
        self._control = control
        self._memory_bytes = memory_bytes
        self._registers: Registers | None = None
        self.symbols = symbols
        """The kernel's symbols."""
        self.programs = programs
        """ELF files of the programs that may run, by name."""

    @property
    def witness(self) -> Witness:
        """The emulator that it is made of."""
        return self._control.witness

    def registers(self) -> Registers:
        """All registers, privilege level and cached descriptors included."""
        if self._registers is None:
            self._registers = self._control.registers()
        return self._registers

    # Memory

    def read_physical(self, address: int, length: int) -> bytes:
        """Physical memory. Raises UnreadableMemory where there is none."""
        if address + length > self._memory_bytes and address < _DEVICES:
            size = f"there are {self._memory_bytes >> 20} MB"
            raise UnreadableMemory(f"no memory answers at the physical address {address:#010x}: {size}")
        try:
            return self._control.read(address, length)
        except StubError as error:
            raise UnreadableMemory(f"no memory answers at the physical address {address:#010x}") from error

    def write_physical(self, address: int, data: bytes) -> None:
        """Write physical memory: for tests that damage something on purpose."""
        try:
            self._control.write(address, data)
        except StubError as error:
            raise UnreadableMemory(f"no memory answers at the physical address {address:#010x}") from error

    def read_virtual(self, address: int, length: int, cr3: int | None = None) -> bytes:
        """Memory through the guest's page tables. Raises UnreadableMemory where a page is not mapped."""
        registers = self.registers()
        if not registers.paging and cr3 is None:
            return self.read_physical(address, length)
        parts = []
        while length > 0:
            found = self.walk(address, cr3)
            if found.physical is None:
                raise UnreadableMemory(str(found))
            size = min(length, found.page_bytes - address % found.page_bytes)
            parts.append(self.read_physical(found.physical, size))
            address = (address + size) & 0xFFFFFFFF
            length -= size
        return b"".join(parts)

    def write_virtual(self, address: int, data: bytes, cr3: int | None = None) -> None:
        """Write memory through the guest's page tables, whatever rights they give. Raises UnreadableMemory."""
        while data:
            found = self.walk(address, cr3)
            if found.physical is None:
                raise UnreadableMemory(str(found))
            size = min(len(data), found.page_bytes - address % found.page_bytes)
            self.write_physical(found.physical, data[:size])
            address, data = (address + size) & 0xFFFFFFFF, data[size:]

    def read_u32(self, address: int, cr3: int | None = None) -> int:
        """A 32-bit number at a virtual address."""
        return int.from_bytes(self.read_virtual(address, 4, cr3), "little")

    def walk(self, address: int, cr3: int | None = None) -> PageWalk:
        """What the page tables say of a virtual address."""
        registers = self.registers()
        large = paging.large_pages_enabled(registers.cr4)
        return paging.walk(self.read_physical, registers.cr3 if cr3 is None else cr3, address, large_pages=large)

    def mappings(
        self, cr3: int | None = None, start: int = 0, end: int = 1 << 32, most: int | None = None
    ) -> list[PageMapping]:
        """All mapped pages, or so many, whose address lies in `start` to `end` (exclusive)."""
        registers = self.registers()
        large = paging.large_pages_enabled(registers.cr4)
        root = registers.cr3 if cr3 is None else cr3
        return list(islice(paging.mappings(self.read_physical, root, start, end, large_pages=large), most))

    # Descriptor tables

    def gdt(self) -> list[Segment | Gate]:
        """The global descriptor table, entry by entry."""
        table = self.registers().gdtr
        return decode_table(self.read_virtual(table.base, min(table.limit + 1, 8 * 8192)))

    def ldt(self) -> tuple[Segment | Gate, ...]:
        """The local descriptor table that LDTR names, entry by entry; empty when LDTR is null."""
        table = self.registers().ldtr
        if table.selector & ~3 == 0:
            return ()
        return tuple(decode_table(self.read_virtual(table.base, min(table.limit + 1, 8 * 8192))))

    def idt(self) -> list[Gate]:
        """The interrupt descriptor table, gate by gate; shorter than 256 where its limit ends it."""
        table = self.registers().idtr
        return decode_idt(self.read_virtual(table.base, min(table.limit + 1, 8 * 256)))

    def tss(self) -> TaskState:
        """The task state segment that TR names, with its I/O bitmap."""
        task = self.registers().tr
        return decode_task_state(self.read_virtual(task.base, min(task.limit + 1, 104 + 8194)), task.limit)

    # Symbols

    def symbol(self, name: str, program: str | None = None) -> int:
        """The address of a name in the kernel, or in a program. Raises SymbolMissing."""
        return self.table(program).address(name)

    def table(self, program: str | None = None) -> SymbolTable:
        """The symbols of the kernel, or of a program."""
        if program is None:
            return self.symbols
        if program not in self.programs:
            raise SymbolMissing(f"there is no program {program!r}")
        elf = self.programs[program]
        return _program_symbols(elf, elf.stat().st_mtime_ns)

    def types(self, program: str | None = None) -> Types:
        """Types and variables of the kernel, or of a program."""
        return self.table(program).types

    def read_variable(self, name: str, program: str | None = None, cr3: int | None = None) -> Any:
        """A global variable as a Python value (see `symbols.Types`)."""
        types = self.types(program)
        address, kind = types.variable(name)
        return types.decode(kind, self.read_virtual(address, types.size(kind), cr3))

    def read_struct(self, type_name: str, address: int, program: str | None = None, cr3: int | None = None) -> Any:
        """What lies at a virtual address, as a value of a named type (`process_t`, `struct process`)."""
        types = self.types(program)
        kind = types.named(type_name)
        return types.decode(kind, self.read_virtual(address, types.size(kind), cr3))

    def follow(self, variable: str, program: str | None = None) -> Any:
        """What a global pointer variable points to, as a Python value. Raises UnreadableMemory for a null pointer."""
        types = self.types(program)
        address, kind = types.variable(variable)
        target, pointer = types.target(kind), self.read_u32(address)
        if pointer == 0:  # what lies there, if the page is mapped, is nobody's
            raise UnreadableMemory(f"{variable} is a null pointer")
        return types.decode(target, self.read_virtual(pointer, types.size(target)))

    # Where it is

    def program_at(self, address: int, cr3: int | None = None) -> str | None:
        """The program whose own code lies at a virtual address now; None when it is nobody's."""
        try:
            seen = self.read_virtual(address, _RECOGNIZED_BY, cr3)
        except UnreadableMemory:
            return None
        for name in self.programs:
            own = self.table(name).code_at(address, _RECOGNIZED_BY)
            if own and seen.startswith(own) and self.runs_program(name, address, cr3):
                return name
        return None

    def runs_program(self, name: str, address: int, cr3: int | None = None) -> bool:
        """Whether the whole page around a virtual address holds the program's own code, byte for byte, and no other
        program's that is the more likely one there.

        A few bytes would not do, nor even a page: probes share their library, and so their first functions. Where
        programs have the same page, the one runs whose other pages of code are there as well.
        """
        page = address & ~(paging.PAGE_BYTES - 1)
        own = self.table(name).page_of(page)
        if not own[1] or not self._holds(own, cr3):
            return False
        twins = [other for other in self.programs if other != name and self.table(other).page_of(page) == own]
        if not twins:
            return True
        likeness = self._likeness(name, cr3)
        if likeness[0] == 0:  # all of it is there: then nobody's is who has other code in the same place
            twins = [other for other in twins if not self._contradict(name, other)]
        return all(self._likeness(other, cr3) <= likeness for other in twins)

    def _contradict(self, one: str, other: str) -> bool:
        """Whether two programs cannot both be in memory whole."""
        first, second = self.table(one), self.table(other)
        both = set(first.code_pages) & set(second.code_pages)
        return any(first.page_of(page) != second.page_of(page) for page in both)

    def _likeness(self, program: str, cr3: int | None) -> tuple[int, int]:
        """How much of a program's code is in memory, for comparison: first that nothing of it is missing."""
        table = self.table(program)
        there = [self._holds(table.page_of(page), cr3) for page in table.code_pages]
        return -there.count(False), there.count(True)

    def _holds(self, part: tuple[int, bytes], cr3: int | None) -> bool:
        """Whether memory holds these bytes at this virtual address."""
        try:
            return self.read_virtual(part[0], len(part[1]), cr3) == part[1]
        except UnreadableMemory:
            return False

    def place(self, address: int | None = None) -> str:
        """A code address (default: where the processor is) in words: function, file and line, and whose."""
        registers = self.registers()
        where = registers.pc if address is None else address
        program = self.program_at(where) if registers.cpl == 3 or where < _KERNEL_HALF else None
        if program is not None:
            return f"{self._place_in(program, where)} of the program {program}"
        found = self.symbols.place(where)
        if found.function:
            return str(found)
        return f"{where:#010x}" if registers.protected else f"{where:#x} (in the boot sector or the BIOS)"

    def _place_in(self, program: str, address: int) -> Place:
        return self.table(program).place(address)

    def functions_of(self, addresses: Iterable[int]) -> list[str]:
        """The functions that code addresses belong to, each with its first place, in the order of appearance."""
        programs: dict[int, str | None] = {}
        seen: dict[str, str] = {}
        for address in dict.fromkeys(addresses):
            page = address // paging.PAGE_BYTES
            if page not in programs:
                programs[page] = self.program_at(address) if address < _KERNEL_HALF else None
            program = programs[page]
            found = self.table(program).place(address)
            name = f"{found} of the program {program}" if program else str(found)
            seen.setdefault(found.function or "?", name if found.function else self.place(address))
        return list(seen.values())

    def backtrace(self, depth: int = 12) -> list[str]:
        """The calls that led here, innermost first, by the chain of EBP as far as it can be followed."""
        registers = self.registers()
        calls = [self.place()]
        program = self.program_at(registers.pc) if registers.cpl == 3 else None
        table = self.table(program)
        frame = registers.ebp
        while len(calls) < depth and frame and frame % 4 == 0:
            try:
                previous, caller = self.read_u32(frame), self.read_u32(frame + 4)
            except UnreadableMemory:
                break
            found = table.place(caller - 1)
            if not found.function:
                break
            calls.append(str(found))
            if previous <= frame:
                break
            frame = previous
        return calls

    def running_process(self) -> tuple[int, str] | None:
        """(pid, name) of what the kernel holds for the running process; None when it cannot be read."""
        try:
            process = self.follow("current_process")
            return int(process["pid"]), str(process["name"])
        except (UnreadableMemory, SymbolMissing, KeyError, TypeError, ValueError):
            return None

    def process_states(self) -> list[tuple[int, str, str]]:
        """(pid, name, state) of each entry of the kernel's list; empty when it cannot be read."""
        try:
            pointers = self.read_variable("processes")
            found = []
            for pointer in pointers:
                if pointer:
                    process = self.read_struct("process_t", pointer)
                    found.append((int(process["pid"]), str(process["name"]), str(process["state"])))
            return found
        except (UnreadableMemory, SymbolMissing, KeyError, TypeError, ValueError):
            return []

    def screen_text(self) -> list[str]:
        """The 25 lines of VGA text memory, without trailing blanks. Only for machines started with `screen=True`."""
        cells = self.read_physical(SCREEN_ADDRESS, SCREEN_COLUMNS * SCREEN_ROWS * 2)
        text = cells[::2].decode("cp437")
        return [text[row * SCREEN_COLUMNS : (row + 1) * SCREEN_COLUMNS].rstrip(" \0") for row in range(SCREEN_ROWS)]

    def instructions(self) -> int:
        """Instructions executed since power-on: exact, and the same in every run of the same image."""
        return self._control.instructions()
