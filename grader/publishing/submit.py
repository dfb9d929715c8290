"""`./lab submit`: grades what would be handed in once more, and packs just that.

The files are read once. What is packed is what was read, and if the files changed while they were graded, nothing is
packed: the score would be another's.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from grader.faults import HandinFault, WrongUse
from grader.labs.handin import CONFLICT, Handin, read_handin
from grader.labs.lab_file import Lab
from grader.labs.tree import digest, given_files
from grader.paths import Project
from grader.publishing import archive, version
from grader.publishing.checkout import Checkout, listed
from grader.publishing.git import GitFailed
from grader.testing.verdict import Grading
from grader.untrusted import plain

OWN = "own"

Judge = Callable[[], Grading]


@dataclass(frozen=True)
class Submission:
    """What was packed: the file, its contents, the score that was reached here, what the student should know."""

    path: Path
    files: Mapping[str, bytes]
    manifest: archive.Manifest
    notes: tuple[str, ...]


def submit(project: Project, lab: Lab, answer: str, output: Path, judge: Judge, *, anyway: bool) -> Submission:
    """Pack an answer, own or a path. `judge` grades that same answer.

    Raises HandinFault when it is no answer or does not build (unless `anyway`), WrongUse, Ungradable.
    """
    target = output / f"{lab.name}-handin.zip" if output.is_dir() else output
    archive.replaceable(target)
    root = project.root if answer == OWN else Path(answer)
    handin = read_handin(root, lab, given_files(project, lab))
    if not handin.files:
        handin.check()
    reasons = _faults(handin)
    score: tuple[float, float] | None = None
    if not reasons:
        grading = judge()
        reasons = _refusals(grading)
        score = (grading.score, grading.max_score) if grading.gradable else None
        if grading.hashes.get("hand_in", digest(handin.files)) != digest(handin.files):
            raise WrongUse("your files changed while they were graded: nothing is packed. Run ./lab submit again")
    if reasons and not anyway:
        raise HandinFault("\n".join([*reasons, "Nothing is packed. To hand it in as it is: ./lab submit --anyway"]))
    content = digest(handin.files)
    manifest = archive.Manifest(lab.name, version.of_lab(project, lab), content, score)
    archive.write(target, archive.pack(handin.files, manifest))
    if archive.manifest_of(target) is None or digest(read_handin(target, lab).files) != content:
        raise HandinFault(f"{target} does not hold what was written: is the disk sound? Try another --output FILE")
    notes = [*handin.notes, *reasons, *(_uncommitted(root, handin) if answer == OWN else [])]
    return Submission(target, handin.files, manifest, tuple(notes))


def _faults(handin: Handin) -> list[str]:
    """What is wrong with the files before anything is built."""
    faults = [str(problem) for problem in handin.problems if problem.fatal]
    conflicts = sorted(path for path, content in handin.files.items() if CONFLICT.search(content))
    if conflicts:
        faults.append(
            f"two versions of the same lines stand in {listed(conflicts)}: edit what is between <<<<<<< and >>>>>>>"
        )
    return faults


def _refusals(grading: Grading) -> list[str]:
    """Why what was graded should not be handed in: it does not build, or nobody knows."""
    if not grading.gradable:
        lost = [test.outcome.message for test in grading.tests if test.outcome.verdict == "ungradable"]
        why = grading.message or (lost[0] if lost else "it was interrupted")
        return [f"it could not be graded here, by no fault of yours: {plain(why)}"]
    if grading.build_output:
        return [f"it does not compile, and would get 0 points:\n{plain(grading.build_output)}"]
    return [f"it would get 0 points: {plain(grading.message)}"] if grading.message else []


def _uncommitted(root: Path, handin: Handin) -> list[str]:
    """A note on files that are packed as they lie there, and not as git knows them."""
    checkout, unsaved = Checkout.at(root), []
    with contextlib.suppress(GitFailed):  # a note is all that is lost
        unsaved = sorted(set(checkout.unsaved()) & set(handin.files)) if checkout is not None else []
    if not unsaved:
        return []
    return [f"not committed yet, and packed as it is now: {listed(unsaved)} (git add -A && git commit keeps it)"]
