"""What can be graded here: the labs, and the baseline itself, which is graded like a lab but hands nothing in."""

from __future__ import annotations

from grader.faults import WrongUse
from grader.lab_file import Lab, Stage, load_lab, load_labs
from grader.names import near
from grader.paths import Project

BASELINE = "baseline"
"""The name under which the baseline's own behaviour is tested; its tests lie in labs/baseline/tests."""


def baseline(project: Project) -> Lab:
    """The baseline, as a lab without an answer."""
    return Lab(
        name=BASELINE,
        title="The baseline kernel",
        summary="The kernel that every lab starts from, with its own tests.",
        folder=project.labs / BASELINE,
        stages=(Stage(1, "Behaviour, one by one", 0),),
        handin=(),
    )


def names(project: Project) -> list[str]:
    """All names that a command takes for LAB."""
    return [BASELINE, *(name for name in project.lab_names() if name != BASELINE)]


def find(project: Project, name: str) -> Lab:
    """A lab, or the baseline. Raises WrongUse with the near names when there is none, LabFileError."""
    known = names(project)
    if name not in known:
        raise WrongUse(f"there is no lab {name!r}{near(name, known)}\nthe labs are: {', '.join(known)}")
    return baseline(project) if name == BASELINE else load_lab(project, name)


def all_labs(project: Project) -> list[Lab]:
    """Every lab without the baseline, in alphabetical order. Raises LabFileError."""
    return [lab for lab in load_labs(project) if lab.name != BASELINE]


def default_answer(project: Project, lab: Lab) -> str:
    """The reference where there are solutions, the student's own files elsewhere; nothing for the baseline."""
    if not lab.handin:
        return "none"
    return "reference" if project.solution(lab.name).is_dir() else "own"
