"""Composes a tree: baseline + the lab's own files + an answer, always the same for the same sources.

    kernel/      the baseline with what lab.toml copies and without what it removes, over it labs/NAME/kernel/, over it
                 the answer
    probes/      grader/probes/ (probe.h, probe.c) and labs/NAME/probes/

A lab that `builds_on` another starts from that one's tree with the reference in it, in the baseline's place. In a
student's checkout, what a lab starts from lies as a whole in labs/NAME/base/kernel/: publishing writes it there, for
kernel/ is the student's, and nothing of the other lab needs to be there.

A tree is composed in memory, as a map from paths to contents. `given` is the kernel without the answer: the grader's
probes are compiled in that, so that no header of a hand-in can change what a probe does. Whatever a probe includes
must therefore be the baseline's or the lab's own, not a file that is handed in.

The answers:
- none: nothing (the baseline itself, or a lab as it is without any answer);
- starter, reference, stage:K: the files of solutions/NAME with the stages' markers resolved (see stages.py);
- mutant:NAME: the reference with one patch (see mutants.py);
- own: of the files of this checkout, which is then a student's, those that are handed in;
- a path: a hand-in, a folder or an archive (see handin.py), the only one that is not trusted.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from grader.faults import WrongUse
from grader.labs.handin import read_handin
from grader.labs.lab_file import Lab, load_lab
from grader.labs.mutants import apply_mutant, load_mutant, load_mutants
from grader.labs.stages import MarkerError, StagedFile, parse
from grader.paths import Project

KINDS = ("none", "starter", "reference", "own")
# Of a solution's folder, what is no part of the answer.
NOT_ANSWER = ("mutants", "tests")
LEAVINGS = ("~", ".o", ".d", ".orig", ".rej", ".swp", ".pyc")


@dataclass(frozen=True)
class Answer:
    """What is put into a lab's place. kind: none, starter, reference, own, stage, mutant, path."""

    kind: str
    value: str = ""

    @staticmethod
    def parse(text: str) -> Answer:
        """Read --answer: starter, reference, stage:K, mutant:NAME, own, none, or a PATH. Raises WrongUse."""
        if text in KINDS:
            return Answer(text)
        kind, colon, value = text.partition(":")
        if colon and kind in ("stage", "mutant"):
            if not value or (kind == "stage" and not value.isdecimal()):
                raise WrongUse(f"--answer {text}: write stage:2 or mutant:NAME")
            return Answer(kind, value)
        if not text:
            raise WrongUse("--answer is empty: starter, reference, stage:K, mutant:NAME or a path")
        return Answer("path", text)

    def __str__(self) -> str:
        if self.kind == "path":
            return self.value
        return f"{self.kind}:{self.value}" if self.value else self.kind


@dataclass(frozen=True)
class Tree:
    """A composed tree, in memory. Keys are paths relative to the tree, with /; values are contents.

    `files`: kernel/ with the answer. `given`: kernel/ without it. `probes`: probes/. `answer`: the answer's files.
    `notes`: sentences for the student (a file that was ignored). `trusted`: not from a hand-in, so that what is
    compiled from it may be used again.
    """

    label: str
    files: Mapping[str, bytes]
    given: Mapping[str, bytes]
    probes: Mapping[str, bytes]
    answer: Mapping[str, bytes]
    notes: tuple[str, ...] = ()
    trusted: bool = True

    @cached_property
    def digest(self) -> str:
        """Hash over all paths and contents, in hexadecimal."""
        return digest({**self.files, **self.probes})

    @cached_property
    def given_digest(self) -> str:
        """Hash over what probes are made of: the same for every answer of a lab."""
        return digest({**self.given, **self.probes})

    @cached_property
    def answer_digest(self) -> str:
        """Hash over the answer's paths and contents: the same hand-in has the same."""
        return digest(self.answer)


def digest(files: Mapping[str, bytes]) -> str:
    """SHA-256 over sorted paths and contents, neither of which can be taken for the other."""
    total = hashlib.sha256()
    for path, content in sorted(files.items()):
        name = path.encode("utf-8", "surrogateescape")
        total.update(b"%d %d\n" % (len(name), len(content)) + name + content)
    return total.hexdigest()


def compose(project: Project, lab: Lab | None, answer: Answer) -> Tree:
    """Compose a tree; lab None: the baseline alone.

    Raises HandinFault (0 points), WrongUse (no such stage, mutant or path), MarkerError, MutantError (our own fault).
    """
    probes = dict(_read_folder(project.probes, "probes/", only=(".c", ".h")))
    if lab is None:
        if answer.kind not in ("none", "own"):
            raise WrongUse("the baseline alone has no answers: name a lab")
        baseline = dict(_read_folder(project.kernel, "kernel/"))
        return Tree("baseline", baseline, baseline, probes, {})
    given = given_files(project, lab)
    probes.update(_read_folder(lab.folder / "probes", "probes/"))
    notes: tuple[str, ...] = ()
    if answer.kind in ("path", "own"):
        handin = read_handin(Path(answer.value) if answer.kind == "path" else project.root, lab, given)
        handin.check()
        files: Mapping[str, bytes] = handin.files
        # Of own files only in a student's checkout, where what they were made from lies beside the lab.
        notes = handin.notes if answer.kind == "path" or (lab.folder / "base").is_dir() else ()
    else:
        files = answer_files(project, lab, answer)
    label = f"{lab.name}: {answer}"
    return Tree(label, {**given, **files}, given, probes, files, notes, trusted=answer.kind != "path")


