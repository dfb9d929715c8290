"""Counts a lab's hidden tests, and shows that the public ones do without them.

Tests are counted as a grading finds them, collected by pytest. They are collected once more in a folder without the
hidden ones: if that cannot be, a student could not grade anything.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from grader.faults import ProjectFault, Ungradable
from grader.labs.lab_file import HIDDEN, Lab
from grader.labs.tree import write_files
from grader.publishing.folders import files_below
from grader.publishing.published import Hidden
from grader.publishing.version import public_tests
from grader.testing.pool import Pool
from grader.testing.verdict import Requirement


def count(lab: Lab) -> tuple[Hidden, ...]:
    """How many tests each stage has in tests/hidden, and their points. Raises ProjectFault."""
    tests = lab.folder / "tests"
    if not files_below(tests / HIDDEN):
        return ()
    everything = _collected(tests, f"labs/{lab.name}/tests")
    with tempfile.TemporaryDirectory() as folder:
        write_files(Path(folder), public_tests(lab))
        _collected(Path(folder), f"labs/{lab.name}/tests without {HIDDEN}/, as students get them,")
    hidden = [requirement for requirement in everything if requirement.hidden]
    stages = sorted({requirement.stage for requirement in hidden})
    return tuple(_of_stage(stage, hidden) for stage in stages)


def _of_stage(stage: int, hidden: list[Requirement]) -> Hidden:
    points = [requirement.points for requirement in hidden if requirement.stage == stage]
    return Hidden(stage, len(points), sum(points))


def _collected(tests: Path, what: str) -> list[Requirement]:
    with Pool(tests, 1) as pool:
        try:
            return pool.requirements()
        except Ungradable as error:
            raise ProjectFault(f"{what} cannot be collected: {error}") from error
