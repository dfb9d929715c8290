"""What an ELF file says of a program: symbols made by hand, types and lines as a compiler writes them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from grader.machine.faults import NotAsRequired
from grader.machine.symbols import SymbolMissing, SymbolTable, Types
from grader.tests.elf import Label, elf

LABELS = [
    Label("first", 0x1000, 0x20, 2),
    Label("routine", 0x1020),
    Label("routine.next", 0x1028, bind=0),
    Label("second", 0x1100, 0x10, 2),
    Label("hidden", 0x1200, 4, 2, bind=0),
    Label("hidden", 0x1300, 4, 2),
]


def test_addresses_by_name() -> None:
    """A global symbol before a local one of the same name."""
    table = SymbolTable(elf(LABELS))
    assert table.address("second") == 0x1100
    assert table.address("hidden") == 0x1300
    assert "third" not in table
    with pytest.raises(NotAsRequired, match="no symbol 'third'"):
        table.address("third")


def test_functions_by_address() -> None:
    """By size where there is one; a label of assembly reaches to the next; local labels belong to their routine."""
    table = SymbolTable(elf(LABELS))
    assert str(table.place(0x1004)) == "first+0x4"
    assert str(table.place(0x102C)) == "routine+0xc"
    assert str(table.place(0x1100)) == "second"
    assert table.place(0x1118).function == "routine"
    assert str(table.place(0x9000)) == "0x00009000"


def test_the_files_own_bytes() -> None:
    """At an address, and of a whole page."""
    table = SymbolTable(elf([], code=b"code" * 4, base=0x10010))
    assert table.code_at(0x10014, 4) == b"code"
    assert table.code_at(0x9000, 4) == b""
    assert table.page_of(0x10000) == (0x10010, b"code" * 4)
    assert table.page_of(0x11000)[1] == b""


@pytest.mark.parametrize("data", [b"", b"\x7fELF", b"garbage" * 100, elf(LABELS)[:300]])
def test_a_broken_file_has_no_symbols(data: bytes) -> None:
    """Hand-ins are never trusted to be well-formed."""
    table = SymbolTable(data)
    assert str(table.place(0x1000)) == "0x00001000"
    with pytest.raises(NotAsRequired):
        table.types.named("process_t")


SOURCE = r"""
typedef unsigned int uint32_t;
typedef enum { READY, RUNNING, ZOMBIE = 7 } state_t;
struct inner { short a; signed char b; unsigned low : 3, high : 13; };
typedef struct process {
    uint32_t pid;
    char name[16];
    state_t state;
    struct inner inner;
    unsigned char raw[3];
    union { int number; struct process *next; };
    int matrix[2][3];
    const void *channel;
} process_t;
process_t one = {5, "shell", ZOMBIE, {-2, -1, 5, 4097}, {1, 2, 3}, {-7}, {{1, 2, 3}, {4, 5, -6}}, 0};
process_t *processes[4] = {&one};
static volatile int counter = -3;
int touch(void) { return counter++; }
int second(int x)
{
    return x + touch();
}
"""


def cross_compiler() -> str:
    """Its path."""
    compiler = shutil.which("i686-linux-gnu-gcc") or shutil.which("i686-elf-gcc")
    if compiler is None:
        pytest.skip("no cross compiler")
    return compiler


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> SymbolTable:
    """The source, compiled with debug information."""
    compiler = cross_compiler()
    folder = tmp_path_factory.mktemp("compiled")
    (folder / "sample.c").write_text(SOURCE)
    options = [
        "-g",
        "-O0",
        "-ffreestanding",
        "-nostdlib",
        "-static",
        "-fno-pie",
        "-no-pie",
        "-Wl,-e,touch",
        "-Wl,-Ttext=0x400000",
    ]
    subprocess.run([compiler, *options, "-o", "sample.elf", "sample.c"], cwd=folder, check=True, capture_output=True)
    return SymbolTable((folder / "sample.elf").read_bytes(), name="sample", folder=folder / "cache")


def memory(table: SymbolTable, name: str) -> bytes:
    """A variable's bytes in the file."""
    address, kind = table.types.variable(name)
    return table.code_at(address, table.types.size(kind))


def test_a_variable_as_a_value(compiled: SymbolTable) -> None:
    """Numbers, text, enumerations by name, bit fields, anonymous unions, arrays of arrays, pointers."""
    types = compiled.types
    value = types.decode(types.variable("one")[1], memory(compiled, "one"))
    assert (value["pid"], value["name"]) == (5, "shell")
    assert (value["state"], value["state"].name) == (7, "ZOMBIE")
    assert value["inner"] == {"a": -2, "b": -1, "low": 5, "high": 4097}
    assert value["raw"] == b"\1\2\3"
    assert value["number"] == -7
    assert value["matrix"] == [[1, 2, 3], [4, 5, -6]]
    assert value["channel"] == 0


def test_pointers_and_names(compiled: SymbolTable) -> None:
    """An array of pointers; a type by its name; a field's offset, also in an anonymous union."""
    types = compiled.types
    pointers = types.decode(types.variable("processes")[1], memory(compiled, "processes"))
    assert pointers == [compiled.address("one"), 0, 0, 0]
    assert types.size(types.named("process_t")) == types.size(types.named("struct process"))
    assert types.offset(types.named("process_t"), "name") == 4
    assert types.offset(types.named("process_t"), "next") == types.offset(types.named("process_t"), "number")
    with pytest.raises(NotAsRequired, match="no field 'colour'"):
        types.offset(types.named("process_t"), "colour")


def test_a_static_variable(compiled: SymbolTable) -> None:
    """Of this file alone, and signed."""
    types = compiled.types
    assert types.decode(types.variable("counter")[1], memory(compiled, "counter")) == -3


