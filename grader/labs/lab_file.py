"""labs/NAME/lab.toml: what a lab is called, its stages with their points, and which files are handed in.

    title = "The microkernel split"
    summary = "Message passing in the kernel, policy in user-mode servers."
    builds_on = "privcall"                      # starts from that lab, finished, instead of from the baseline
    remove = ["kernel/scheduler.c"]             # baseline files that this lab's tree does not have

    archive = ["message_server"]                # programs that the kernel wants in the boot archive, if built

    [copy]                                      # second copies of baseline files, which the lab gives
    "kernel/user/file_server/ata.c" = "kernel/ata.c"

    [messages]                                  # which system calls carry messages: see grader/machine/calls.py
    to = { ipc_send = 1 }                       # call = argument that names the receiver

    [handin]
    files = ["kernel/message.c", "kernel/user/servers_*.c"]

    [[stage]]
    number = 1
    title = "Messages between two processes"
    points = 30

Paths are relative to a tree (see tree.py). A path with `*` or `?` is optional and stands for any number of
files of one folder; a path without must be handed in. Unknown keys are errors: a mistyped key is not ignored.
"""

from __future__ import annotations

import fnmatch
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from grader.faults import ProjectFault
from grader.machine.message_calls import ARGUMENTS, MessageCalls
from grader.paths import Project

HIDDEN = "hidden"
"""The folder of labs/NAME/tests that students do not get."""

# What a make rule, a shell and a linker script all take as a plain word.
FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*")


class LabFileError(ProjectFault):
    """A lab.toml is wrong. The message names the file, the key and what is wanted there."""


@dataclass(frozen=True)
class Stage:
    """One stage of a lab: `number` counts from 1, `points` is what its tests are worth in all."""

    number: int
    title: str
    points: int


@dataclass(frozen=True)
class Lab:
    """One lab, as its lab.toml describes it. `folder` is labs/NAME."""

    name: str
    title: str
    summary: str
    folder: Path
    stages: tuple[Stage, ...]
    handin: tuple[str, ...]
    remove: tuple[str, ...] = ()
    copy: Mapping[str, str] = field(default_factory=dict)  # new path: the baseline's
    archive: tuple[str, ...] = ()
    builds_on: str | None = None  # a lab's name
    messages: MessageCalls = field(default_factory=MessageCalls)

    @property
    def points(self) -> int:
        """What the whole lab is worth."""
        return sum(stage.points for stage in self.stages)

    @property
    def required(self) -> tuple[str, ...]:
        """The paths that must be handed in."""
        return tuple(path for path in self.handin if not is_pattern(path))

    @property
    def optional(self) -> tuple[str, ...]:
        """The patterns of paths that may be handed in."""
        return tuple(path for path in self.handin if is_pattern(path))

    def takes(self, path: str) -> bool:
        """Whether the file at `path` (relative to a tree, with /) belongs to a hand-in."""
        return any(matches(path, pattern) for pattern in self.handin)

    def stage(self, number: int) -> Stage:
        """The stage of that number. Raises KeyError."""
        return {stage.number: stage for stage in self.stages}[number]


def is_pattern(path: str) -> bool:
    """Whether a handed-in path is optional."""
    return "*" in path or "?" in path


def matches(path: str, pattern: str) -> bool:
    """Whether `path` is `pattern`, or fits its wildcards within one folder (no * stands for a /)."""
    if path == pattern:
        return True
    plain, wanted = PurePosixPath(path), PurePosixPath(pattern)
    if plain.parent != wanted.parent or not FILE_NAME.fullmatch(plain.name):
        return False
    return fnmatch.fnmatchcase(plain.name, wanted.name)


def load_labs(project: Project) -> list[Lab]:
    """All labs of a project, in alphabetical order. Raises LabFileError."""
    return [load_lab(project, name) for name in project.lab_names()]


def load_lab(project: Project, name: str) -> Lab:
    """One lab by name. Raises WrongUse when there is none, LabFileError when its file is wrong."""
    file = project.lab(name) / "lab.toml"
    try:
        data = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise LabFileError(f"labs/{name}/lab.toml: {error}") from error
    return parse_lab(data, name, file.parent)


def parse_lab(data: Mapping[str, Any], name: str, folder: Path) -> Lab:
    """Check what was read from a lab.toml and make a Lab of it. Raises LabFileError."""
    where = f"labs/{name}/lab.toml"
    _only(
        data,
        {"name", "title", "summary", "builds_on", "stage", "handin", "remove", "copy", "archive", "messages"},
        where,
    )
    if data.get("name", name) != name:
        raise LabFileError(f"{where}: name is {data['name']!r}, but the folder is called {name!r}")
    handin = _value(data, "handin", dict, where)
    _only(handin, {"files"}, f"{where}: [handin]")
    files = _paths(_value(handin, "files", list, f"{where}: [handin]"), f"{where}: [handin] files")
    if not files:
        raise LabFileError(f"{where}: [handin] files is empty: what does a student hand in?")
    return Lab(
        name=name,
        title=_text(data, "title", where),
        summary=_text(data, "summary", where),
        folder=folder,
        stages=_stages(_value(data, "stage", list, where), where),
        handin=files,
        remove=_paths(data.get("remove", []), f"{where}: remove"),
        archive=_programs(data.get("archive", []), f"{where}: archive"),
        copy=_copies(data.get("copy", {}), f"{where}: [copy]"),
        builds_on=_base(data, name, where),
        messages=_messages(data.get("messages", {}), f"{where}: [messages]"),
    )


