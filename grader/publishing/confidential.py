"""What must never be published: the solutions, the mutants, the hidden tests; known by content, not by name.

Confidential is what stands in a solution's file once a stage is done, and is not there before and not in the baseline;
whatever else lies in `solutions/`; all of `tests/hidden/`. Whole files are known by their bytes, pieces of them by
their lines (see fragments.py), hidden tests by their names too. That finds what slips in by mistake: a copy under
another name, lines in a handout or a patch, a file that was re-indented or has a few names changed. It does not find
what somebody has rewritten line by line, or encoded; a file that is no text cannot be searched and is refused as such.

A lab that builds on another gives that lab's finished files to its students: for its own branch they are not
confidential, for every other one they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from grader.labs.lab_file import HIDDEN, Lab, load_labs
from grader.labs.mutants import MutantError, apply_mutant, load_mutants
from grader.labs.tree import Answer, answer_files, base_files, staged_files
from grader.paths import Project
from grader.publishing.folders import files_below
from grader.publishing.fragments import fragments, is_distinctive, plain_lines
from grader.publishing.version import public_tests

_TEST = re.compile(r"(?:async)?def(test_\w+)\(.*")
_NAME_OF_A_TEST = re.compile(r"\btest_\w+")


@dataclass
class Known:
    """Texts that can be known again: whole files, and pieces; each with the place it is from."""

    whole: dict[bytes, str] = field(default_factory=dict)
    pieces: dict[str, str] = field(default_factory=dict)

    def add(self, content: bytes, origin: str) -> None:
        """Learn a file."""
        text = content.decode("utf-8", "replace")
        if is_distinctive(text):
            self.whole.setdefault(content, origin)
        for piece in fragments(text):
            self.pieces.setdefault(piece, origin)

    def without(self, other: Known) -> Known:
        """What the other does not know."""
        whole = {content: origin for content, origin in self.whole.items() if content not in other.whole}
        pieces = {piece: origin for piece, origin in self.pieces.items() if piece not in other.pieces}
        return Known(whole, pieces)


@dataclass(frozen=True)
class Found:
    """A confidential text: where it is from, and the words by which it was known."""

    origin: str
    words: str

    def __str__(self) -> str:
        return f"{self.words[:120]!r} of {self.origin}"


NO_TEXT = Found("something that is no text, and cannot be searched", "a file")


@dataclass
class Confidential:
    """All that is confidential in a project, and what of it the branch of a lab may hold nevertheless."""

    known: Known
    tests: dict[str, str]
    """The names of hidden tests, which say much already, and where they are."""
    given: dict[str, Known]

    @staticmethod
    def of(project: Project) -> Confidential:
        """Collect it. Raises MarkerError, LabFileError, WrongUse when the project is not sound."""
        public, known, tests, given = _baseline(project), Known(), Known(), {}
        labs = load_labs(project)
        for lab in labs:
            handed_out = _handed_out(project, lab)
            if lab.builds_on is None:
                public = _both(public, handed_out)
            else:
                given[lab.name] = handed_out
        for lab in labs:
            for origin, content in _solutions(project, lab):
                known.add(content, origin)
            for origin, content in _hidden(lab):
                tests.add(content, origin)
        # Hidden tests are written in the words of public ones, but are no copies of them.
        shared = _known((content, "") for lab in labs for content in public_tests(lab).values())
        tests = Known(tests.whole, tests.without(shared).pieces)
        return Confidential(_both(known.without(public), tests.without(public)), _hidden_names(labs), given)

    def find(self, content: bytes, lab: str = "") -> Found | None:
        """The first confidential text in `content`; on the branch of `lab` what that lab gives is none."""
        given = self.given.get(lab, Known())
        if content in self.known.whole and content not in given.whole:
            return Found(self.known.whole[content], "the whole file")
        text = content.decode("utf-8", "replace")
        for piece in fragments(text):
            if piece in self.known.pieces and piece not in given.pieces:
                return Found(self.known.pieces[piece], piece.replace("\n", " / "))
        for name in _NAME_OF_A_TEST.findall(text) if self.tests else ():
            if name in self.tests:
                return Found(self.tests[name], name)
        return None

    def find_in_file(self, content: bytes, lab: str = "") -> Found | None:
        """The same for a file of a repository, of which something can be said only if it is text."""
        found = self.find(content, lab)
        return found if found is not None or is_text(content) else NO_TEXT


def is_text(content: bytes) -> bool:
    """Whether these are the bytes of a text in UTF-8, the encoding of all that is published."""
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return b"\0" not in content


def _both(first: Known, second: Known) -> Known:
    return Known({**second.whole, **first.whole}, {**second.pieces, **first.pieces})


def _known(files: Iterable[tuple[bytes, str]]) -> Known:
    known = Known()
    for content, origin in files:
        known.add(content, origin)
    return known


def _baseline(project: Project) -> Known:
    return _known((content, path) for path, content in files_below(project.kernel).items())


def _handed_out(project: Project, lab: Lab) -> Known:
    """What a lab's students start with, apart from the baseline: its files, its starter, what it builds on."""
    known = _known((content, path) for path, content in files_below(lab.folder / "kernel").items())
    if project.solution(lab.name).is_dir():
        for path, content in answer_files(project, lab, Answer("starter")).items():
            known.add(content, path)
    if lab.builds_on is not None:
        for path, content in base_files(project, lab).items():
            known.add(content, path)
    return known


def _solutions(project: Project, lab: Lab) -> Iterator[tuple[str, bytes]]:
    """Everything in solutions/NAME, as it lies there and as a student would have it after each stage."""
    folder = project.solution(lab.name)
    if not folder.is_dir():
        return
    for path, content in files_below(folder).items():
        yield f"solutions/{lab.name}/{path}", content
    for path, staged in staged_files(project, lab).items():
        for stage in lab.stages:
            text = staged.at(stage.number)
            if text is not None:
                yield f"solutions/{lab.name}/{path}", text.encode()
    reference = answer_files(project, lab, Answer("reference"))
    for mutant in load_mutants(folder):
        origin = f"solutions/{lab.name}/mutants/{mutant.name}.toml"
        yield origin, mutant.patch.encode()
        try:
            wrong = apply_mutant(mutant, reference)
        except MutantError:  # one that no longer applies is confidential as it lies there
            continue
        yield from ((origin, content) for path, content in wrong.items() if content != reference[path])


def _hidden(lab: Lab) -> Iterator[tuple[str, bytes]]:
    for path, content in files_below(lab.folder / "tests" / HIDDEN).items():
        yield f"labs/{lab.name}/tests/{HIDDEN}/{path}", content


def _hidden_names(labs: list[Lab]) -> dict[str, str]:
    """The names of hidden tests. One that another lab has as a public test is nobody's secret."""
    public = {
        lab.name: {name for content in public_tests(lab).values() for name in _test_names(content)} for lab in labs
    }
    return {
        name: origin
        for lab in labs
        for origin, content in _hidden(lab)
        for name in _test_names(content)
        if not any(name in names for other, names in public.items() if other != lab.name)
    }


def _test_names(content: bytes) -> Iterator[str]:
    for line in plain_lines(content.decode("utf-8", "replace")):
        if (match := _TEST.fullmatch(line)) is not None:
            yield match[1]
