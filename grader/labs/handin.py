"""Takes from a hand-in only the files that lab.toml lists, and says clearly what is wrong with them.

A hand-in is untrusted; how its folder or archive is read without harm is handin_source.py's subject. Owners, modes
(setuid) and times are not taken over, nothing is ever unpacked onto the disk.

What is wrong is a list of `Problem`s, each naming the file and what to do. A fatal one means 0 points (`Handin.check`
raises HandinFault); the others are notes, such as "kernel/Makefile is not among the files: ours is used".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from grader.faults import HandinFault, WrongUse
from grader.labs.handin_source import FILE_BYTES, FOLDER, Kind, Source, Unreadable, not_regular, open_source
from grader.labs.lab_file import Lab
from grader.untrusted import plain

TOTAL_BYTES = 2 << 20
FILES = 256  # a whole kernel has about 100
NAMED_EXTRAS = 8
CONFLICT = re.compile(rb"^(<{7}|>{7}) ", re.MULTILINE)
"""Where git has put two versions of the same lines, for a person to choose."""


@dataclass(frozen=True)
class Problem:
    """Something wrong with one file: what, and what to do. `fatal`: the hand-in cannot be graded, 0 points."""

    file: str
    message: str
    fatal: bool = True

    def __str__(self) -> str:
        return plain(f"{self.file}: {self.message}").replace("\n", " ")


@dataclass(frozen=True)
class Handin:
    """What was taken from a hand-in: `files` maps a path relative to a tree to its content."""

    files: Mapping[str, bytes]
    problems: tuple[Problem, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """What the student should know, though it costs nothing."""
        return tuple(str(problem) for problem in self.problems if not problem.fatal)

    def check(self) -> None:
        """Raise HandinFault with all that is wrong, if anything is."""
        faults = [str(problem) for problem in self.problems if problem.fatal]
        if faults:
            raise HandinFault("\n".join(faults))


def read_handin(path: Path, lab: Lab, given: Mapping[str, bytes] | None = None) -> Handin:
    """Take the files of `lab` from the folder or archive at `path`.

    `given` are the tree's files without the answer: a file in the hand-in that is like it is not worth a note.
    Raises WrongUse when there is nothing at `path`; whatever is wrong inside is in the result's problems.
    """
    try:
        source = open_source(path)
    except Unreadable as reason:
        return Handin({}, (Problem(path.name, str(reason)),))
    except OSError as error:
        raise WrongUse(
            f"{path}: {error.strerror}: a hand-in is a folder or an archive (.zip, .tar, .tar.gz)"
        ) from error
    return _take(source, lab, given or {}, path.name or "the hand-in")


def _take(source: Source, lab: Lab, given: Mapping[str, bytes], label: str) -> Handin:
    top = _top_folder(source.names)
    names = {name.removeprefix(top): kind for name, kind in source.names.items() if name.startswith(top)}
    wanted = [*lab.required, *sorted(name for name in names if lab.takes(name) and name not in lab.required)]
    problems = [Problem(name, "leads outside of the hand-in: it is ignored", fatal=False) for name in source.outside]
    if not any(name in names for name in wanted):
        return Handin({}, (*problems, _no_handin(label, lab, names)))
    if len(wanted) > FILES:
        problems.append(Problem(label, f"{len(wanted)} files are handed in: at most {FILES} are taken"))
    files: dict[str, bytes] = {}
    for name in wanted[:FILES]:
        try:
            files[name], note = _file(source, top, name, names, required=name in lab.required)
        except Unreadable as reason:
            problems.append(Problem(name, str(reason)))
            continue
        if note:
            problems.append(Problem(name, note, fatal=False))
    if sum(map(len, files.values())) > TOTAL_BYTES:
        problems.append(Problem(label, f"all files together are larger than {TOTAL_BYTES >> 20} MB: this is too much"))
    problems += _extras(source, names, top, lab, given)
    return Handin(files, tuple(problems))


def _file(source: Source, top: str, name: str, names: Mapping[str, Kind], *, required: bool) -> tuple[bytes, str]:
    """One file's content and a note. Raises Unreadable."""
    if name not in names:
        raise Unreadable(_missing(name, names))
    if names[name] is not True:
        raise Unreadable(not_regular(names[name]))
    data, note = _text(source.read(top + name))
    if required and not data.strip():
        raise Unreadable("is empty: put your answer in, or begin again with the lab's own file")
    return data, note


