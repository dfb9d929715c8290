"""Where a secret can be seen: in memory that ring 3 can read, in any address space, on the serial line, in registers.

    secret = random.Random(seed).randbytes(16)
    machine.write_virtual(machine.symbol("key", "vault"), secret)     # planted from outside
    machine.run_to("after_privcall", program="probe")
    kept_secret(machine, secret)                # fails the test with each place, the most telling first
    leaks = places_of(machine, secret)          # the same as data

Address spaces are the present one and those of the kernel's list of processes, where that can be read. A place is
found when `PIECE` bytes of the secret in a row are there, wherever they begin and across the borders of pages; below
the user's stack pointer, where pushes leave single words, four bytes are enough. Whatever lies above that is found
with all other memory. A frame that several address spaces map is read once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from grader.machine.faults import NotAsRequired, UnreadableMemory
from grader.machine.paging import FRAME, PAGE_BYTES, large_pages_enabled, mappings, rights
from grader.machine.paging import Mapping as PageMapping
from grader.machine.symbols import SymbolMissing

if TYPE_CHECKING:
    from grader.machine.machine import Machine

PIECE = 8
"""Bytes of a secret in a row that are no accident."""

WORD = 4
BELOW_STACK = 4 * PAGE_BYTES
"""Bytes below the stack pointer in which words are looked for."""

USER_END = 0xC0000000
_PIECES_MAX = 32  # of a long secret: then a leak of so many bytes as lie between two pieces is found
_AT_ONCE = 64  # frames read by one request
_PLACES_SHOWN = 12


@dataclass(frozen=True)
class Leak:
    """A place where a secret, or a piece of it, was found."""

    where: str
    """The kind of place, in words: `memory that ring 3 can read`, `the serial line`, `register ecx`."""
    address: int = 0
    """Virtual, or the offset in the serial output."""
    process: str = ""
    rights: str = ""
    frame: int | None = None

    def __str__(self) -> str:
        if self.frame is None:
            return self.where
        return f"{self.where} at {self.address:#010x} of {self.process} ({self.rights}, frame {self.frame:#010x})"


def kept_secret(machine: Machine, secret: bytes, what: str = "the secret") -> None:
    """Fail the test when it can be seen anywhere. Raises NotAsRequired."""
    leaks = places_of(machine, secret)
    if leaks:
        more = len(leaks) - _PLACES_SHOWN
        lines = [f"{what} is in {leak}" for leak in leaks[:_PLACES_SHOWN]] + [f"... and {more} more"] * (more > 0)
        raise NotAsRequired("\n".join(lines))


def places_of(machine: Machine, secret: bytes) -> list[Leak]:
    """Everywhere that a secret of 4 bytes or more can be seen where the machine is stopped now."""
    return [
        *in_registers(machine, secret),
        *on_serial(machine, secret),
        *below_stack(machine, secret),
        *in_memory(machine, secret),
    ]


def pieces_of(secret: bytes, length: int = PIECE) -> list[bytes]:
    """Pieces, one of which every leak of some length holds; each once."""
    if len(secret) <= length:
        return [secret]
    stride = max(1, len(secret) // _PIECES_MAX)
    starts = [*range(0, len(secret) - length, stride), len(secret) - length]
    return list(dict.fromkeys(secret[start : start + length] for start in starts))


def in_registers(machine: Machine, secret: bytes) -> list[Leak]:
    """General registers that hold four bytes of it in a row."""
    words = {int.from_bytes(piece, "little") for piece in pieces_of(secret, WORD)}
    found = [(name, value) for name, value in machine.registers().general().items() if value in words]
    return [Leak(f"register {name.upper()} ({value:#010x})") for name, value in found]


def on_serial(machine: Machine, secret: bytes) -> list[Leak]:
    """The serial output, as it is or in hexadecimal digits, with blanks between them or not."""
    said = machine.serial
    digits = b"".join(said.split()).lower()
    for piece in pieces_of(secret):
        if piece in said:
            return [Leak(f"the serial output, at byte {said.index(piece)}", said.index(piece))]
        if piece.hex().encode() in digits:
            return [Leak("the serial output, in hexadecimal digits")]
    return []


def below_stack(machine: Machine, secret: bytes) -> list[Leak]:
    """Words of it below the stack pointer of ring 3, where the machine is stopped in ring 3."""
    now = machine.registers()
    if now.cpl != 3:
        return []
    start = max(0, now.esp - BELOW_STACK)
    pages = [page for page in machine.mappings(start=start & FRAME, end=now.esp) if page.user]
    frames = _frames(machine, pages)
    process = _present(machine)
    found = []
    for first, data in _stretches(pages, frames):
        left, right = max(0, start - first), now.esp - first
        offset = min(
            (at for piece in pieces_of(secret, WORD) if (at := data.find(piece, left, right)) >= 0), default=-1
        )
        if offset >= 0:
            where = f"the stack, {now.esp - first - offset} bytes below the stack pointer,"
            found.append(_leak(where, first + offset, process, pages))
    return found


def in_memory(machine: Machine, secret: bytes) -> list[Leak]:
    """Memory that ring 3 can read in any address space; each frame is named once."""
    spaces = address_spaces(machine)
    mapped = {cr3: _readable(machine, cr3) for cr3 in spaces}
    frames = _frames(machine, [page for pages in mapped.values() for page in pages])
    pieces = pieces_of(secret)
    found: dict[int | None, Leak] = {}
    for cr3, pages in mapped.items():
        for first, data in _stretches(pages, frames):
            for piece in pieces:
                offset = data.find(piece)
                while offset >= 0:
                    leak = _leak("memory that ring 3 can read", first + offset, spaces[cr3], pages)
                    found.setdefault(leak.frame, leak)
                    offset = data.find(piece, (offset & FRAME) + PAGE_BYTES)
    return list(found.values())


def address_spaces(machine: Machine) -> dict[int, str]:
    """Page directories by their physical address, each with whose it is: the present one, and all of the kernel's."""
    spaces = {machine.registers().cr3 & FRAME: _present(machine)}
    try:
        for pointer in machine.read_variable("processes"):
            if pointer:
                process = machine.read_struct("process_t", pointer)
                directory = int(process["context"]["page_directory"]) & FRAME
                spaces.setdefault(directory, f"{process['name']} (process {process['pid']})")
    except (UnreadableMemory, SymbolMissing, KeyError, TypeError, ValueError):
        pass  # a kernel that keeps its processes otherwise: the present address space has to do
    return spaces


