"""What a solution's file says stood there before the first stage is what the lab starts from: neither drifts alone."""

from __future__ import annotations

import pytest

from grader.labs.lab_file import load_lab
from grader.labs.tree import base_files, staged_files
from grader.paths import Project

PROJECT = Project.here()
LABS = [name for name in PROJECT.lab_names() if PROJECT.solution(name).is_dir()]


@pytest.mark.parametrize("name", LABS)
def test_a_starters_file_is_the_baselines_unless_it_states_a_task(name: str) -> None:
    """A file that a solution changes must, without all stages, be the baseline's, or the base lab's, to the letter."""
    lab = load_lab(PROJECT, name)
    base = base_files(PROJECT, lab)
    for path, staged in staged_files(PROJECT, lab).items():
        starter = staged.at(0)
        if starter is None or path not in base or "TASK" in starter:
            continue
        wanted = f"{path} of {lab.builds_on or 'the baseline'}"
        assert starter == base[path].decode("utf-8"), f"solutions/{name}/{path} before stage 1 is not {wanted}"