def _top_folder(names: Mapping[str, Kind]) -> str:
    """The prefix before kernel/: empty, or the one folder that a zip program or a download put around it all."""
    if any(name == "kernel" or name.startswith("kernel/") for name in names):
        return ""
    tops = {name.split("/")[0] for name in names if name.split("/")[1:2] == ["kernel"]}
    return tops.pop() + "/" if len(tops) == 1 else ""


def _no_handin(label: str, lab: Lab, names: Mapping[str, Kind]) -> Problem:
    wanted = ", ".join([*lab.required, *lab.optional][:4])
    flat = [path for path in lab.required if path.split("/")[-1] in names]
    if flat:
        return Problem(label, f"its files lie outside of their folder: {flat[0].split('/')[-1]} must be {flat[0]}")
    return Problem(label, f"is no hand-in of the lab {lab.name}: none of its files is there ({wanted})")


def _missing(name: str, names: Mapping[str, Kind]) -> str:
    parts = name.split("/")
    for length in range(len(parts) - 1, 0, -1):
        parent = "/".join(parts[:length])
        if names.get(parent, FOLDER) != FOLDER:
            kind = "a regular file" if names[parent] is True else names[parent]
            return f"cannot be reached, since {parent} is {kind}: hand in a real folder"
    alike = [other for other in names if other.lower() == name.lower()]
    if alike:
        return f"is missing, but there is {alike[0]}: capital letters count in names"
    return "is missing: hand it in, even if it is unchanged"


def _text(data: bytes) -> tuple[bytes, str]:
    """The text of a source file with Unix line ends, and a note if it had others."""
    if len(data) > FILE_BYTES:
        raise Unreadable(f"is larger than {FILE_BYTES >> 10} KB: hand in source text only")
    nul = data.find(b"\0")
    if nul >= 0:
        raise Unreadable(f"is no text (a NUL byte at offset {nul}): hand in the source, not what a tool made of it")
    note = ""
    if data.startswith(b"\xef\xbb\xbf"):
        data, note = data[3:], "began with a byte order mark, which was left out"
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise Unreadable(f"is not UTF-8 text (line {line}): save it in the encoding UTF-8") from error
    if "\r" in text:
        data, note = (
            text.replace("\r\n", "\n").replace("\r", "\n").encode(),
            "had Windows line ends, which were changed",
        )
    if CONFLICT.search(data):
        note = "holds two versions of the same lines, from a merge: edit what is between <<<<<<< and >>>>>>>"
    return data, note


def _extras(source: Source, names: Mapping[str, Kind], top: str, lab: Lab, given: Mapping[str, bytes]) -> list[Problem]:
    """Notes on files below kernel/ that do not count although the student may think they do."""
    ignored: list[Problem] = []
    for name, kind in sorted(names.items()):
        if lab.takes(name) or not name.startswith("kernel/") or kind == FOLDER or _is_litter(name):
            continue
        if kind is True and name in given and _is_same(source, top + name, given[name]):
            continue
        if len(ignored) == NAMED_EXTRAS:
            return [*ignored, Problem("...", "more files of this kind are ignored", fatal=False)]
        ignored.append(_ignored(name, name in given))
    return ignored


def _is_same(source: Source, name: str, content: bytes) -> bool:
    try:
        return source.read(name).replace(b"\r\n", b"\n") == content
    except Unreadable:
        return False


def _ignored(name: str, ours: bool) -> Problem:
    what = "it differs from ours, and ours is used" if ours else "it is ignored"
    return Problem(name, f"is not among the files of this lab's hand-in: {what}", fatal=False)


def _is_litter(name: str) -> bool:
    """What editors, compilers and file managers leave behind: not worth a note."""
    last = name.rsplit("/", 1)[-1]
    return last.startswith(".") or last.endswith(("~", ".o", ".d", ".orig", ".swp"))
