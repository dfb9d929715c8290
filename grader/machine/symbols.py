"""What an ELF file says of a program: addresses by name, and from the debug information lines, types and variables.

The symbol table is read at once (1 ms). Lines and types come from DWARF through pyelftools, which takes up to a second
and is needed for few tests, so each is read when first asked for and kept in the cache under the file's hash. The file
was built from a hand-in: debug information that cannot be read counts as absent, it never stops the grader.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import struct
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

from grader.machine.faults import NotAsRequired

_HEADER = struct.Struct("<16sHHIIIIIHHHHHH")
_SECTION = struct.Struct("<10I")
_PROGRAM = struct.Struct("<8I")
_SYMBOL = struct.Struct("<IIIBBH")
_SYMBOL_TABLE, _LOAD = 2, 1
_FUNCTION = 2
_UNDEFINED = 0
_IN_MEMORY = 2  # SHF_ALLOC
_PREFIXES = {
    "DW_TAG_structure_type": "struct ",
    "DW_TAG_union_type": "union ",
    "DW_TAG_enumeration_type": "enum ",
}
SECTIONS_MAX = 100  # of a file that are looked at, those for debugging included; ours have about twenty
_LARGEST_FILE = 32 << 20
_LARGEST_VALUE = 256 << 10  # bytes; a kernel's process or table has a few thousand
_LARGEST_NUMBER = 16  # bytes
_MOST_DECODED = 1 << 20  # bytes of one value: those of a struct in a struct are counted for each of the two
_COST = 16  # bytes that any value counts for, besides its own
_NESTED = 32  # names for names of a type, or arrays of arrays
_MOST_ENTRIES = 200_000  # of debug information; a kernel's has some thousands
_FARTHEST = 4096  # bytes after a label of assembly (which has no size) that still count as its


class SymbolMissing(NotAsRequired):
    """The program has no symbol of that name, which the lab's rules fix."""


@dataclass(frozen=True)
class Symbol:
    """A name with an address. `size` in bytes, 0 for labels of assembly."""

    name: str
    address: int
    size: int
    function: bool


@dataclass(frozen=True)
class Place:
    """A code address in words. Empty strings and line 0 stand for what is not known."""

    address: int
    function: str
    offset: int
    file: str
    line: int

    def __str__(self) -> str:
        if not self.function:
            return f"{self.address:#010x}"
        source = f" ({self.file}:{self.line})" if self.line else f"+{self.offset:#x}" if self.offset else ""
        return self.function + source


