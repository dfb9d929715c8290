"""The descriptor audit: its rules one by one, its table, and the loads of LDTs that it sees in a running machine."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable

import pytest

from grader.machine import Machine, NotAsRequired, SymbolTable, fence
from grader.machine.audit import Audit, lldt_places
from grader.machine.descriptors import Segment, decode_table, decode_task_state
from grader.machine.fence import Table
from grader.machine.registers import SegmentRegister, parse_registers
from grader.tests.boot_sectors import PROTECTED_MODE, boot_sector
from grader.tests.elf import elf
from grader.tests.machines import MACHINES
from grader.tests.test_registers import TEXT

NULL = "0000000000000000"
KERNEL_CODE, KERNEL_DATA = "00CF9A000000FFFF", "00CF92000000FFFF"
USER_CODE, USER_DATA = "00CBFA000000FFFF", "00CBF2000000FFFF"  # limit 0xBFFFF pages: up to 0xBFFFFFFF
RING_2_CODE, RING_2_DATA = "00CBDA000000FFFF", "00CBD2000000FFFF"
GATE = "A000EC00000E0010"  # a call gate of DPL 3 to 0x000e:0xa0000010


def table(name: str, *entries: str) -> Table:
    """A table of descriptors written as 64-bit numbers."""
    data = b"".join(int(entry, 16).to_bytes(8, "little") for entry in entries)
    return Table(name, 0xC0100000, len(data) - 1, decode_table(data))


GDT = table("GDT", NULL, KERNEL_CODE, KERNEL_DATA, USER_CODE, USER_DATA)
LDT = table("LDT 0x0030", NULL, RING_2_CODE, RING_2_DATA, GATE)


def test_a_sound_fence_has_no_findings() -> None:
    """Flat segments of ring 0, all others below the kernel, a gate into ring 2."""
    assert fence.of_tables(GDT, LDT) == []


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ("00CFF2000000FFFF", "data of DPL 3: its last byte is 0xffffffff, in the kernel's memory from 0xc0000000 on"),
        ("00CCD2000000FFFF", "data of DPL 2: its last byte is 0xcfffffff"),
        ("00CBBA000001FFFF", "code of DPL 1: its last byte is 0xc0000000"),
        ("00CBD20000010000", "nothing"),
        ("A0CBD2000000FFFF", "base 0xa0000000 and limit 0xbfffffff wrap around"),
        ("00CBD6000000FFFF", "it expands down, and so its last byte is 0xffffffff, whatever its limit"),
        ("00CB9E000000FFFF", "code of DPL 0: it is conforming"),
        ("00CBDE000000FFFF", "nothing"),
        ("0000E90000000067", "TSS (available) of DPL 3: an outer ring can switch tasks"),
        ("0000E50000300000", "task gate of DPL 3: an outer ring can switch tasks"),
        ("C010EC0000080000", "call gate of DPL 3: it leads to 0x0008:0xc0100000, into ring 0"),
        ("C000EC00000E0000", "past the end of that segment or of the user's memory"),
        ("A000EC0000160000", "0x0016:0xa0000000, which is no code segment"),
        ("A000EC0000FE0000", "which is no code segment"),
        ("C0108C0000080000", "nothing"),
        ("00CF72000000FFFF", "nothing"),
    ],
)
def test_each_rule(entry: str, sentence: str) -> None:
    """One descriptor that breaks it, in the LDT; what is not present or the kernel's own breaks none."""
    found = fence.of_tables(GDT, table("LDT 0x0030", entry, RING_2_CODE, RING_2_DATA, GATE))
    if sentence == "nothing":
        assert found == []
    else:
        assert len(found) == 1 and sentence in found[0]
        assert found[0].startswith("descriptor 0x0004 of the LDT 0x0030, ")


def test_the_first_entry_of_the_gdt_is_none() -> None:
    """The processor never uses it; that of an LDT it does."""
    flat = "00CFF2000000FFFF"
    assert fence.of_tables(table("GDT", flat, KERNEL_CODE), None) == []
    assert len(fence.of_tables(GDT, table("LDT 0x0030", flat))) == 1


def test_the_task_state() -> None:
    """A stack for ring 1, a ring-2 stack that is none, a bitmap."""

    def found(**words: int) -> list[str]:
        data = bytearray(104)
        data[102:104] = words.pop("io_map", 104).to_bytes(2, "little")
        for offset, value in words.items():
            data[int(offset[1:]) : int(offset[1:]) + 4] = value.to_bytes(4, "little")
        return fence.of_task_state(decode_task_state(bytes(data), 103), GDT, LDT)

    assert found() == []
    assert found(_24=0x16) == []
    assert "SS1:ESP1 is 0x0019:0x00001000" in found(_16=0x19, _12=0x1000)[0]
    assert "SS2 is 0x0023" in found(_24=0x23)[0]
    assert "I/O bitmap, at offset 0x64" in found(io_map=100)[0]


