"""Small ELF32 files made by hand: some symbols, some code."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

HEADER_BYTES, PROGRAM_BYTES, SECTION_BYTES = 52, 32, 40


@dataclass(frozen=True)
class Label:
    """A symbol of the code section. `kind` 2 is a function, 0 a label of assembly; `size` in bytes."""

    name: str
    address: int
    size: int = 0
    kind: int = 0
    bind: int = 1


def elf(labels: Sequence[Label], *, code: bytes = b"", base: int = 0) -> bytes:
    """An i386 executable with this code at `base` and these symbols."""
    code_offset = HEADER_BYTES + PROGRAM_BYTES
    strings, table = b"\0", bytes(16)
    for label in labels:
        info = label.bind << 4 | label.kind
        table += struct.pack("<IIIBBH", len(strings), label.address, label.size, info, 0, 1)
        strings += label.name.encode() + b"\0"
    table_offset = code_offset + len(code)
    strings_offset = table_offset + len(table)
    sections_offset = strings_offset + len(strings)
    sections = [
        (0,) * 10,
        (0, 1, 6, base, code_offset, len(code), 0, 0, 16, 0),  # .text: allocated, executable
        (0, 2, 0, 0, table_offset, len(table), 3, 1, 4, 16),  # .symtab, its names in section 3
        (0, 3, 0, 0, strings_offset, len(strings), 0, 0, 1, 0),  # .strtab
    ]
    identity = b"\x7fELF\1\1\1".ljust(16, b"\0")
    header = struct.pack(
        "<16sHHIIIIIHHHHHH",
        identity, 2, 3, 1, base, HEADER_BYTES, sections_offset, 0,
        HEADER_BYTES, PROGRAM_BYTES, 1, SECTION_BYTES, len(sections), 0,
    )  # fmt: skip
    program = struct.pack("<8I", 1, code_offset, base, base, len(code), len(code), 5, 1)
    return header + program + code + table + strings + b"".join(struct.pack("<10I", *section) for section in sections)