class SymbolTable:
    """One ELF32 file. What is read of its debug information is kept in `folder` (default: the project's cache)."""

    def __init__(self, data: bytes, *, name: str = "", folder: Path | None = None) -> None:
        self.name = name
        self._data = data
        self._folder = folder
        self.symbols: dict[str, Symbol] = {}
        self._segments: list[tuple[int, bytes]] = []
        with contextlib.suppress(struct.error, IndexError, UnicodeDecodeError):
            self._read()
        code = [symbol for symbol in self.symbols.values() if symbol.function]
        code.sort(key=lambda symbol: symbol.address)
        self._functions = code
        self._starts = [symbol.address for symbol in code]

    def __repr__(self) -> str:
        """As a failed test's message shows it: assert 'scheduler' in <symbols of scheduler_server>."""
        return f"<symbols of {self.name or 'nothing'}>"

    @staticmethod
    def load(elf: Path) -> SymbolTable:
        """Read the symbols of an ELF file."""
        return SymbolTable(elf.read_bytes(), name=elf.stem)

    @staticmethod
    def empty() -> SymbolTable:
        """No symbols at all, for an image of which nothing is known."""
        return SymbolTable(b"")

    def _read(self) -> None:
        header = _HEADER.unpack_from(self._data)
        program_offset, section_offset = header[5:7]
        program_size, program_count, section_size, section_count = header[9:13]
        for index in range(program_count):
            kind, offset, virtual, _, size, *_ = _PROGRAM.unpack_from(self._data, program_offset + index * program_size)
            if kind == _LOAD:
                self._segments.append((virtual, self._data[offset : offset + size]))
        offsets = [section_offset + index * section_size for index in range(section_count)]
        sections = [_SECTION.unpack_from(self._data, offset) for offset in offsets]
        executable = {index for index, section in enumerate(sections) if section[2] & 4}
        for section in sections:
            if section[1] == _SYMBOL_TABLE:
                self._read_symbols(section, sections[section[6]], executable)

    def _read_symbols(self, table: tuple[int, ...], strings: tuple[int, ...], executable: set[int]) -> None:
        text = self._data[strings[4] : strings[4] + strings[5]]
        end = min(table[4] + table[5], len(self._data))
        for offset in range(table[4], end - _SYMBOL.size + 1, _SYMBOL.size):
            name_offset, value, size, info, _, section = _SYMBOL.unpack_from(self._data, offset)
            name = text[name_offset : text.find(b"\0", name_offset)].decode("utf-8", "replace")
            kind, binding = info & 15, info >> 4
            if not name or section == _UNDEFINED or kind > _FUNCTION:
                continue
            # A label such as `idt_init.next` belongs to the routine before it.
            function = kind == _FUNCTION or (kind == 0 and section in executable and "." not in name)
            if name in self.symbols and binding == 0:
                continue  # a local one never hides a global one, nor the first of its name
            self.symbols[name] = Symbol(name, value, size, function)

    def __contains__(self, name: str) -> bool:
        return name in self.symbols

    def address(self, name: str) -> int:
        """Where a symbol lies. Raises SymbolMissing."""
        symbol = self.symbols.get(name)
        if symbol is None:
            why = "it is not defined there, or the compiler inlined it, or nothing in there uses it"
            raise SymbolMissing(f"{self.name or 'the program'} has no symbol {name!r}: {why}")
        return symbol.address

    def code_at(self, address: int, length: int) -> bytes:
        """The file's own bytes at an address of its memory; shorter where the file has none."""
        for start, data in self._segments:
            if start <= address < start + len(data):
                return data[address - start : address - start + length]
        return b""

    def matches(self, pattern: re.Pattern[bytes]) -> list[tuple[int, bytes]]:
        """Where in its memory the file's own bytes match, and with what: code and data, since data can run too."""
        return [(start + match.start(), match[0]) for start, data in self._segments for match in pattern.finditer(data)]

    def code_places(self, pattern: re.Pattern[bytes]) -> list[int]:
        """Addresses within functions where the code's bytes match, wherever in an instruction they stand."""
        return [address for address, _ in self.matches(pattern) if self.function_at(address) is not None]

    def sections(self) -> list[tuple[int, int, str]]:
        """What the file puts into memory: (start, end, name) of each section that has a place there."""
        if not self._data:
            return []
        try:
            found = [
                (section["sh_addr"], section["sh_addr"] + section["sh_size"], section.name)
                for section in islice(_elf(self._data).iter_sections(), SECTIONS_MAX)
                if section["sh_flags"] & _IN_MEMORY and section["sh_size"]
            ]
        except Exception:  # whatever a hand-in's file makes the reader stumble over
            return []
        return sorted(found)

    def page_of(self, page: int) -> tuple[int, bytes]:
        """Where in the 4 KB from `page` on the file's own bytes begin, and those bytes (perhaps none)."""
        for start, data in self._segments:
            if start < page + 4096 and page < start + len(data):
                first = max(start, page)
                return first, data[first - start : page + 4096 - start]
        return page, b""

    @cached_property
    def code_pages(self) -> tuple[int, ...]:
        """The 4 KB pages in which functions begin, by their addresses."""
        return tuple(sorted({symbol.address & ~4095 for symbol in self._functions}))

    def function_at(self, address: int) -> Symbol | None:
        """The function (or label of assembly) that holds a code address."""
        index = bisect_right(self._starts, address) - 1
        if index < 0:
            return None
        for symbol in reversed(self._functions[max(0, index - 8) : index + 1]):
            if address < symbol.address + (symbol.size or _FARTHEST):
                return symbol
        return None

    def place(self, address: int) -> Place:
        """A code address as function, offset, file and line, as far as they are known."""
        symbol = self.function_at(address)
        if symbol is None:
            return Place(address, "", 0, "", 0)
        file, line = self.line_at(address)
        return Place(address, symbol.name, address - symbol.address, file, line)

    def line_at(self, address: int) -> tuple[str, int]:
        """File and line of a code address; ("", 0) when they are not known."""
        table = self._lines
        index = bisect_right(table["addresses"], address) - 1
        if index < 0 or table["lines"][index] == 0:
            return "", 0
        return table["files"][table["file"][index]], table["lines"][index]

    @cached_property
    def _lines(self) -> dict[str, Any]:
        nothing: dict[str, Any] = {"addresses": [], "files": [], "file": [], "lines": []}
        return self._kept("lines", lambda: _read_lines(self._data), nothing)

    @cached_property
    def types(self) -> Types:
        """Types and variables of the debug information."""
        kept = self._kept("types", lambda: _read_types(self._data), {"types": {}, "variables": {}, "names": {}})
        return Types(kept["types"], kept["variables"], kept["names"], self.name)

    def _kept(self, what: str, read: Callable[[], dict[str, Any]], nothing: dict[str, Any]) -> dict[str, Any]:
        """What was kept of a file with this content, or is read now and kept; `nothing` when it cannot be read."""
        if not self._data or len(self._data) > _LARGEST_FILE:
            return nothing
        file = self._cache_folder() / f"{hashlib.sha256(self._data).hexdigest()}.{what}.1.json"
        with contextlib.suppress(OSError, ValueError):
            found = json.loads(file.read_bytes())
            if isinstance(found, dict):
                return found
        try:
            result = read()
        except Exception:  # whatever a hand-in's debug information makes the reader stumble over
            result = nothing
        with contextlib.suppress(OSError):
            file.parent.mkdir(parents=True, exist_ok=True)
            unfinished = file.with_name(f"{file.name}.{os.getpid()}")
            unfinished.write_text(json.dumps(result, separators=(",", ":")))
            unfinished.replace(file)
        return result

    def _cache_folder(self) -> Path:
        if self._folder is not None:
            return self._folder
        from grader.paths import Project

        return Project.here().cache / "symbols"


