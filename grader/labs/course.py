"""What can be graded here, by the names that people type, and which answer is meant when none is named."""

from __future__ import annotations

from grader.faults import WrongUse
from grader.labs.lab_file import Lab, load_lab
from grader.names import near
from grader.paths import Project

BASELINE = "baseline"
"""The lab that is none: the kernel that every other one starts from, with its own tests."""


def find(project: Project, name: str) -> Lab:
    """A lab. Raises WrongUse with the near names when there is none of that name, LabFileError."""
    known = project.lab_names()
    if name not in known:
        raise WrongUse(f"there is no lab {name!r}{near(name, known)}\nthe labs are: {', '.join(known) or 'none here'}")
    return load_lab(project, name)


def default_answer(project: Project, lab: Lab) -> str:
    """The reference where there are solutions; elsewhere the files of this checkout, which is then a student's."""
    return "reference" if project.solution(lab.name).is_dir() else "own"
