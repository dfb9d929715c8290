"""Stage 1: a process's PrivUser is there, is its own, and is out of ring 3's reach, from the first instruction to the
reuse of its memory.
"""

from __future__ import annotations

import struct
from collections.abc import Collection

from demands import come_to, expect_ends, expect_errors, expect_returns, finish, listed, result_in_words
from privuser import (
    DONE,
    KBASE,
    PAGE,
    PAGE_FAULT,
    PRIVUSER_END,
    PRIVUSER_START,
    Segment,
    address_of,
    drawn_bytes,
    expect_out_of_reach,
    plant,
    segments_of,
)

from grader.builds.build import Build
from grader.machine import Machine
from grader.machine.diagnosis import FaultLine, fault_lines
from grader.machine.secrecy import kept_secret
from grader.testing.boots import Boots, program
from grader.testing.kernel_error import KILLED_STATUS, KernelError
from grader.testing.message import must
from grader.testing.plugin import graded

PROBE = "pages"
USER, WRITE, PRESENT = 4, 2, 1

TOUCHES = {
    "read-code": "read PrivUser's code",
    "write-code": "wrote to PrivUser's code",
    "jump-code": "jumped into PrivUser's code",
    "read-data": "read a variable of PrivUser",
    "write-data": "wrote to a variable of PrivUser",
    "jump-data": "jumped to a variable of PrivUser",
    "read-own": "read a variable of its own",
    "write-own": "wrote to a variable of its own",
    "jump-own": "jumped to a function of its own",
}
"""What the role `touch` of probes/pages.c has done in ring 3."""

LIES = {
    "other-magic": "whose PrivUser header has another magic number",
    "entry-zero": "whose PrivUser header has 0 as its entry",
    "entry-in-data": "whose PrivUser header has a variable as its entry",
    "entry-below": "whose PrivUser header has its entry in ring 3's code",
    "entry-in-kernel": "whose PrivUser header has its entry in the kernel",
    "entry-after": "whose PrivUser header has its entry where PrivUser has no segment",
    "half-out": "with a segment that begins in PrivUser and ends after it",
    "no-header": "whose only segment in PrivUser is its variables, so that there is no header",
    "header-moved": "whose segment with the PrivUser header begins 1 MB too late",
}
"""What is wrong with the programs that the role `formats` tries to start."""

MAPS = {
    "map-hole": "of the first free page in PrivUser",
    "map-last": "of PrivUser's last page",
    "map-into": "of the page before PrivUser and 1 byte more",
    "map-out-of": "of PrivUser's last page and the one after it",
    "map-around": "of all PrivUser and a page on each side",
    "map-all": "of all PrivUser",
    "unmap-first": "of PrivUser's first page",
    "unmap-data": "of PrivUser's last page of variables",
    "unmap-all": "of all pages that PrivUser has",
    "unmap-into": "of the page before PrivUser and the first one in it",
    "below": "memory_map, of the page before PrivUser,",
    "after": "memory_map, of the page after PrivUser,",
    "unmap-below": "memory_unmap, of the page before PrivUser,",
    "unmap-after": "memory_unmap, of the page after PrivUser,",
}
"""What the role `map` asks for."""


def segments(build: Build) -> list[Segment]:
    """What the probe's file has for PrivUser: first code and constants, then variables."""
    return segments_of(program(build.probes[PROBE]))


def look(machine: Machine) -> int:
    """Run to the next place where a process of the probe is to be looked at; returns its address space."""
    come_to(machine, "look_here", PROBE, "the next place of the test's program, which has a PrivUser,")
    return machine.registers().cr3