class Enumerator(int):
    """A value of an enumeration, with its `name` (empty when the enumeration has no such value)."""

    name: str

    def __new__(cls, value: int, name: str) -> Enumerator:  # noqa: D102
        made = super().__new__(cls, value)
        made.name = name
        return made

    def __repr__(self) -> str:
        return self.name or int.__repr__(self)

    __str__ = __repr__


@dataclass
class _Effort:
    """What decoding one value may still cost: a type from a hand-in can hold others in any number, or itself."""

    left: int = _MOST_DECODED


class Types:
    """Types and variables of one program: decodes memory into Python values.

    Integers and pointers become int, enumerations Enumerator, arrays of char str (up to the NUL), arrays of other
    bytes bytes, arrays list, structs and unions dict by field name (fields of anonymous members belong to the outer).
    """

    def __init__(self, types: dict[str, Any], variables: dict[str, Any], names: dict[str, str], program: str) -> None:
        self._types, self._variables, self._names, self._program = types, variables, names, program

    def variable(self, name: str) -> tuple[int, str]:
        """Address and type of a global variable. Raises SymbolMissing."""
        if name not in self._variables:
            raise SymbolMissing(f"{self._program or 'the program'} has no variable {name!r} in its debug information")
        address, kind = self._variables[name]
        return address, kind

    def named(self, name: str) -> str:
        """The type of that name (`process_t`, `struct process`). Raises SymbolMissing."""
        if name not in self._names:
            raise SymbolMissing(f"{self._program or 'the program'} has no type {name!r} in its debug information")
        return self._names[name]

    def enumerators(self) -> list[tuple[int, str]]:
        """(value, name) of every enumerator of every enumeration."""
        found = [kind["values"] for kind in self._types.values() if kind["kind"] == "enum"]
        return [(int(value), name) for values in found for value, name in values.items()]

    def size(self, kind: str) -> int:
        """Bytes of a value of that type. Raises SymbolMissing when it is larger than any that a kernel needs."""
        found, count = self._plain(kind), 1
        for _ in range(_NESTED):
            if found["kind"] != "array":
                break
            for number in found["counts"]:
                count = max(0, min(count * number, _LARGEST_VALUE + 1))
            found = self._plain(found["of"])
        size = count * int(found.get("size", 0))
        if size > _LARGEST_VALUE:
            raise self._unusable()
        return size

    def target(self, kind: str) -> str:
        """What a pointer type points to. Raises SymbolMissing when it is no pointer."""
        found = self._plain(kind)
        if found["kind"] != "pointer" or not found["to"]:
            raise SymbolMissing(f"a {found['kind']} points to nothing")
        return str(found["to"])

    def offset(self, kind: str, field: str) -> int:
        """Offset in bytes of a struct's field. Raises SymbolMissing."""
        pending, seen = [(kind, 0)], set()
        while pending:
            kind, start = pending.pop(0)
            if kind in seen:
                continue
            seen.add(kind)
            for name, offset, member, *_ in self._plain(kind).get("fields", ()):
                if name == field:
                    return start + int(offset)
                if not name:
                    pending.append((member, start + int(offset)))
        raise SymbolMissing(f"{self._program or 'the program'} has no field {field!r} there")

    def decode(self, kind: str, data: bytes) -> Any:
        """A value of that type from its bytes. Raises SymbolMissing for a type that no compiler writes."""
        try:
            return self._decode(kind, data, _Effort())
        except RecursionError as error:
            raise self._unusable() from error

    def _unusable(self) -> SymbolMissing:
        return SymbolMissing(
            f"{self._program or 'the program'} has a type in its debug information that cannot be read: it is larger "
            f"than {_LARGEST_VALUE >> 10} KB, or a part of itself"
        )

    def _decode(self, kind: str, data: bytes, effort: _Effort) -> Any:
        effort.left -= len(data) + _COST
        if effort.left < 0:
            raise self._unusable()
        found = self._plain(kind)
        match found["kind"]:
            case "struct":
                return self._decode_fields(found, data, effort)
            case "array":
                return self._decode_array(found["of"], found["counts"], data, effort)
        number = data[: min(found.get("size", 0), _LARGEST_NUMBER)]
        if found["kind"] == "enum":
            value = int.from_bytes(number, "little")
            return Enumerator(value, found["values"].get(str(value), ""))
        return int.from_bytes(number, "little", signed=found.get("signed", False))

    def _plain(self, kind: str) -> dict[str, Any]:
        """The type itself, without the names and qualifiers around it."""
        found: dict[str, Any] = {"kind": "void", "size": 0}
        for _ in range(_NESTED):
            found = self._types.get(kind, found)
            if found["kind"] != "alias":
                break
            kind = found["to"]
        return found

    def _decode_fields(self, struct_type: dict[str, Any], data: bytes, effort: _Effort) -> dict[str, Any]:
        value: dict[str, Any] = {}
        for name, offset, kind, bit, bits in struct_type["fields"]:
            if bits:
                number = int.from_bytes(data[offset : offset + 8], "little")
                value[name] = number >> min(bit, 64) & ((1 << min(bits, 64)) - 1)
                continue
            part = self._decode(kind, data[offset : offset + self.size(kind)], effort)
            if name:
                value[name] = part
            elif isinstance(part, dict):
                value.update(part)
        return value

    def _decode_array(self, of: str, counts: list[int], data: bytes, effort: _Effort) -> Any:
        count, *inner = counts
        element = self._plain(of)
        if not inner and element.get("character"):
            return data[:count].split(b"\0", 1)[0].decode("utf-8", "replace")
        if not inner and element["kind"] == "base" and element["size"] == 1:
            return data[:count]
        size = len(data) // count if inner and count else self.size(of)
        count = min(count, len(data) // max(size, 1))  # elements without a byte can be two thousand million
        parts = [data[index * size : (index + 1) * size] for index in range(count)]
        if inner:
            return [self._decode_array(of, inner, part, effort) for part in parts]
        return [self._decode(of, part, effort) for part in parts]


def _elf(data: bytes) -> Any:
    import io

    from elftools.elf.elffile import ELFFile

    return ELFFile(io.BytesIO(data))  # type: ignore[no-untyped-call]


def _read_lines(data: bytes) -> dict[str, Any]:
    """All rows of all line programs, sorted by address; line 0 marks the end of a sequence."""
    rows: list[tuple[int, int, int]] = []
    files: dict[str, int] = {}
    information = _elf(data).get_dwarf_info()
    for unit in information.iter_CUs():
        program = information.line_program_for_CU(unit)
        if program is None:
            continue
        first = 0 if program["version"] >= 5 else 1
        names = [Path(entry.name.decode("utf-8", "replace")).name for entry in program["file_entry"]]
        for entry in program.get_entries():
            state = entry.state
            if state is None:
                continue
            index = state.file - first
            name = names[index] if 0 <= index < len(names) else "?"
            number = files.setdefault(name, len(files))
            rows.append((state.address, number, 0 if state.end_sequence else state.line))
    rows.sort(key=lambda row: (row[0], row[2] != 0))
    return {
        "addresses": [row[0] for row in rows],
        "files": list(files),
        "file": [row[1] for row in rows],
        "lines": [row[2] for row in rows],
    }


def _read_types(data: bytes) -> dict[str, Any]:
    """All types and all variables with a fixed address. Types refer to each other by their entry's offset, as text."""
    types: dict[str, Any] = {}
    variables: dict[str, Any] = {}
    names: dict[str, str] = {}
    for unit in _elf(data).get_dwarf_info().iter_CUs():
        for entry in list(_bounded(unit.iter_DIEs())):  # all of them first: then no entry's children are without end
            if entry.tag == "DW_TAG_variable":
                _read_variable(entry, variables)
                continue
            made = _read_type(entry)
            if made is None:
                continue
            types[str(entry.offset)] = made
            name = _name(entry)
            if name and not made.get("incomplete"):
                names.setdefault(_PREFIXES.get(entry.tag, "") + name, str(entry.offset))
    return {"types": types, "variables": variables, "names": names}


def _bounded(entries: Iterable[Any]) -> Iterator[Any]:
    """Entries, up to a number that only those have that name one before them as their next. Raises ValueError then."""
    for count, entry in enumerate(entries):
        if count == _MOST_ENTRIES:
            raise ValueError("entries without end")
        yield entry


def _name(entry: Any) -> str:
    attribute = entry.attributes.get("DW_AT_name")
    return attribute.value.decode("utf-8", "replace") if attribute else ""


def _number(entry: Any, attribute: str, otherwise: int = 0) -> int:
    found = entry.attributes.get(attribute)
    return found.value if found is not None and isinstance(found.value, int) else otherwise


def _type_of(entry: Any) -> str:
    if "DW_AT_type" not in entry.attributes:
        return ""
    return str(entry.get_DIE_from_attribute("DW_AT_type").offset)


def _read_variable(entry: Any, variables: dict[str, Any]) -> None:
    location = entry.attributes.get("DW_AT_location")
    if location is None or not isinstance(location.value, list) or len(location.value) != 5 or location.value[0] != 3:
        return  # not DW_OP_addr: a local variable
    kind, name = _type_of(entry), _name(entry)
    if "DW_AT_specification" in entry.attributes:
        declaration = entry.get_DIE_from_attribute("DW_AT_specification")
        kind, name = kind or _type_of(declaration), name or _name(declaration)
    address = int.from_bytes(bytes(location.value[1:]), "little")
    if name and ("DW_AT_external" in entry.attributes or "DW_AT_specification" in entry.attributes):
        variables[name] = [address, kind]
    elif name:
        variables.setdefault(name, [address, kind])


def _read_type(entry: Any) -> dict[str, Any] | None:
    size = _number(entry, "DW_AT_byte_size")
    match entry.tag:
        case "DW_TAG_base_type":
            encoding = _number(entry, "DW_AT_encoding")
            character = size == 1 and _name(entry) == "char"
            return {"kind": "base", "size": size, "signed": encoding in (5, 6), "character": character}
        case "DW_TAG_pointer_type":
            return {"kind": "pointer", "size": size or 4, "to": _type_of(entry)}
        case "DW_TAG_structure_type" | "DW_TAG_union_type":
            incomplete = "DW_AT_declaration" in entry.attributes
            return {"kind": "struct", "size": size, "fields": _read_fields(entry), "incomplete": incomplete}
        case "DW_TAG_enumeration_type":
            values = {
                str(_number(child, "DW_AT_const_value")): _name(child)
                for child in entry.iter_children()
                if child.tag == "DW_TAG_enumerator"
            }
            return {"kind": "enum", "size": size, "values": values}
        case "DW_TAG_array_type":
            counts = [_count(child) for child in entry.iter_children() if child.tag == "DW_TAG_subrange_type"]
            return {"kind": "array", "of": _type_of(entry), "counts": counts or [0]}
        case "DW_TAG_typedef" | "DW_TAG_const_type" | "DW_TAG_volatile_type" | "DW_TAG_atomic_type":
            return {"kind": "alias", "to": _type_of(entry)}
    return None


def _count(entry: Any) -> int:
    if "DW_AT_count" in entry.attributes:
        return _number(entry, "DW_AT_count")
    return _number(entry, "DW_AT_upper_bound", -1) + 1


def _read_fields(entry: Any) -> list[list[Any]]:
    fields = []
    for child in entry.iter_children():
        if child.tag == "DW_TAG_member":
            offset = _number(child, "DW_AT_data_member_location")
            bits = _number(child, "DW_AT_bit_size")
            bit = _number(child, "DW_AT_data_bit_offset")
            if bits and "DW_AT_data_bit_offset" in child.attributes:
                offset, bit = bit // 8, bit % 8
            fields.append([_name(child), offset, _type_of(child), bit, bits])
    return fields