def test_registers() -> None:
    """Flags, WP, and a flat segment that was loaded before the table was mended."""
    sound = dataclasses.replace(parse_registers(TEXT), eflags=0x202, cr0=0x80010011)
    small = SegmentRegister(0x23, 0, 0xBFFFFFFF, 0xCBF300)
    flat = SegmentRegister(0x23, 0, 0xFFFFFFFF, 0xCFF300)
    sound = dataclasses.replace(sound, cs=small, ss=small, ds=small, es=small, fs=small, gs=small)

    def found(**changes: object) -> list[str]:
        return fence.of_registers(dataclasses.replace(sound, **changes))  # type: ignore[arg-type]

    assert found() == []
    assert found(eflags=0x3202) == ["IOPL is 3: rings up to that may use all ports"]
    assert "CR0.WP is 0" in found(cr0=0x80000011)[0]
    assert "in ring 3 FS still holds a segment whose last byte is 0xffffffff" in found(fs=flat)[0]
    assert found(cpl=0, fs=flat) == []


def test_the_table_is_readable() -> None:
    """A line a descriptor that is used, in columns."""
    absent = "00CB52000000FFFF"
    lines = fence.columns(table("LDT 0x0030", NULL, RING_2_CODE, "A0CBD2000000FFFF", GATE, absent))
    assert lines == [
        "LDT 0x0030 at 0xc0100000, limit 0x27",
        "selector  kind       DPL  base        limit       last byte           rights",
        "0x000c    code       2    0x00000000  0xbfffffff  0xbfffffff          execute, read",
        "0x0014    data       2    0xa0000000  0xbfffffff  0x5fffffff (wraps)  read, write",
        "0x001c    call gate  3    to 0x000e:0xa0000010, 0 parameters",
        "0x0024    data       2    0x00000000  0xbfffffff  0xbfffffff          not present",
    ]


def test_lldt_in_every_form_is_found() -> None:
    """Register, memory by register, displacement, scale and segment override; LTR and others are not."""
    code = bytes.fromhex("90 0f00d0 0f0016 660f00d1 650f009500000000 0f001415 0f00d8 0f00c0 2e0f00d0")
    places = lldt_places(SymbolTable(elf([], code=code, base=0xC0100000)))
    starts = {place - 0xC0100000 for place in places}
    assert {1, 4, 7, 11, 19} <= starts  # 0x14: memory with a scaled index
    assert code.index(b"\x2e\x0f") in starts
    assert code.index(b"\x0f\x00\xd8") not in starts and code.index(b"\x0f\x00\xc0") not in starts


LOADS = (
    PROTECTED_MODE
    + """
        lgdt [other]
        mov ecx, 3
again:  mov ax, 8 * 3
        lldt ax
        mov word [selector], 8 * 4
        lldt [selector]
        dec ecx
        jnz again
        xor ax, ax
        ds lldt ax
here:   jmp here
selector: dw 0
first:  dq 0x00CBD2000000FFFF
second: dq 0x00CFD2000000FFFF
tables: dq 0, 0x00CF9A000000FFFF, 0x00CF92000000FFFF
        dw 7, first
        db 0, 0x82, 0, 0
        dw 7, second
        db 0, 0x82, 0, 0
other:  dw 39
        dd tables
"""
)


@pytest.fixture(params=MACHINES)
def loading(request: pytest.FixtureRequest) -> Callable[[int | None], tuple[Machine, Audit]]:
    """A machine that loads two LDTs in turn, with its audit; `loads` bounds what is seen."""
    image = boot_sector(LOADS)
    symbols = SymbolTable(elf([], code=image[:512], base=0x7C00))

    def start(loads: int | None = None) -> tuple[Machine, Audit]:
        machine = Machine.start(image, symbols=symbols, witness=request.param)
        return machine, Audit(machine, kernel=0x100000, loads=loads)

    return start


def test_every_load_is_seen(loading: Callable[[int | None], tuple[Machine, Audit]]) -> None:
    """In both forms, whatever the run awaits; an LDT is read as it is when it is loaded."""
    machine, audit = loading(None)
    with machine:
        machine.run_to(0x7C00 + boot_sector(LOADS).index(b"\xeb\xfe"))
        assert audit.loads == 7
        names = [found.name for found in audit.tables]
        assert names == ["GDT", "LDT 0x0018", "LDT 0x0020"]
        flat = "descriptor 0x0004 of the LDT 0x0020, data of DPL 2: its last byte is 0xffffffff"
        assert any(sentence.startswith(flat) for sentence in audit.findings)
        entry = audit.tables[1].entries[0]
        assert isinstance(entry, Segment) and entry.dpl == 2
        assert machine.registers().ldtr.selector == 0


def test_loads_are_bounded_where_stops_cost_time(loading: Callable[[int | None], tuple[Machine, Audit]]) -> None:
    """After so many the machine runs on without a stop."""
    machine, audit = loading(3)
    with machine:
        machine.run_to(0x7C00 + boot_sector(LOADS).index(b"\xeb\xfe"))
        assert (audit.loads, machine._points) == (3, {})


def test_a_failure_shows_sentences_and_tables(loading: Callable[[int | None], tuple[Machine, Audit]]) -> None:
    """The first sentence is what a student reads first; tables in low memory are no kernel's."""
    machine, audit = loading(None)
    with machine:
        machine.run_to(0x7C00 + boot_sector(LOADS).index(b"\xeb\xfe"))
        with pytest.raises(NotAsRequired) as failure:
            audit.check()
    said = str(failure.value)
    assert re.match(r"the LDT 0x0018 lies at 0x[0-9a-f]{8} to 0x[0-9a-f]{8}, not in the kernel's memory\n", said)
    assert "CR0.WP is 0" in said
    assert "selector  kind" in said and "LDT 0x0020 at" in said