@graded(
    stage=1,
    points=3,
    handout="privusers-pages",
    usually="the loader maps PrivUser's segments like all others: with U/S",
    schedules=True,
)
def test_privusers_pages_are_the_supervisors(boot: Boots, build: Build) -> None:
    """PrivUser holds what the program's file says, in pages of the supervisor's: code read-only, variables writable."""
    machine = boot(PROBE, role="copies")
    look(machine)
    registers = machine.registers()
    must(registers.cpl, 3, "a program's main function runs at CPL")
    assert registers.write_protect, "CR0.WP is 0: rings 0 to 2 write to read-only pages as if they were not"
    expect_out_of_reach(machine)
    file = program(build.probes[PROBE])
    for segment in segments(build):
        content = file[segment.offset : segment.offset + segment.file_size].ljust(segment.size, b"\0")
        for page_address in segment.pages():
            walk = machine.walk(page_address)
            assert walk.present, f"a page that the file has in PrivUser is not there: {walk}"
            what, how = ("variables", "writable") if segment.writable else ("code and constants", "read-only")
            right = walk.writable == segment.writable
            assert right, f"a page of PrivUser's {what} is not {how}: {walk}"
        wrong = machine.read_virtual(segment.start, segment.size) != content
        assert not wrong, f"PrivUser from {segment.start:#010x} on does not hold what the file has there"
    children = {"first": DONE, "second": DONE}
    ended = finish(machine, "the end of three processes of a program with a PrivUser")
    expect_ends(ended, "a process of a program with a PrivUser, which touches nothing of it, ended", children)


@graded(
    stage=1,
    points=4,
    handout="privusers-pages",
    usually="the pages of PrivUser's segments have the user bit",
    schedules=True,
)
def test_ring_3_cannot_read_write_or_jump_into_privuser(boot: Boots, build: Build) -> None:
    """Ring 3 gets a page fault (error codes 5, 7, 5) wherever it touches PrivUser, and keeps the use of its own."""
    data = address_of(build.probes[PROBE], "pages_secret")
    machine = boot(PROBE, role="touch", a=hex(data))
    report = finish(machine, "the end of nine processes that touch PrivUser, or what is their own,")
    attacks = ["read-code", "write-code", "jump-code", "read-data", "write-data", "jump-data"]
    clause = "a process in ring 3 that {} ended"
    expect_ends(report, clause, dict.fromkeys(attacks, PAGE_FAULT), TOUCHES)
    expect_ends(report, clause, {"read-own": 42, "write-own": DONE, "jump-own": DONE}, TOUCHES)
    lines = iter(fault_lines(machine.serial))
    for attack, place in zip(attacks, [PRIVUSER_START] * 3 + [data] * 3, strict=True):
        code = USER | PRESENT | (WRITE if attack.startswith("write") else 0)
        clause = f"of a process in ring 3 that {TOUCHES[attack]} the console tells"
        must(fault_in_words(next(lines, None)), f"vector 14, error code {code}, CR2 {place:#010x}", clause)


def fault_in_words(line: FaultLine | None) -> str:
    """What the console tells of a fault, as far as it is looked at here."""
    return f"vector {line.vector}, error code {line.error_code}, CR2 {line.cr2:#010x}" if line else "nothing"


@graded(
    stage=1,
    points=2,
    handout="privusers-pages",
    usually="processes of one program share the frames of variables",
    schedules=True,
)
def test_every_process_has_a_privuser_of_its_own(boot: Boots, build: Build) -> None:
    """Three processes of one program have three copies of its PrivUser's variables, whatever else they share."""
    machine = boot(PROBE, role="copies")
    spaces = [look(machine) for _ in range(3)]
    must(len(set(spaces)), 3, "the number of address spaces (CR3) of three processes that are alive at once is")
    for space in spaces:
        expect_out_of_reach(machine, space)
    pages = [page for segment in segments(build) if segment.writable for page in segment.pages()]
    frames = [machine.walk(page, cr3).physical for cr3 in spaces for page in pages]
    assert None not in frames, "one of three processes of a program has not all the pages of its PrivUser's variables"
    shared = len(frames) - len(set(frames))
    assert not shared, f"two processes of one program have {shared} frames of their PrivUsers' variables in common"
    report = finish(machine, "the end of three processes of one program")
    expect_ends(report, "of three processes of one program the {} child ended", {"first": DONE, "second": DONE})


