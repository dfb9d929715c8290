"""What a solution's file says stood there before the first stage is what the baseline says: neither drifts alone."""

from __future__ import annotations

import pytest

from grader.labs.lab_file import load_lab
from grader.labs.tree import staged_files
from grader.paths import Project

PROJECT = Project.here()
LABS = [name for name in PROJECT.lab_names() if PROJECT.solution(name).is_dir()]


@pytest.mark.parametrize("name", LABS)
def test_a_starters_file_is_the_baselines_unless_it_states_a_task(name: str) -> None:
    """A file of the baseline that a solution changes must, without all stages, be the baseline's to the letter."""
    for path, staged in staged_files(PROJECT, load_lab(PROJECT, name)).items():
        baseline = PROJECT.root / path
        starter = staged.at(0)
        if starter is None or not baseline.is_file() or "TASK" in starter:
            continue
        assert starter == baseline.read_text(encoding="utf-8"), f"solutions/{name}/{path} before stage 1 is not {path}"
