"""The loader: programs from files that lie. Each damaged file differs in one place from one that runs."""

import struct

from grader.machine.witness import BOTH
from grader.testing.boots import Boots
from grader.testing.plugin import graded

KBASE = 0xC0000000
STARTED = 1
E_MEMORY, E_FORMAT = -3, -13
ENTRY, DATA = 0x00400000, 0x00500000
EXECUTE, WRITE, READ = 1, 2, 4
LOAD, DYNAMIC, INTERPRETER, NOTE = 1, 2, 3, 4

# mov ebx, [DATA]; inc dword [DATA + 4]; add ebx, [DATA + 4]; xor eax, eax; int 0x80: exit(sum of what is there)
CODE = bytes.fromhex("8b1d00005000 ff0504005000 031d04005000 31c0 cd80")
CODE_OFFSET = 256
STATUS = 1234


def header(**changes: int) -> bytes:
    """An ELF header, as bytes."""
    fields: dict[str, int | bytes] = {
        "ident": b"\x7fELF\x01\x01\x01" + bytes(9),
        "type": 2,
        "machine": 3,
        "version": 1,
        "entry": ENTRY,
        "phoff": 52,
        "shoff": 0,
        "flags": 0,
        "ehsize": 52,
        "phentsize": 32,
        "phnum": 2,
        "shentsize": 0,
        "shnum": 0,
        "shstrndx": 0,
        **changes,
    }
    return struct.pack("<16sHHIIIIIHHHHHH", *fields.values())


def segment(**changes: int) -> bytes:
    """A program header, as bytes."""
    fields = {
        "type": LOAD,
        "offset": CODE_OFFSET,
        "vaddr": ENTRY,
        "paddr": 0,
        "filesz": len(CODE),
        "memsz": len(CODE),
        "flags": READ | EXECUTE,
        "align": 4096,
        **changes,
    }
    return struct.pack("<8I", *fields.values())


TEXT = segment()
NUMBERS = struct.pack("<I", STATUS - 1)
DATA_OFFSET = CODE_OFFSET + len(CODE)
VARIABLES_FIELDS = {"offset": DATA_OFFSET, "vaddr": DATA, "filesz": 4, "memsz": 8, "flags": READ | WRITE}
VARIABLES = segment(**VARIABLES_FIELDS)


def program(head: bytes | None = None, segments: tuple[bytes, ...] = (TEXT, VARIABLES)) -> bytes:
    """A file with these headers, code and data."""
    table = (head or header(phnum=len(segments))) + b"".join(segments)
    return table.ljust(CODE_OFFSET, b"\0") + CODE + NUMBERS


def ident(position: int, value: int) -> bytes:
    """A header whose identification has another byte somewhere."""
    good = bytearray(header())
    good[position] = value
    return bytes(good)


def data(**changes: int) -> bytes:
    """A file whose second segment is changed."""
    return program(segments=(TEXT, segment(**{**VARIABLES_FIELDS, **changes})))


DAMAGED = {
    "empty": b"",
    "short": program()[:51],
    "magic": program(ident(0, 0x7E)),
    "64-bit": program(ident(4, 2)),
    "big-endian": program(ident(5, 2)),
    "ident-version": program(ident(6, 0)),
    "object": program(header(type=1)),
    "shared": program(header(type=3)),
    "machine": program(header(machine=62)),
    "version": program(header(version=2)),
    "phentsize": program(header(phentsize=56)),
    "phoff": program(header(phoff=len(program()) - 63)),
    "phoff-wraps": program(header(phoff=0xFFFFFFF0)),
    "phnum": program(header(phnum=0xFFFF)),
    "no-segment": program(header(phnum=0)),
    "entry-outside": program(header(entry=0x00300000)),
    "entry-kernel": program(header(entry=KBASE + 0x100000)),
    "entry-in-data": program(header(entry=DATA)),
    "entry-past": program(header(entry=ENTRY + len(CODE))),
    "dynamic": data(type=DYNAMIC),
    "interpreter": data(type=INTERPRETER),
    "file-past-end": data(filesz=8),
    "offset-past-end": data(offset=0x10000),
    "offset-wraps": data(offset=0xFFFFFFFC),
    "file-longer": data(filesz=4, memsz=3),
    "in-kernel": data(vaddr=KBASE + 0x100000),
    "into-kernel": data(vaddr=KBASE - 4),
    "address-wraps": data(vaddr=0xFFFFFFFC),
    "page-zero": data(vaddr=0),
    "on-the-stack": data(vaddr=0xBFFFD000),
    "guard-page": data(vaddr=0xBFFF9000),
    "overlap": data(vaddr=ENTRY + 64),
    "length-wraps": data(memsz=0xFFFFFFFF),
}


@graded(
    stage=3,
    points=4,
    handout="loader",
    usually="a number is used before it is checked, or a sum wraps around",
    witnesses=BOTH,
)
def test_a_damaged_program_is_refused_whatever_is_damaged(boot: Boots) -> None:
    """Any file may be named as a program: every number in it may be a lie, and none may harm the kernel."""
    files = {f"elf-{name}": content for name, content in DAMAGED.items()}
    files["elf-good"] = program()
    machine = boot("load", files=files, guest_seconds=4)
    report = machine.finish()
    expected = dict.fromkeys(DAMAGED, E_FORMAT)
    assert {name: report.signed(name[:15]) for name in DAMAGED} == expected
    assert report["good"] == STARTED


@graded(stage=3, points=2, handout="loader", usually="what was mapped before the failure is not freed", witnesses=BOTH)
def test_a_program_larger_than_memory_is_an_error_and_leaves_nothing(boot: Boots) -> None:
    """A segment of a gigabyte is out of memory; afterwards as many frames are free as if nobody had tried."""
    note = segment(type=NOTE, offset=0xFFFFFFFF, vaddr=0, memsz=0xFFFFFFFF)
    files = {
        "elf-a-good": program(),
        "elf-b-huge": data(memsz=0x40000000),
        "elf-c-good": program(),
        "elf-d-note": program(segments=(TEXT, VARIABLES, note)),
    }
    machine = boot("load", files=files, guest_seconds=6)
    machine.run_to("main", program="load")
    before = machine.read_variable("free_count")
    report = machine.finish()
    assert report.signed("b-huge") == E_MEMORY
    assert [report[name] for name in ("a-good", "c-good", "d-note")] == [STARTED] * 3
    assert report.all("status") == [STATUS] * 3
    assert machine.read_variable("free_count") == before
