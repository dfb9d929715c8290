"""The processor's registers, with the hidden parts that no program can read: privilege level and descriptors.

Read from the human monitor's `info registers`, the only place where QEMU shows GDTR, LDTR, TR and the cached
descriptors of segment registers (GDB's protocol does not carry them).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

CARRY, TRAP, INTERRUPT, DIRECTION = 1 << 0, 1 << 8, 1 << 9, 1 << 10
IOPL, NESTED_TASK, ALIGNMENT_CHECK = 3 << 12, 1 << 14, 1 << 18
"""Bits of EFLAGS (Intel SDM volume 1, 3.4.3)."""

_NUMBER = re.compile(r"\b(E[A-Z]{2}|EIP|EFL|CR[0-4]|DR[0-7]|CPL|HLT|EFER)=([0-9a-f]+)")
_SEGMENT = re.compile(r"^(ES|CS|SS|DS|FS|GS|LDT|TR) ?=([0-9a-f]{4}) ([0-9a-f]{8,16}) ([0-9a-f]{8}) ([0-9a-f]{8})", re.M)
_TABLE = re.compile(r"^(GDT|IDT)= +([0-9a-f]{8,16}) ([0-9a-f]{8})", re.M)


@dataclass(frozen=True)
class SegmentRegister:
    """A segment register: the selector, and the descriptor that the processor keeps with it."""

    selector: int
    base: int
    limit: int
    """Offset of the last byte (granularity applied)."""
    access: int
    """The second word of the descriptor, whose bits 8 to 23 are the access rights."""

    @property
    def rpl(self) -> int:
        """Requested privilege level: the selector's two lowest bits."""
        return self.selector & 3

    @property
    def dpl(self) -> int:
        """The descriptor's privilege level."""
        return self.access >> 13 & 3

    @property
    def present(self) -> bool:
        """The descriptor's P bit."""
        return bool(self.access >> 15 & 1)

    @property
    def type(self) -> int:
        """The descriptor's type (4 bits)."""
        return self.access >> 8 & 15


@dataclass(frozen=True)
class TableRegister:
    """GDTR or IDTR: linear address, and offset of the last byte."""

    base: int
    limit: int


@dataclass(frozen=True)
class Registers:
    """All registers of one processor at one moment."""

    eax: int
    ebx: int
    ecx: int
    edx: int
    esi: int
    edi: int
    ebp: int
    esp: int
    eip: int
    eflags: int
    cpl: int
    """Current privilege level: the ring."""
    halted: bool
    """Whether the processor waits in HLT."""
    cs: SegmentRegister
    ss: SegmentRegister
    ds: SegmentRegister
    es: SegmentRegister
    fs: SegmentRegister
    gs: SegmentRegister
    ldtr: SegmentRegister
    tr: SegmentRegister
    gdtr: TableRegister
    idtr: TableRegister
    cr0: int
    cr2: int
    cr3: int
    cr4: int
    debug: tuple[int, ...]
    """DR0 to DR3, DR6, DR7."""

    @property
    def interrupts_enabled(self) -> bool:
        """EFLAGS.IF."""
        return bool(self.eflags & INTERRUPT)

    @property
    def paging(self) -> bool:
        """CR0.PG."""
        return bool(self.cr0 >> 31 & 1)

    @property
    def protected(self) -> bool:
        """CR0.PE."""
        return bool(self.cr0 & 1)

    @property
    def write_protect(self) -> bool:
        """CR0.WP: whether rings 0 to 2 obey read-only pages."""
        return bool(self.cr0 >> 16 & 1)

    @property
    def iopl(self) -> int:
        """EFLAGS.IOPL: the outermost ring that may use all ports."""
        return self.eflags >> 12 & 3

    @property
    def pc(self) -> int:
        """Linear address of the next instruction: CS base + EIP."""
        return (self.cs.base + self.eip) & 0xFFFFFFFF

    def general(self) -> dict[str, int]:
        """The eight general registers by name."""
        names = ("eax", "ebx", "ecx", "edx", "esi", "edi", "ebp", "esp")
        return {name: getattr(self, name) for name in names}


def parse_registers(text: str) -> Registers:
    """Read the monitor's `info registers`. Raises ValueError when it is not that."""
    numbers = {name.lower(): int(value, 16) for name, value in _NUMBER.findall(text)}
    segments = {
        name.lower(): SegmentRegister(int(selector, 16), int(base, 16), int(limit, 16), int(access, 16))
        for name, selector, base, limit, access in _SEGMENT.findall(text)
    }
    tables = {name.lower(): TableRegister(int(base, 16), int(limit, 16)) for name, base, limit in _TABLE.findall(text)}
    try:
        return Registers(
            eax=numbers["eax"],
            ebx=numbers["ebx"],
            ecx=numbers["ecx"],
            edx=numbers["edx"],
            esi=numbers["esi"],
            edi=numbers["edi"],
            ebp=numbers["ebp"],
            esp=numbers["esp"],
            eip=numbers["eip"],
            eflags=numbers["efl"],
            cpl=numbers["cpl"],
            halted=bool(numbers["hlt"]),
            cs=segments["cs"],
            ss=segments["ss"],
            ds=segments["ds"],
            es=segments["es"],
            fs=segments["fs"],
            gs=segments["gs"],
            tr=segments["tr"],
            ldtr=segments["ldt"],
            gdtr=tables["gdt"],
            idtr=tables["idt"],
            cr0=numbers["cr0"],
            cr2=numbers["cr2"],
            cr3=numbers["cr3"],
            cr4=numbers["cr4"],
            debug=tuple(numbers.get(f"dr{number}", 0) for number in (0, 1, 2, 3, 6, 7)),
        )
    except KeyError as error:
        raise ValueError(f"the emulator's registers lack {error}") from error
