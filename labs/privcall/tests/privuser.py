"""What this lab's tests share: where PrivUser is, how secrets get there from outside, how its programs come to an end.

What they demand of results and of processes' ends, and the sentences that say so, are in `demands`.
"""

from __future__ import annotations

import random
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from grader.machine import Machine
from grader.machine.symbols import SymbolTable
from grader.testing.kernel_error import fault_status

KBASE = 0xC0000000
PRIVUSER_START, PRIVUSER_END, PRIVUSER_STACK_SIZE = 0xA0000000, 0xA0400000, 8192
CODE_SELECTOR, DATA_SELECTOR, GATE_SELECTOR = 0x0E, 0x16, 0x1F
PAGE = 4096

DONE = 539
"""The exit status of a child that nothing has stopped (ROLE_DONE of probes/roles.h)."""

BEGINNING = "the beginning of a program with a PrivUser"
"""What a test awaits at first."""

FILES_SECRET = 0x539
"""What `calls_secret` of the probe `calls` is where the grader plants nothing."""

GENERAL_PROTECTION, STACK_FAULT, PAGE_FAULT = fault_status(13), fault_status(12), fault_status(14)

_LINE = re.compile(rb"^fault: process (\d+) \(([^)\n]*)\) vector (\d+) \(([^)\n]*)\) in PrivUser\r?$", re.M)
_ADDRESS = re.compile(rb"(?<![0-9a-f])a0[0-3][0-9a-f]{5}(?![0-9a-f])", re.I)
_SEGMENT = struct.Struct("<8I")
_LOAD, _EXECUTABLE, _WRITABLE = 1, 1, 2


@dataclass(frozen=True)
class Segment:
    """A segment of a program's file that lies in PrivUser: addresses, and its place in the file."""

    start: int
    size: int
    offset: int
    file_size: int
    executable: bool
    writable: bool

    def pages(self) -> range:
        """Addresses of its pages."""
        return range(self.start & -PAGE, self.start + self.size, PAGE)


def segments_of(program: bytes) -> list[Segment]:
    """The segments of an ELF file that lie in PrivUser, by address."""
    table, count = struct.unpack_from("<I", program, 28)[0], struct.unpack_from("<H", program, 44)[0]
    found = []
    for index in range(count):
        kind, offset, start, _, file_size, size, flags, _ = _SEGMENT.unpack_from(program, table + index * _SEGMENT.size)
        if kind == _LOAD and size and PRIVUSER_START <= start < PRIVUSER_END:
            how = bool(flags & _EXECUTABLE), bool(flags & _WRITABLE)
            found.append(Segment(start, size, offset, file_size, *how))
    return sorted(found, key=lambda segment: segment.start)


def address_of(probe: Path, symbol: str) -> int:
    """The address of one of a probe's own names, which ring 3 does not know by itself."""
    return SymbolTable.load(probe).address(symbol)


def drawn_bytes(seed: int, length: int) -> bytes:
    """A secret for this run."""
    return random.Random(seed).randbytes(length)


def drawn_word(seed: int) -> int:
    """A secret of 32 bits."""
    return int.from_bytes(drawn_bytes(seed, 4), "little")


def plant(machine: Machine, symbol: str, program: str, data: bytes, cr3: int | None = None) -> None:
    """Write a variable of a program from outside, in the address space that runs, or in that of `cr3`."""
    machine.write_virtual(machine.symbol(symbol, program), data, cr3)


def expect_out_of_reach(machine: Machine, cr3: int | None = None) -> None:
    """Fail when ring 3 can reach a page of PrivUser, or when there is none."""
    pages = machine.mappings(cr3, start=PRIVUSER_START, end=PRIVUSER_END)
    assert pages, "a process of a program with a PrivUser has no page between 0xa0000000 and 0xa0400000"
    for page in pages:
        assert not page.user, (
            f"ring 3 can reach PrivUser's page at {page.virtual:#010x}: the page tables give it U/S = 1"
        )


def word(value: int) -> bytes:
    """A 32-bit number as it lies in memory."""
    return (value & 0xFFFFFFFF).to_bytes(4, "little")


def faults_in_privuser(serial: bytes) -> list[tuple[str, int, str]]:
    """(program, vector, exception) of every process that the kernel says it ended in PrivUser."""
    return [(name.decode(), int(vector), what.decode()) for _, name, vector, what in _LINE.findall(serial)]


def expect_fault_lines(serial: bytes, program: str, wanted: Sequence[tuple[int, str]]) -> None:
    """Fail with the first line about a fault that is not as it must be. `wanted`: (vector, exception) of each."""
    lines = [line.decode("ascii", "replace") for line in serial.splitlines() if line.startswith(b"fault:")]
    for number, (vector, name) in enumerate(wanted):
        said = f"'{lines[number]}'" if number < len(lines) else "nothing"
        right = f"({program}) vector {vector} ({name}) in PrivUser"
        exact = re.fullmatch(rf"'fault: process \d+ {re.escape(right)}'", said)
        assert exact, f"of a fault in ring 2 the console says {said} instead of 'fault: process <pid> {right}'"
    more = lines[len(wanted) :]
    assert not more, f"the console tells of a fault that no process had: '{more[0]}'"
    expect_no_address(serial)


def expect_no_address(serial: bytes) -> None:
    """Fail when the kernel has printed a number that is an address in PrivUser. What probes report is drawn."""
    for line in serial.splitlines():
        shown = not line.startswith(b"probe ") and _ADDRESS.search(line)
        assert not shown, f"the console shows an address in PrivUser: '{line.decode('ascii', 'replace')}'"


def mix(secret: int, a: int, b: int, c: int, d: int) -> int:
    """`calls_mix` of the probe `calls`."""
    return (a + 3 * b + 5 * c + 7 * d + secret) & 0x7FFFFFFF


def compute(secret: int, rounds: int, value: int) -> int:
    """`calls_compute` of the probe `calls`."""
    found = value & 0xFFFFFFFF
    for index in range(rounds):
        found = ((found ^ index) * 0x01000193 + (found >> 13) + secret) & 0xFFFFFFFF
    return found & 0x7FFFFFFF


TURNS = 12
"""Of the role `turns` of the probe `calls`."""


def turns(secret: int, number: int, rounds: int) -> int:
    """What comes of that role, for the process with this number and this secret."""
    value = number
    for turn in range(TURNS):
        value = compute(secret, rounds if turn % 4 == 0 else 2, value)
    return value
