"""Stage 1: a process's PrivUser is there, is its own, and is out of ring 3's reach, from the first instruction to the
reuse of its memory.
"""

from __future__ import annotations

import struct
from collections.abc import Collection

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
    expect,
    expect_error,
    expect_out_of_reach,
    plant,
    segments_of,
)

from grader.builds.build import Build
from grader.machine import Machine
from grader.machine.diagnosis import fault_lines
from grader.machine.secrecy import kept_secret
from grader.testing.boots import Boots, program
from grader.testing.kernel_error import KILLED_STATUS, KernelError
from grader.testing.plugin import graded

PROBE = "pages"
USER, WRITE, PRESENT = 4, 2, 1


def segments(build: Build) -> list[Segment]:
    """What the probe's file has for PrivUser: first code and constants, then variables."""
    return segments_of(program(build.probes[PROBE]))


def look(machine: Machine) -> int:
    """Run to the next place where a process of the probe is to be looked at; returns its address space."""
    machine.run_to("look_here", program=PROBE)
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
    assert registers.cpl == 3
    assert registers.write_protect, "CR0.WP is 0: rings 0 to 2 write to read-only pages as if they were not"
    expect_out_of_reach(machine)
    file = program(build.probes[PROBE])
    for segment in segments(build):
        content = file[segment.offset : segment.offset + segment.file_size].ljust(segment.size, b"\0")
        for page_address in segment.pages():
            walk = machine.walk(page_address)
            assert walk.present, f"a page of PrivUser is missing: {walk}"
            assert walk.writable == segment.writable, f"a page of PrivUser has the wrong protection: {walk}"
        wrong = machine.read_virtual(segment.start, segment.size) != content
        assert not wrong, f"PrivUser from {segment.start:#010x} on does not hold what the file has there"
    expect(
        machine.finish(), "the program itself ran, but its children ended otherwise", {"first": DONE, "second": DONE}
    )


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
    report = machine.finish()
    attacks = ["read-code", "write-code", "jump-code", "read-data", "write-data", "jump-data"]
    expect(report, "ring 3 touched PrivUser", dict.fromkeys(attacks, PAGE_FAULT))
    expect(report, "a program used its own memory", {"read-own": 42, "write-own": DONE, "jump-own": DONE})
    seen = [(line.vector, line.error_code, line.cr2) for line in fault_lines(machine.serial)]
    wanted = [
        (14, code, place)
        for place in (PRIVUSER_START, data)
        for code in (USER | PRESENT, USER | WRITE | PRESENT, USER | PRESENT)
    ]
    assert seen == wanted, f"(vector, error code, CR2) of the faults: {seen}, wanted {wanted}"


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
    assert len(set(spaces)) == 3
    for space in spaces:
        expect_out_of_reach(machine, space)
    pages = [page for segment in segments(build) if segment.writable for page in segment.pages()]
    frames = [machine.walk(page, cr3).physical for cr3 in spaces for page in pages]
    assert None not in frames, "a process lacks a page of its PrivUser's variables"
    assert len(set(frames)) == len(frames), "two processes share a frame of their PrivUsers' variables"
    expect(machine.finish(), "three processes at once", {"first": DONE, "second": DONE})


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
    report = boot(PROBE, role="formats", files=files, guest_seconds=6).finish()
    expect(report, "a program as it is", {"right": DONE})
    lies = dict.fromkeys(files.keys() - {"right"}, int(KernelError.E_FORMAT))
    expect(report, "spawn of a program whose header or segments lie", lies)


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
    report = machine.finish()
    refused = ["map-hole", "map-last", "map-into", "map-out-of", "map-around", "map-all"]
    expect_error(report, "memory_map in PrivUser", refused)
    expect_error(report, "memory_unmap in PrivUser", ["unmap-first", "unmap-data", "unmap-all", "unmap-into"])
    assert not changed, f"refused, but pages came or went: {', '.join(map(hex, sorted(changed)))}"
    expect(report, "memory_map beside PrivUser", dict.fromkeys(["below", "after", "unmap-below", "unmap-after"], 0))
    assert (report["in-below"], report["in-after"]) == (machine.nonce, machine.nonce + 1 & 0xFFFFFFFF)


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
    report = machine.finish()
    ends = {"exits": DONE, "is-killed": KILLED_STATUS, "faults": PAGE_FAULT}
    expect(report, "the processes with the secret", ends)
    assert report["right"] == 25, f"of twenty-five more processes only {report['right']} could be started"


def expect_nothing_of(machine: Machine, secret: bytes, space: int, frames: Collection[int | None], end: str) -> None:
    """Fail when an address space has one of the frames, with the secret of the process that ended."""
    for page in machine.mappings(space, end=KBASE):
        if page.physical in frames:
            found = secret in machine.read_physical(page.physical, PAGE)
            assert not found, f"the secret of a process that {end} lies in another one's page: {page}"


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
    assert kept == secret, "the secret that was put into PrivUser is no longer there"
    report = machine.finish()
    kept_secret(machine, secret)
    expect(report, "an ordinary life", {"mapped": 0, "fault": PAGE_FAULT, "child": DONE})
    assert report["listed"] >= 2