@graded(
    stage=1,
    points=3,
    handout="the-header",
    usually="the header is believed: the gate would lead wherever it says",
)
def test_a_header_that_lies_is_refused(boot: Boots, build: Build) -> None:
    """A program whose PrivUser has another magic number, an entry outside of PrivUser's code, no header where it must
    be, or a segment half outside, is E_FORMAT.
    """
    original = program(build.probes[PROBE])
    code = segments(build)[0]
    entries = {
        "entry-zero": 0,
        "entry-in-data": address_of(build.probes[PROBE], "pages_secret"),
        "entry-below": address_of(build.probes[PROBE], "main"),
        "entry-in-kernel": KBASE + 0x100000,
        "entry-after": PRIVUSER_END - 16,
    }

    def with_word(place: int, value: int) -> bytes:
        at = code.offset + place
        return original[:at] + struct.pack("<I", value) + original[at + 4 :]

    files = {"right": original, "other-magic": with_word(0, 0x56495251)}
    files |= {name: with_word(4, entry) for name, entry in entries.items()}
    files["header-moved"] = with_segment(original, code.start, start=code.start + (1 << 20))
    files["no-header"] = with_segment(original, code.start, kind=0)
    own = address_of(build.probes[PROBE], "probe_log")
    files["half-out"] = with_segment(original, own, start=PRIVUSER_END - 8)
    machine = boot(PROBE, role="formats", files=files, guest_seconds=6)
    report = finish(machine, "the end of spawns of programs whose header or segments lie")
    expect_ends(
        report, "the process of a program on the disk, with a PrivUser that is as it must be, ended", {"right": DONE}
    )
    for name, lie in LIES.items():
        found = report[name]
        did = f"returned {result_in_words(found)}" if found in set(KernelError) else "started it"
        assert found == KernelError.E_FORMAT, f"spawn, of a program {lie}, {did} instead of returning E_FORMAT"


def with_segment(file: bytes, address: int, *, kind: int = 1, start: int | None = None) -> bytes:
    """An ELF file whose segment with this address is of another kind (0: none), or begins elsewhere."""
    table, count = struct.unpack_from("<I", file, 28)[0], struct.unpack_from("<H", file, 44)[0]
    for at in range(table, table + 32 * count, 32):
        _, offset, old, physical, in_file, size, flags, alignment = struct.unpack_from("<8I", file, at)
        if old <= address < old + size:
            place = old if start is None else start
            entry = struct.pack("<8I", kind, offset, place, physical, in_file, size, flags, alignment)
            return file[:at] + entry + file[at + len(entry) :]
    raise AssertionError(f"the probe has no segment at {address:#010x}")


@graded(
    stage=1,
    points=3,
    handout="no-way-in-by-memory_map",
    usually="memory_map looks only for pages that are there already",
    schedules=True,
)
def test_ring_3_gets_no_page_in_privuser(boot: Boots, build: Build) -> None:
    """memory_map and memory_unmap have nothing to do in PrivUser, its holes and its edges included; beside it they
    work.
    """
    end = max(segment.pages()[-1] for segment in segments(build)) + PAGE
    machine = boot(PROBE, role="map", a=hex(end))
    look(machine)
    before = machine.mappings(end=KBASE)
    look(machine)
    after = machine.mappings(end=KBASE)
    changed = {page.virtual for page in before} ^ {page.virtual for page in after}
    report = finish(machine, "the end of maps and unmaps in PrivUser and beside it")
    refused = ["map-hole", "map-last", "map-into", "map-out-of", "map-around", "map-all"]
    expect_errors(report, "memory_map, {}, returned", refused, MAPS)
    expect_errors(report, "memory_unmap, {}, returned", ["unmap-first", "unmap-data", "unmap-all", "unmap-into"], MAPS)
    pages = listed(map(hex, sorted(changed)))
    assert not changed, (
        f"memory_map and memory_unmap in PrivUser returned errors, but these pages came or went: {pages}"
    )
    expect_returns(report, "{} returned", dict.fromkeys(["below", "after", "unmap-below", "unmap-after"], 0), MAPS)
    for place, value in (("below", machine.nonce), ("after", machine.nonce + 1 & 0xFFFFFFFF)):
        where = "before" if place == "below" else "after"
        must(
            report[f"in-{place}"], value, f"a word written to the page right {where} PrivUser, which was mapped, reads"
        )


