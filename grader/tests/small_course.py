"""A course of one small lab, published and cloned, for tests of what happens between publishing and handing in."""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from grader.paths import Project
from grader.publishing.publish import Outcome, publish
from grader.tests.small_project import LAB_TOML, put, small_project

SECRET_C = """// STAGE 1 FILE
#include "types.h"

static int doubled_and_moved(int value, int distance)
{
    const int moved = value + distance;
    return moved * 2;
}
"""

GRADED = '''from grader.testing.plugin import graded


@graded(stage={stage}, points={points})
def {name}() -> None:
    """It holds."""
'''
"""A graded test, to be formatted."""

UPPER_TOML = LAB_TOML.replace('title = "A small lab"', 'title = "An upper lab"\nbuilds_on = "small"')
"""A lab that builds on the small one."""


def course(folder: Path) -> Project:
    """The author's repository: a small project whose solution has something worth copying."""
    project = small_project(folder)
    put(
        folder,
        {
            "lab": "#!/bin/sh\n",
            "solutions/small/kernel/extra.c": SECRET_C,
            "labs/small/README.md": "# A small lab\n\nTake the value, and give it back.\n",
            "labs/small/tests/test_small.py": GRADED.format(stage=1, points=40, name="test_value"),
        },
    )
    return project


def with_upper_lab(project: Project) -> None:
    """Add the lab that builds on the small one."""
    put(
        project.root,
        {
            "labs/upper/lab.toml": UPPER_TOML.replace('remove = ["kernel/old.c"]\n', ""),
            "labs/upper/tests/test_upper.py": GRADED.format(stage=1, points=40, name="test_upper"),
            "solutions/upper/kernel/message.c": (
                '#include "types.h"\n\nint message_send(int value)\n{\n    value += 1;\n    return value;\n}\n'
                "// STAGE 1 {\nint more_than_before(void);\n// STAGE 1 }\n"
            ),
        },
    )


def published(project: Project, folder: Path, *labs: str) -> Outcome:
    """Publish without a word."""
    return publish(project, folder, labs, lambda text: None)


@functools.cache
def _once() -> Path:
    """A course and what was published of it: made once, for many tests."""
    folder = Path(tempfile.mkdtemp(prefix="kernelist-course-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    published(course(folder / "course"), folder / "out")
    return folder


def published_course(folder: Path) -> Path:
    """What `course(folder / "course")` has published to the folder that is given back."""
    shutil.copytree(_once() / "out", folder / "out")
    return folder / "out"


def git(folder: Path, *arguments: str, check: bool = True) -> str:
    """What git says, as a person with a name calls it."""
    settings = ["-c", "user.name=Ann", "-c", "user.email=ann@example.org", "-c", "pull.rebase=false"]
    done = subprocess.run(
        ["git", "-C", str(folder), *settings, *arguments],
        env={**os.environ, "LC_ALL": "C"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0 or not check, done
    return done.stdout.strip()


def clone(folder: Path, target: Path, branch: str = "main") -> Project:
    """A student's clone."""
    git(folder, "clone", "--quiet", "--branch", branch, ".", str(target.absolute()))
    return Project(target.absolute())
