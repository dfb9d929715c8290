"""Descriptors, gates and the task state segment, decoded from bytes that the manual's figures give."""

from __future__ import annotations

import struct

from grader.machine.descriptors import (
    Gate,
    Segment,
    decode_entry,
    decode_gate,
    decode_idt,
    decode_segment,
    decode_task_state,
)


def entry(text: str) -> bytes:
    """A descriptor as it is usually written: one 64-bit number."""
    return int(text, 16).to_bytes(8, "little")


def test_flat_segments() -> None:
    """The four of every small kernel."""
    code = decode_segment(3, entry("00CFFA000000FFFF"))
    assert (code.base, code.limit, code.dpl, code.kind) == (0, 0xFFFFFFFF, 3, "code")
    assert code.wide
    data = decode_segment(2, entry("00CF92000000FFFF"))
    assert (data.dpl, data.kind, data.writable, data.code) == (0, "data", True, False)


def test_bases_and_limits_that_are_scattered() -> None:
    """The base lies in three pieces, the limit in two."""
    found = decode_segment(5, entry("12408934567800FF"))
    assert (found.base, found.limit) == (0x12345678, 0xFF)
    assert (found.kind, found.present) == ("TSS (available)", True)
    assert str(found) == "0x0028: TSS (available), DPL 0, base 0x12345678, limit 0xff"


def test_an_unused_entry() -> None:
    """Zeros."""
    assert str(decode_segment(0, bytes(8))) == "0x0000: not used"


def test_conforming_code() -> None:
    """Type 14."""
    assert decode_segment(1, entry("00CF9E000000FFFF")).conforming


def test_gates() -> None:
    """An interrupt gate of DPL 3, and a call gate with parameters, told from a segment."""
    gate = decode_gate(0x80, entry("C010EE0000084967"))
    assert (gate.selector, gate.offset, gate.dpl, gate.kind) == (8, 0xC0104967, 3, "interrupt gate")
    call = decode_entry(6, entry("0012EC0200081234"))
    assert isinstance(call, Gate)
    assert (call.kind, call.parameters, call.dpl, call.offset) == ("call gate", 2, 3, 0x121234)
    assert isinstance(decode_entry(2, entry("00CF92000000FFFF")), Segment)


def test_a_table_is_as_long_as_its_limit() -> None:
    """An entry that is cut off does not count."""
    assert len(decode_idt(bytes(8 * 3 + 5))) == 3


def task_state(io_map_base: int, io_map: bytes = b"") -> bytes:
    """The fixed part of a TSS and a bitmap behind it."""
    words = [0, 0xC0108000, 0x10, *([0] * 22), io_map_base << 16]
    return struct.pack("<26I", *words) + io_map


def test_a_task_state_without_a_bitmap() -> None:
    """An offset at the limit: no port is allowed."""
    found = decode_task_state(task_state(104), 103)
    assert (found.esp0, found.ss0) == (0xC0108000, 0x10)
    assert not found.port_allowed(0x1F0)
    assert found.allowed_ports() == []


def test_a_bitmap_that_allows_the_disks_ports() -> None:
    """A clear bit allows; a wide access needs all its bits; the byte after the last one must be there."""
    bits = bytearray(b"\xff" * 64)
    bits[0x1F0 // 8] = 0
    data = task_state(104, bytes(bits) + b"\xff")
    found = decode_task_state(data, len(data) - 1)
    assert found.allowed_ports() == list(range(0x1F0, 0x1F8))
    assert found.port_allowed(0x1F0, 4)
    assert not found.port_allowed(0x1F6, 4)
    assert not found.port_allowed(0x3F8)
    assert decode_task_state(data, len(data) - 2).port_allowed(0x1F0)
    assert not decode_task_state(data[: 104 + 0x1F0 // 8 + 1], 104 + 0x1F0 // 8).port_allowed(0x1F0)