def _is_argument(place: object) -> bool:
    return isinstance(place, int) and not isinstance(place, bool) and 1 <= place <= ARGUMENTS


def _messages(table: object, where: str) -> MessageCalls:
    if not isinstance(table, dict):
        raise LabFileError(f"{where}: must be a table")
    _only(table, {"to", "signals", "into", "slots"}, where)
    for key in ("to", "signals", "into"):
        calls = table.get(key, {})
        if not isinstance(calls, dict) or not all(map(_is_argument, calls.values())):
            raise LabFileError(f"{where}: {key} must map system calls to an argument from 1 to {ARGUMENTS}")
    if "slots" in table and _value(table, "slots", int, where) < 1:
        raise LabFileError(f"{where}: slots must be 1 or more")
    return MessageCalls(**table)


def _base(data: Mapping[str, Any], name: str, where: str) -> str | None:
    if "builds_on" not in data:
        return None
    base = _text(data, "builds_on", where)
    if base == name or not FILE_NAME.fullmatch(base):
        raise LabFileError(f"{where}: builds_on: {base!r} is no other lab's name")
    return base


def _stages(entries: Iterable[object], where: str) -> tuple[Stage, ...]:
    stages = []
    for wanted, entry in enumerate(entries, start=1):
        place = f"{where}: [[stage]] number {wanted}"
        if not isinstance(entry, dict):
            raise LabFileError(f"{place}: must be a table")
        _only(entry, {"number", "title", "points"}, place)
        number, points = _value(entry, "number", int, place), _value(entry, "points", int, place)
        if number != wanted:
            raise LabFileError(f"{place}: its number is {number}: stages count 1, 2, 3 in order")
        if points < 1:
            raise LabFileError(f"{place}: points must be 1 or more")
        stages.append(Stage(number, _text(entry, "title", place), points))
    if not stages:
        raise LabFileError(f"{where}: there must be at least one [[stage]]")
    return tuple(stages)


def _paths(entries: object, where: str) -> tuple[str, ...]:
    if not isinstance(entries, list):
        raise LabFileError(f"{where}: must be a list of paths")
    for path in entries:
        if not isinstance(path, str) or not _is_plain_path(path):
            raise LabFileError(f"{where}: {path!r} is no path below kernel/, like kernel/message.c")
    if len(set(entries)) != len(entries):
        raise LabFileError(f"{where}: a path is there twice")
    return tuple(entries)


def _copies(table: object, where: str) -> dict[str, str]:
    if not isinstance(table, dict):
        raise LabFileError(f"{where}: must be a table of new paths and the baseline's")
    _paths(list(table), where)
    _paths(sorted({path for path in table.values() if isinstance(path, str)}), where)
    for path, source in table.items():
        if not isinstance(source, str):
            raise LabFileError(f"{where}: {path} must name a path of the baseline, not {source!r}")
    return dict(table)


def _programs(entries: object, where: str) -> tuple[str, ...]:
    if not isinstance(entries, list):
        raise LabFileError(f"{where}: must be a list of programs' names")
    for name in entries:
        if not isinstance(name, str) or not FILE_NAME.fullmatch(name):
            raise LabFileError(f"{where}: {name!r} is no program's name, like message_server")
    return tuple(entries)


def _is_plain_path(path: str) -> bool:
    folders, name = path.split("/")[:-1], path.split("/")[-1]
    wildcards = name.replace("*", "x").replace("?", "x")
    return folders[:1] == ["kernel"] and all(FILE_NAME.fullmatch(part) for part in [*folders, wildcards])


def _only(table: Mapping[str, Any], known: set[str], where: str) -> None:
    unknown = sorted(set(table) - known)
    if unknown:
        raise LabFileError(f"{where}: unknown key {unknown[0]!r}: known are {', '.join(sorted(known))}")


def _text(table: Mapping[str, Any], key: str, where: str) -> str:
    text = str(_value(table, key, str, where)).strip()
    if not text:
        raise LabFileError(f"{where}: {key} is empty")
    return text


def _value(table: Mapping[str, Any], key: str, kind: type, where: str) -> Any:
    names = {str: "a text", int: "a whole number", list: "a list", dict: "a table"}
    if key not in table:
        raise LabFileError(f"{where}: {key} is missing: {names[kind]} is wanted")
    value = table[key]
    if not isinstance(value, kind) or isinstance(value, bool):
        raise LabFileError(f"{where}: {key} must be {names[kind]}, not {value!r}")
    return value