@graded(
    stage=1,
    points=3,
    handout="life-and-death",
    usually="PrivUser's frames are never freed, or freed with what is in them",
)
def test_whoever_gets_a_dead_privusers_memory_finds_it_empty(boot: Boots, build: Build, seed: int) -> None:
    """The frames of a PrivUser are used again after its process's end, by many more, and nobody finds the secret."""
    secret = drawn_bytes(seed, 16)
    machine = boot(PROBE, role="reuse", memory_mb=8, guest_seconds=6)
    pages = [page for segment in segments(build) if segment.writable for page in segment.pages()]
    frames = set()
    for end in ("exited", "was killed", "faulted"):
        keeper = look(machine)
        expect_out_of_reach(machine)
        plant(machine, "pages_secret", PROBE, secret)
        machine.write_virtual(machine.symbol("pages_filler", PROBE), secret * (3 * PAGE // 16))
        frames |= {machine.walk(page, keeper).physical for page in pages}
        expect_nothing_of(machine, secret, look(machine), frames, end)
    for space in (look(machine), look(machine)):
        expect_nothing_of(machine, secret, space, frames, "ended")
    report = finish(machine, "the end of 25 processes after those that had a secret in PrivUser")
    ends = {"exits": DONE, "is-killed": KILLED_STATUS, "faults": PAGE_FAULT}
    expect_ends(report, "a process with a secret in PrivUser that {} ended", ends, {"is-killed": "is killed"})
    clause = "of 25 more processes, one after the other, the number that could be started and ended by themselves is"
    must(report["right"], 25, clause)


def expect_nothing_of(machine: Machine, secret: bytes, space: int, frames: Collection[int | None], end: str) -> None:
    """Fail when an address space has one of the frames, with the secret of the process that ended."""
    for page in machine.mappings(space, end=KBASE):
        if page.physical in frames:
            found = secret in machine.read_physical(page.physical, PAGE)
            where = f"a page that ring 3 of another process got later, at {page.virtual:#010x}"
            assert not found, f"a secret in the PrivUser of a process that {end} lies in {where}"


@graded(
    stage=1, points=2, handout="life-and-death", usually="PrivUser's frames are mapped for ring 3 somewhere else too"
)
def test_no_secret_lies_where_ring_3_can_read(boot: Boots, seed: int) -> None:
    """Whatever a program does, a secret in its PrivUser is in no page that ring 3 of any process can read, nor on the
    console.
    """
    secret = drawn_bytes(seed, 16)
    machine = boot(PROBE, role="live")
    look(machine)
    expect_out_of_reach(machine)
    plant(machine, "pages_secret", PROBE, secret)
    for _ in range(2):
        look(machine)
        kept_secret(machine, secret)
    kept = machine.read_virtual(machine.symbol("pages_secret", PROBE), 16)
    assert kept == secret, "a secret in a process's PrivUser has changed, although nobody wrote there"
    report = finish(machine, "the end of a program with a secret in PrivUser")
    kept_secret(machine, secret)
    expect_returns(report, "memory_map, of 16 pages of ordinary memory, returned", {"mapped": 0})
    expect_ends(report, "a process in ring 3 that read PrivUser's code ended", {"fault": PAGE_FAULT})
    expect_ends(report, "a child with a PrivUser, which touches nothing of it, ended", {"child": DONE})
    said = result_in_words(report["listed"])
    assert 2 <= report["listed"] <= 8, f"list_processes, with two processes alive and room for 8, returned {said}"
