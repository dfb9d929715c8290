"""The version of a lab: a hash over what a hand-in is made for, the same where it is published and where it is graded.

The handout is no part of it, nor are the hidden tests and the grader: a better sentence makes nobody's archive old.
"""

from __future__ import annotations

from grader.labs.lab_file import HIDDEN, Lab
from grader.labs.tree import Answer, compose, digest
from grader.paths import Project
from grader.publishing import published
from grader.publishing.folders import files_below


def public_tests(lab: Lab) -> dict[str, bytes]:
    """The tests that students get: paths below labs/NAME/tests, and contents."""
    return files_below(lab.folder / "tests", leave_out=(HIDDEN,))


def of_lab(project: Project, lab: Lab) -> str:
    """A lab's version; in a published checkout the one that stands there. Raises what composing raises."""
    known = published.load(project)
    if known is not None:
        return known.version if known.lab == lab.name else ""
    starter = compose(project, lab, Answer("starter"))
    tests = {f"tests/{path}": content for path, content in public_tests(lab).items()}
    rules = {"lab.toml": (lab.folder / "lab.toml").read_bytes(), "given": digest(starter.given).encode()}
    return digest({**starter.files, **starter.probes, **tests, **rules})[:12]
