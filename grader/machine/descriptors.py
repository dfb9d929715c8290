"""Segment descriptors, gates and the task state segment, decoded from their bytes.

Source: Intel SDM volume 3, 3.4.5, 6.11, 7.2.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

_SYSTEM_TYPES = {
    1: "16-bit TSS (available)",
    2: "LDT",
    3: "16-bit TSS (busy)",
    4: "16-bit call gate",
    5: "task gate",
    6: "16-bit interrupt gate",
    7: "16-bit trap gate",
    9: "TSS (available)",
    11: "TSS (busy)",
    12: "call gate",
    14: "interrupt gate",
    15: "trap gate",
}
_GATES = (4, 5, 6, 7, 12, 14, 15)
_TASK_STATE_BYTES = 104


@dataclass(frozen=True)
class Segment:
    """A segment descriptor of the GDT or an LDT."""

    index: int
    base: int
    limit: int
    """Offset of the last byte (granularity applied)."""
    type: int
    code_or_data: bool
    """The S bit: false for a system descriptor (LDT, TSS)."""
    dpl: int
    present: bool
    wide: bool
    """The D/B bit: 32-bit."""

    @property
    def null(self) -> bool:
        """All bits of what matters are zero: an unused entry."""
        return not (self.present or self.base or self.limit or self.type)

    @property
    def code(self) -> bool:
        """An executable segment."""
        return self.code_or_data and bool(self.type & 8)

    @property
    def writable(self) -> bool:
        """A data segment that may be written."""
        return self.code_or_data and self.type & 10 == 2

    @property
    def conforming(self) -> bool:
        """A conforming code segment: it runs at its caller's privilege level."""
        return self.code and bool(self.type & 4)

    @property
    def kind(self) -> str:
        """In words: code, data, LDT, TSS (busy), ..."""
        if not self.code_or_data:
            return _SYSTEM_TYPES.get(self.type, "reserved")
        return "code" if self.code else "data"

    def __str__(self) -> str:
        if self.null:
            return f"{self.index * 8:#06x}: not used"
        where = f"base {self.base:#010x}, limit {self.limit:#x}{'' if self.present else ', not present'}"
        return f"{self.index * 8:#06x}: {self.kind}, DPL {self.dpl}, {where}"


@dataclass(frozen=True)
class Gate:
    """A gate: of the IDT (interrupt, trap, task), or a call gate of the GDT or an LDT."""

    index: int
    selector: int
    offset: int
    type: int
    dpl: int
    present: bool
    parameters: int
    """Words that a call gate copies to the inner stack."""

    @property
    def kind(self) -> str:
        """In words: interrupt gate, trap gate, task gate, call gate."""
        return _SYSTEM_TYPES.get(self.type, "reserved")

    def __str__(self) -> str:
        if not self.present:
            return f"{self.index:#04x}: not present"
        return f"{self.index:#04x}: {self.kind}, DPL {self.dpl}, to {self.selector:#06x}:{self.offset:#010x}"


@dataclass(frozen=True)
class TaskState:
    """The 32-bit task state segment: the stacks of the inner rings, and which ports an outer ring may use."""

    esp0: int
    ss0: int
    esp1: int
    ss1: int
    esp2: int
    ss2: int
    cr3: int
    io_map_base: int
    """Offset of the I/O permission bitmap; at or past the limit means that there is none."""
    limit: int
    io_map: bytes
    """The bitmap as far as the limit reaches; a set bit forbids a port."""

    def port_allowed(self, port: int, size: int = 1) -> bool:
        """Whether the bitmap lets a ring above IOPL use `size` bytes of ports from `port` on."""
        for number in range(port, port + size):
            # The processor reads two bytes, so a port of the last byte is allowed only if one more follows it.
            if number // 8 + 1 >= len(self.io_map) or self.io_map[number // 8] >> number % 8 & 1:
                return False
        return True

    def allowed_ports(self) -> list[int]:
        """All ports that the bitmap allows."""
        some = [(byte, bits) for byte, bits in enumerate(self.io_map[:-1]) if bits != 255]
        return [byte * 8 + bit for byte, bits in some for bit in range(8) if not bits >> bit & 1]


def decode_entry(index: int, data: bytes) -> Segment | Gate:
    """Decode 8 bytes of a GDT or LDT."""
    return decode_gate(index, data) if not data[5] & 0x10 and data[5] & 15 in _GATES else decode_segment(index, data)


def decode_segment(index: int, data: bytes) -> Segment:
    """Decode 8 bytes as a segment descriptor."""
    low, high = struct.unpack("<II", data)
    limit = low & 0xFFFF | high & 0xF0000
    if high >> 23 & 1:
        limit = limit << 12 | 0xFFF
    return Segment(
        index=index,
        base=low >> 16 | (high & 0xFF) << 16 | high & 0xFF000000,
        limit=limit,
        type=high >> 8 & 15,
        code_or_data=bool(high >> 12 & 1),
        dpl=high >> 13 & 3,
        present=bool(high >> 15 & 1),
        wide=bool(high >> 22 & 1),
    )


def decode_gate(index: int, data: bytes) -> Gate:
    """Decode 8 bytes as a gate."""
    low, high = struct.unpack("<II", data)
    return Gate(
        index=index,
        selector=low >> 16,
        offset=low & 0xFFFF | high & 0xFFFF0000,
        type=high >> 8 & 15,
        dpl=high >> 13 & 3,
        present=bool(high >> 15 & 1),
        parameters=high & 31,
    )


def decode_table(data: bytes) -> list[Segment | Gate]:
    """All entries of a GDT or LDT."""
    return [decode_entry(index, data[index * 8 : index * 8 + 8]) for index in range(len(data) // 8)]


def decode_idt(data: bytes) -> list[Gate]:
    """All gates of an IDT."""
    return [decode_gate(index, data[index * 8 : index * 8 + 8]) for index in range(len(data) // 8)]


def decode_task_state(data: bytes, limit: int) -> TaskState:
    """Decode a TSS from its bytes 0 to `limit`. Bytes that are missing count as zero."""
    fixed = data[:_TASK_STATE_BYTES].ljust(_TASK_STATE_BYTES, b"\0")
    words = struct.unpack("<26I", fixed)
    io_map_base = words[25] >> 16
    return TaskState(
        esp0=words[1],
        ss0=words[2] & 0xFFFF,
        esp1=words[3],
        ss1=words[4] & 0xFFFF,
        esp2=words[5],
        ss2=words[6] & 0xFFFF,
        cr3=words[7],
        io_map_base=io_map_base,
        limit=limit,
        io_map=data[io_map_base : limit + 1],
    )