def _present(machine: Machine) -> str:
    running = machine.running_process()
    return f"{running[1]} (process {running[0]})" if running else "what runs now"


def _readable(machine: Machine, cr3: int) -> list[PageMapping]:
    try:
        large = large_pages_enabled(machine.registers().cr4)
        pages = mappings(machine.read_physical, cr3, large_pages=large, only_user=True)
        return [page for page in pages if page.user]
    except UnreadableMemory:
        return []  # the list names a directory that is none


def _frames(machine: Machine, pages: Sequence[PageMapping]) -> dict[int, bytes]:
    """Contents by the physical address of each 4 KB, neighbours read together."""
    wanted = sorted(
        {frame for page in pages for frame in range(page.physical, page.physical + page.page_bytes, PAGE_BYTES)}
    )
    frames: dict[int, bytes] = {}
    run: list[int] = []
    for frame, following in pairwise([*wanted, -1]):
        run.append(frame)
        if following != frame + PAGE_BYTES or len(run) == _AT_ONCE:
            frames |= _contents(machine, run)
            run = []
    return frames


def _contents(machine: Machine, run: Sequence[int]) -> Mapping[int, bytes]:
    try:
        data = machine.read_physical(run[0], len(run) * PAGE_BYTES)
    except UnreadableMemory:
        return {}  # mapped to where no memory answers
    return {frame: data[index * PAGE_BYTES : (index + 1) * PAGE_BYTES] for index, frame in enumerate(run)}


def _stretches(pages: Sequence[PageMapping], frames: Mapping[int, bytes]) -> Iterator[tuple[int, bytes]]:
    """(first address, contents) of pages that follow one another, as ring 3 would read them in one go."""
    parts: list[bytes] = []
    first, end = 0, -1
    for page in pages:
        for offset in range(0, page.page_bytes, PAGE_BYTES):
            data = frames.get(page.physical + offset)
            if data is None:
                continue
            if page.virtual + offset != end:
                if parts:
                    yield first, b"".join(parts)
                first, parts = page.virtual + offset, []
            parts.append(data)
            end = page.virtual + offset + PAGE_BYTES
    if parts:
        yield first, b"".join(parts)


def _leak(where: str, address: int, process: str, pages: Sequence[PageMapping]) -> Leak:
    page = next(page for page in pages if page.virtual <= address < page.virtual + page.page_bytes)
    frame = (page.physical + address - page.virtual) & FRAME
    return Leak(where, address, process, rights(page.writable, page.user), frame)