def test_lines(compiled: SymbolTable) -> None:
    """Of a function's beginning and of its inside."""
    lines = SOURCE.split("\n")
    assert compiled.line_at(compiled.address("touch")) == (
        "sample.c",
        1 + lines.index("int touch(void) { return counter++; }"),
    )
    assert str(compiled.place(compiled.address("second") + 3)).startswith("second (sample.c:")


def test_what_was_read_is_kept(compiled: SymbolTable, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the file's content: another table of the same bytes reads no debug information again."""
    assert compiled.line_at(compiled.address("touch"))[1]

    def fail(_data: bytes) -> object:
        raise AssertionError("read again")

    monkeypatch.setattr("grader.machine.symbols._elf", fail)
    again = SymbolTable(compiled._data, folder=compiled._folder)
    assert again.line_at(again.address("touch")) == compiled.line_at(compiled.address("touch"))


def test_a_kept_file_that_is_damaged_is_read_again(compiled: SymbolTable) -> None:
    """The cache may be thrown away, or half written, at any time."""
    folder = compiled._folder
    assert folder is not None
    expected = compiled.line_at(compiled.address("touch"))
    for file in Path(folder).iterdir():
        file.write_text("{")
    again = SymbolTable(compiled._data, folder=folder)
    assert again.line_at(again.address("touch")) == expected


HOSTILE = {
    "empty": {"kind": "struct", "size": 0, "fields": []},
    "empties": {"kind": "array", "of": "empty", "counts": [0x7FFFFFFF]},
    "empty rows": {"kind": "array", "of": "empty", "counts": [0x7FFFFFFF, 0x7FFFFFFF]},
    "byte": {"kind": "base", "size": 1, "signed": False, "character": False},
    "bytes": {"kind": "array", "of": "byte", "counts": [1 << 21]},
    "fewer than none": {"kind": "array", "of": "byte", "counts": [-5]},
    "wide": {"kind": "enum", "size": 4096, "values": {}},
    "bits": {"kind": "struct", "size": 4, "fields": [["x", 0, "byte", 1 << 40, 1 << 40]]},
    "in itself": {"kind": "struct", "size": 4, "fields": [["x", 0, "in itself", 0, 0]]},
    "twice in itself": {"kind": "struct", "size": 4, "fields": [["", 0, "twice in itself", 0, 0]] * 2},
    "of itself": {"kind": "array", "of": "of itself", "counts": [2]},
    "for itself": {"kind": "alias", "to": "for itself"},
    "process": {
        "kind": "struct",
        "size": 8,
        "fields": [["pid", 0, "byte", 0, 0], ["nothing", 4, "empties", 0, 0], ["rows", 4, "empty rows", 0, 0]],
    },
}
"""Types that no kernel has, and that a hand-in's debug information can have all the same."""


@pytest.mark.parametrize("kind", HOSTILE)
def test_types_made_to_harm_cost_little(kind: str) -> None:
    """However large, and within themselves as they are: a value, or a sentence."""
    types = Types(HOSTILE, {}, {}, "it")
    try:
        str(types.decode(kind, b"\xff" * types.size(kind)))
    except SymbolMissing as told:
        assert str(told).startswith("it has a type in its debug information that cannot be read")
    with pytest.raises(SymbolMissing, match="no field 'y'"):
        types.offset(kind, "y")


def test_types_that_hold_each_other_twice_cost_little() -> None:
    """Sixty of them, none within itself, hold a million million million."""
    twice = {f"{n}": {"kind": "struct", "size": 4, "fields": [["", 0, f"{n + 1}", 0, 0]] * 2} for n in range(60)}
    types = Types(twice, {}, {}, "it")
    with pytest.raises(SymbolMissing, match="cannot be read"):
        types.decode("0", bytes(4))
    with pytest.raises(SymbolMissing, match="no field 'y'"):
        types.offset("0", "y")


def test_what_is_sound_beside_a_harmful_field_is_decoded() -> None:
    """Two thousand million elements that have no byte are none."""
    types = Types(HOSTILE, {}, {}, "it")
    assert types.decode("process", b"\5" + bytes(7)) == {"pid": 5, "nothing": [], "rows": []}


ENDLESS = """
.section .debug_abbrev
    .byte 1, 0x11, 1, 0, 0                          # a compile unit, which has children
    .byte 2, {tag}, 1, 0, 0                         # what is read with its children
    .byte 3, {child}, 1, 0, 0                       # one of them
    .byte 4, 0x28, 1, 0x01, 0x13, 0, 0, 0           # another, which says where the next is
.section .debug_info
unit:
    .long end - version
version:
    .short 4
    .long 0
    .byte 4, 1, 2{within}
again:
    .byte 4
    .long again - unit                              # the next is this one
    .byte 0, 0, 0, 0, 0
end:
"""


@pytest.mark.parametrize("within", ["", ", 3"])
@pytest.mark.parametrize(("tag", "child"), [(0x04, 0x28), (0x13, 0x0D), (0x01, 0x21), (0x2E, 0x34)])
def test_debug_information_without_end_counts_as_absent(tmp_path: Path, tag: int, child: int, within: str) -> None:
    """One entry that is followed by itself: in an enumeration, a struct, an array, a function, or a part of these."""
    (tmp_path / "endless.s").write_text(ENDLESS.format(tag=tag, child=child, within=within))
    subprocess.run([cross_compiler(), "-c", "endless.s"], cwd=tmp_path, check=True, capture_output=True)
    table = SymbolTable((tmp_path / "endless.o").read_bytes(), name="it", folder=tmp_path / "cache")
    assert table.types.enumerators() == []
    with pytest.raises(SymbolMissing):
        table.types.named("process_t")