def given_files(project: Project, lab: Lab) -> dict[str, bytes]:
    """The kernel of a lab's tree without the answer. Raises WrongUse when lab.toml names a file or lab not there."""
    given = base_files(project, lab)
    base = lab.builds_on or "baseline"
    for path, source in lab.copy.items():
        if source not in given:
            raise WrongUse(f"labs/{lab.name}/lab.toml: [copy]: the {base} has no {source}")
        given[path] = given[source]
    for path in lab.remove:
        if given.pop(path, None) is None:
            raise WrongUse(f"labs/{lab.name}/lab.toml: remove: the {base} has no {path}")
    given.update(_read_folder(lab.folder / "kernel", "kernel/"))
    return given


def base_files(project: Project, lab: Lab) -> dict[str, bytes]:
    """The kernel that a lab starts from: the baseline, or the finished kernel of the lab it builds on.

    Raises WrongUse when there is neither that lab's solution nor the folder that stands for it.
    """
    if lab.builds_on is None:
        return dict(_read_folder(project.kernel, "kernel/"))
    if not project.solution(lab.builds_on).is_dir():
        published = lab.folder / "base" / "kernel"
        if not published.is_dir():
            raise WrongUse(
                f"labs/{lab.name}/lab.toml: builds_on: there is neither solutions/{lab.builds_on} nor, as in what is "
                f"published, labs/{lab.name}/base/kernel"
            )
        return dict(_read_folder(published, "kernel/"))
    base = load_lab(project, lab.builds_on)
    if base.builds_on is not None:
        raise WrongUse(
            f"labs/{lab.name}/lab.toml: builds_on: {base.name} builds on {base.builds_on} itself: one is all"
        )
    return {**given_files(project, base), **answer_files(project, base, Answer("reference"))}


def answer_files(project: Project, lab: Lab, answer: Answer) -> dict[str, bytes]:
    """The files of one of the project's own answers, as a student would hand them in."""
    if answer.kind == "none":
        return {}
    last = lab.stages[-1].number
    stage = {"starter": 0, "reference": last, "mutant": last}.get(answer.kind)
    if stage is None:
        stage = int(answer.value)
        if not 0 <= stage <= last:
            raise WrongUse(f"the lab {lab.name} has stages 1 to {last}: there is no stage {stage}")
    folder = project.solution(lab.name)
    if not folder.is_dir():
        raise WrongUse(
            f"there is no solutions/{lab.name} here: only your own files (--answer own) or a path can be graded"
        )
    files = {}
    for path, staged in staged_files(project, lab).items():
        text = staged.at(stage)
        if text is not None:
            files[path] = text.encode("utf-8")
    if answer.kind != "mutant":
        return files
    mutant = load_mutant(folder, answer.value)
    if mutant is None:
        names = ", ".join(known.name for known in load_mutants(folder)) or "none"
        raise WrongUse(f"the lab {lab.name} has no mutant {answer.value!r}: there are {names}")
    return apply_mutant(mutant, files)


def staged_files(project: Project, lab: Lab) -> dict[str, StagedFile]:
    """The marked files of a lab's solution, checked against its lab.toml. Raises MarkerError."""
    folder, last = project.solution(lab.name), lab.stages[-1].number
    found = {}
    for path, content in _read_folder(folder, ""):
        if path.split("/")[0] in NOT_ANSWER or "/" not in path:
            continue
        name = f"solutions/{lab.name}/{path}"
        if not lab.takes(path):
            raise MarkerError(name, 1, f"labs/{lab.name}/lab.toml does not list {path} among the files handed in")
        try:
            found[path] = parse(content.decode("utf-8"), name)
        except UnicodeDecodeError as error:
            raise MarkerError(name, content.count(b"\n", 0, error.start) + 1, "is not UTF-8 text") from error
        if any(stage > last for stage in found[path].stages()):
            raise MarkerError(name, 1, f"has a marker of a stage after the last one ({last})")
        if found[path].exists_from and path in lab.required:
            raise MarkerError(name, 1, "a file that the starter does not have must be optional in lab.toml (a pattern)")
    for path in lab.required:
        if path not in found:
            raise MarkerError(f"solutions/{lab.name}/{path}", 1, "is missing, though lab.toml demands it of students")
    return found


def write_tree(tree: Tree, folder: Path) -> None:
    """Write a tree into a new or empty folder (kernel/, probes/). Raises WrongUse when something is there."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise WrongUse(f"{folder} is not empty: name a new folder")
    try:
        write_files(folder, {**tree.files, **tree.probes})
    except BaseException:  # a full disk, Ctrl-C: half a tree would be in the way of the next attempt
        shutil.rmtree(folder, ignore_errors=True)
        raise


def write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write contents to paths below `folder`, which is made if it is missing."""
    for parent in sorted({(folder / path).parent for path in files} | {folder}):
        parent.mkdir(parents=True, exist_ok=True)
    for path, content in files.items():
        (folder / path).write_bytes(content)


def _read_folder(folder: Path, prefix: str, only: tuple[str, ...] = ()) -> Iterator[tuple[str, bytes]]:
    """All files of one of the project's own folders, sorted, with `prefix` before their names."""
    for file in sorted(_files_below(folder)):
        if not only or file.suffix in only:
            yield prefix + file.relative_to(folder).as_posix(), file.read_bytes()


def _files_below(folder: Path) -> Iterable[Path]:
    if not folder.is_dir():
        return
    for entry in folder.iterdir():
        if entry.name.startswith(".") or entry.name.endswith(LEAVINGS) or entry.name in ("build", "__pycache__"):
            continue
        if entry.is_dir():
            yield from _files_below(entry)
        elif entry.is_file():
            yield entry
