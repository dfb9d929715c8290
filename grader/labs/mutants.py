"""Mutants: plausible wrong answers, each a small patch on the reference, named for the misconception behind it.

`solutions/LAB/mutants/NAME.toml`:

    misconception = "A message is copied when it is sent, not when it is received."
    fails = ["test_a_waiting_receiver_gets_the_message", "test_messages_keep_their_order"]
    patch = '''
    --- a/kernel/message.c
    +++ b/kernel/message.c
    @@
     process_t *receiver = endpoint_process(to);
    -if (receiver->waiting)
    +if (true)
    '''

(written without the indentation). `fails` names every test that must fail, and no other may. With `extra = true` it is
proved only when that is asked for: others stand for it in everyday checks. With `schedules = 50` it is a race: it must
pass every test in the ordinary run, and fail those it names within 50 schedules, whatever the seed.

The patch is a unified diff on the reference as a student would have it: without stage markers, files relative to a
tree. A hunk is placed by its lines, not by its numbers: a bare `@@` is enough when its lines occur once; with numbers
the nearest place is taken. A mutant that no longer applies is an error that names the hunk, since a mutant that does
nothing proves nothing.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from grader.faults import ProjectFault

HUNK = re.compile(r"@@(?: -(\d+)(?:,\d+)? \+\d+(?:,\d+)? @@.*)?\s*")
NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")


class MutantError(ProjectFault):
    """A mutant of the project is wrong or no longer applies. The message says which, where, and what to do."""


@dataclass(frozen=True)
class Mutant:
    """One wrong answer: the misconception in a sentence, the tests that must fail, and the patch that makes it."""

    name: str
    misconception: str
    fails: tuple[str, ...]
    patch: str
    extra: bool = False
    """Whether it is proved only when asked for."""
    schedules: int = 0
    """For a race: it passes all tests in the ordinary run, and fails those it names within so many schedules."""


@dataclass(frozen=True)
class Hunk:
    """A place of a file: the lines that are there and those to come; `line` is a hint, counted from 1."""

    file: str
    line: int | None
    old: tuple[str, ...]
    new: tuple[str, ...]
    number: int


def load_mutants(solution: Path) -> list[Mutant]:
    """All mutants of `solutions/LAB`, in alphabetical order. Raises MutantError."""
    return [_load(file) for file in sorted((solution / "mutants").glob("*.toml"))]


def load_mutant(solution: Path, name: str) -> Mutant | None:
    """The mutant of that name; None when there is none. Raises MutantError."""
    file = solution / "mutants" / f"{name}.toml"
    return _load(file) if NAME.fullmatch(name) and file.is_file() else None


def apply_mutant(mutant: Mutant, files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The files with the mutant's patch applied. Raises MutantError when it does not apply."""
    changed = dict(files)
    for hunk in parse_patch(mutant):
        if hunk.file not in changed:
            raise MutantError(f"mutant {mutant.name}: hunk {hunk.number}: the reference has no file {hunk.file}")
        changed[hunk.file] = _apply(mutant, hunk, changed[hunk.file].decode("utf-8")).encode("utf-8")
    if changed == dict(files):
        raise MutantError(f"mutant {mutant.name} changes nothing")
    return changed


def parse_patch(mutant: Mutant) -> list[Hunk]:
    """Read a unified diff. Raises MutantError."""
    return list(_hunks(mutant))


def _hunks(mutant: Mutant) -> Iterator[Hunk]:
    file, number = "", 0
    line: int | None = None
    old: list[str] = []
    new: list[str] = []
    # An empty line at the very end belongs to the TOML text, not to the last hunk.
    for text in [*mutant.patch.rstrip("\n").split("\n"), "@@ end"]:
        header = HUNK.fullmatch(text)
        if header is not None or text.startswith(("--- ", "diff ", "@@")):
            if old or new:
                number += 1
                yield Hunk(file, line, tuple(old), tuple(new), number)
            old, new = [], []
            line = int(header[1]) if header is not None and header[1] else None
            if text.startswith("@@") and header is None and text != "@@ end":
                raise MutantError(f"mutant {mutant.name}: not a hunk's head: {text!r}")
        elif text.startswith("+++ "):
            file = re.sub(r"^(a|b)/", "", text[4:].split("\t")[0].strip())
        elif not file or text.startswith("\\"):
            continue  # words before the first file, and "\ No newline at end of file"
        else:
            sign, rest = (text[0], text[1:]) if text else (" ", "")
            if sign not in " -+":
                raise MutantError(f"mutant {mutant.name}: a line of a patch begins with space, - or +, not: {text!r}")
            old += [rest] if sign in " -" else []
            new += [rest] if sign in " +" else []


def _apply(mutant: Mutant, hunk: Hunk, text: str) -> str:
    lines = text.split("\n")
    size = len(hunk.old)
    places = [start for start in range(len(lines) - size + 1) if tuple(lines[start : start + size]) == hunk.old]
    where = f"mutant {mutant.name}: hunk {hunk.number} ({hunk.file})"
    if not hunk.old:
        raise MutantError(f"{where} has no line that says where it belongs: give it one of context")
    if not places:
        raise MutantError(
            f"{where} no longer applies: these lines are not in the reference any more:\n"
            + "\n".join("    " + line for line in hunk.old)
            + "\nCompose the reference (./lab tree LAB --answer reference --output DIR), change it as the "
            "misconception says, and put the diff -u into the mutant's file."
        )
    if len(places) > 1 and hunk.line is None:
        numbers = ", ".join(str(place + 1) for place in places)
        raise MutantError(f"{where} fits lines {numbers}: give it more lines of context")
    hint = (hunk.line or 1) - 1
    place = min(places, key=lambda start: abs(start - hint))
    return "\n".join([*lines[:place], *hunk.new, *lines[place + size :]])


def _load(file: Path) -> Mutant:
    where = f"{file.parent.parent.name}/mutants/{file.name}"
    if not NAME.fullmatch(file.stem):
        raise MutantError(f"{where}: a mutant's name is of small letters, digits, - and _")
    try:
        data = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise MutantError(f"{where}: {error}") from error
    unknown = sorted(set(data) - {"name", "misconception", "fails", "patch", "extra", "schedules"})
    if unknown:
        known = "misconception, fails, patch, extra, schedules"
        raise MutantError(f"{where}: unknown key {unknown[0]!r}: known are {known}")
    for key in ("misconception", "patch"):
        if not isinstance(data.get(key), str) or not data[key].strip():
            raise MutantError(f"{where}: {key} must be a text")
    if not isinstance(data.get("extra", False), bool):
        raise MutantError(f"{where}: extra must be true or false")
    schedules = data.get("schedules", 0)
    if not isinstance(schedules, int) or isinstance(schedules, bool) or schedules < 0:
        raise MutantError(f"{where}: schedules must be a number of schedules")
    fails = data.get("fails")
    if not isinstance(fails, list) or not fails or not all(isinstance(name, str) and name for name in fails):
        raise MutantError(f"{where}: fails must be a list of the tests that catch this mutant")
    if data.get("name", file.stem) != file.stem:
        raise MutantError(f"{where}: name is {data['name']!r}, but the file is called {file.stem}")
    misconception = " ".join(data["misconception"].split())
    return Mutant(file.stem, misconception, tuple(fails), data["patch"], data.get("extra", False), schedules)
