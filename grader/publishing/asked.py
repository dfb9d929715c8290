"""Which lab and which answer are meant: by the words on the command line, by the archive, or by the checkout itself."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from grader.faults import WrongUse
from grader.labs import course
from grader.labs.handin import read_handin
from grader.labs.handin_source import Unreadable, open_source
from grader.labs.lab_file import Lab
from grader.labs.tree import Answer, digest
from grader.names import near
from grader.paths import Project
from grader.publishing import published, version
from grader.publishing.archive import Manifest, manifest_of
from grader.publishing.checkout import refuse_unfinished
from grader.publishing.published import MAIN


@dataclass(frozen=True)
class Asked:
    """A lab, an answer as --answer has it, and sentences for whoever reads the result."""

    lab: Lab
    answer: str
    notes: tuple[str, ...] = ()
    by_default: bool = False
    """Whether no answer was named, and the project's default is meant."""


def asked(project: Project, lab: str | None, answer: str, *, default: str = "") -> Asked:
    """What is meant. `lab` may be the path of an archive that ./lab submit made; left out, it is the checkout's own.

    `default` is the lab that is meant where the checkout has none of its own. Raises WrongUse.
    """
    if lab is not None and not answer and lab not in project.lab_names() and Path(lab).exists():
        return _of_archive(project, lab)
    if lab is not None and ("/" in lab or Path(lab).suffix):
        raise WrongUse(f"there is no file {lab}, and no lab has that name: {', '.join(project.lab_names())}")
    known = find(project, lab, default=default)
    chosen = answer or course.default_answer(project, known)
    if chosen == "own":
        refuse_unfinished(project.root)
    hidden = _hidden_note(project)
    if Answer.parse(chosen).kind != "path":
        return Asked(known, chosen, hidden, by_default=not answer)
    manifest = manifest_of(Path(chosen))
    if manifest is not None and manifest.lab != known.name:
        raise WrongUse(
            f"{chosen} was packed for the lab {manifest.lab!r}, not for {known.name}: "
            f"./lab grade {chosen} grades it as what it is"
        )
    return Asked(known, chosen, (*hidden, *_version_note(project, known, manifest, chosen)))


def find(project: Project, name: str | None, *, default: str = "") -> Lab:
    """A lab by its name, or the checkout's own. Raises WrongUse, in a student's checkout with the way to the lab."""
    about = published.load(project)
    name = name or (about.lab if about is not None else "") or default
    if not name:
        raise WrongUse(f"which lab? Name it: {', '.join(project.lab_names())} (./lab list says more)")
    if about is None or name in project.lab_names():
        return course.find(project, name)
    here = f"the lab {about.lab}" if about.lab else "the baseline"
    meant = near(name, [*project.lab_names(), *(offer.name for offer in about.labs)])
    if not re.fullmatch(r"[\w-]+", name):
        raise WrongUse(f"no lab is called {name!r}{meant}; this checkout is {here}")
    way = (
        f"the baseline is on the branch {MAIN}: git switch {MAIN}" if name == course.BASELINE else f"./lab start {name}"
    )
    raise WrongUse(f"this checkout is {here}, on the branch {about.branch}{meant}\nto go elsewhere: {way}")


def _of_archive(project: Project, path: str) -> Asked:
    manifest = manifest_of(Path(path))
    if manifest is None:
        _check_readable(path)
        raise WrongUse(f"{path} does not say of which lab it is: ./lab grade LAB --answer {path}")
    if manifest.lab not in project.lab_names():
        about = published.load(project)
        way = f": ./lab start {manifest.lab}" if about is not None else ""
        raise WrongUse(f"{path} was packed for the lab {manifest.lab!r}, which is not here{way}")
    lab = course.find(project, manifest.lab)
    return Asked(lab, path, (*_hidden_note(project), *_version_note(project, lab, manifest, path)))


def _check_readable(path: str) -> None:
    """Raise WrongUse with the reason where an archive says nothing because it is cut off, empty, or none."""
    try:
        open_source(Path(path))
    except Unreadable as reason:
        raise WrongUse(f"{path}: {reason}") from reason


def _hidden_note(project: Project) -> tuple[str, ...]:
    about = published.load(project)
    note = published.hidden_note(about.hidden) if about is not None else ""
    return (note,) if note else ()


def _version_note(project: Project, lab: Lab, manifest: Manifest | None, path: str) -> tuple[str, ...]:
    """Notes on an archive that was packed for another version of the lab, or changed since."""
    if manifest is None:
        return ()
    notes = []
    here = version.of_lab(project, lab)
    if here and manifest.version != here:
        notes.append(
            f"packed for another version of the lab ({manifest.version}, here it is {here}), and graded by this one. "
            "If it does not fit any more: git pull, then ./lab submit again"
        )
    if digest(read_handin(Path(path), lab).files) != manifest.content:
        notes.append("changed after ./lab submit packed it: graded as it is now")
    return tuple(notes)
