"""The real warm-up lab, published and cloned: the commands as an instructor and a student type them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from grader.paths import Project
from grader.tests.small_course import git
from grader.tests.small_project import put
from grader.tests.test_editor import explored

HERE = Project.here().root
PARTS = (
    *("grader", "kernel", "tools", "labs/baseline", "labs/boot", "labs/conftest.py", "solutions/boot", ".vscode"),
    *(
        ".devcontainer",
        "docker",
        "docs/macos.md",
        ".dockerignore",
        ".gitattributes",
        "lab",
        "Makefile",
        "LICENSE",
        ".gitignore",
        "pyproject.toml",
        "requirements.txt",
    ),
)


def lab(root: Path, *arguments: str, status: int = 0) -> str:
    """What the command line of the checkout at `root` says."""
    done = subprocess.run(
        [sys.executable, "-m", "grader", *arguments],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root), "PYTHONSAFEPATH": "1", "PYTHONDONTWRITEBYTECODE": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status and "Traceback" not in done.stderr, done
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The author's repository, with this one lab."""
    folder = tmp_path_factory.mktemp("author") / "a course"
    for part in PARTS:
        (folder / part).parent.mkdir(parents=True, exist_ok=True)
        if (HERE / part).is_dir():
            shutil.copytree(HERE / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(HERE / part, folder / part)
    return folder


@pytest.fixture(scope="module")
def target(course: Path) -> Path:
    """What is published, and what is said of it."""
    folder = course.parent / "published"
    said = lab(course, "publish", str(folder))
    assert "lab/boot: " in said and "no solution, mutant or hidden test is in it" in said
    return folder


@pytest.fixture
def student(target: Path, tmp_path: Path) -> Path:
    """A clone."""
    git(target, "clone", "--quiet", ".", str(tmp_path / "student"))
    return tmp_path / "student"


def test_from_the_clone_to_the_lab(student: Path) -> None:
    """`list` on main says how to begin; on the lab's branch it says what the lab is."""
    assert "boot: Warm-up: tools, GDB, a first change (100 points): ./lab start boot" in lab(student, "list")
    assert "./lab start boot " in (student / "README.md").read_text()
    assert "to go elsewhere: ./lab start boot" in lab(student, "grade", "boot", status=2)
    assert "which lab" in lab(student, "grade", status=2)
    lab(student, "start", "boot")
    assert lab(student, "list").startswith("boot: ")
    assert "git switch main" in lab(student, "run", "baseline", status=2)
    assert "there is no solutions/boot here" in lab(
        student, "tree", "boot", "--answer", "starter", "--output", "x", status=2
    )
    offered = lab(student, "--help")
    assert "own " in offered and not re.search("mutant|reference|prove|publish", offered)


def test_nothing_of_the_authors_workshop_is_there(student: Path) -> None:
    """Neither targets that cannot work, nor the grader's own tests; the history is clean, seen from the clone too."""
    help_text = subprocess.run(["make", "help"], cwd=student, capture_output=True, text=True, check=True).stdout
    assert "make submit" in help_text and "make test" not in help_text and "make publish" not in help_text
    assert (
        not (student / "grader/tests").exists()
        and "test everything" not in (student / ".vscode/tasks.json").read_text()
    )
    assert "this is a student's checkout" in lab(student, "publish", str(student.parent / "again"), status=2)


def test_an_editor_finds_what_it_needs(student: Path) -> None:
    """The test explorer lists the lab's tests and explains a failure as the board does; tasks ask for this lab."""
    lab(student, "start", "boot")
    (student / ".cache").mkdir()
    for kind in ("builds", "probes"):  # what is built here is built once for both
        (Project.here().cache / kind).mkdir(exist_ok=True)
        (student / ".cache" / kind).symlink_to(Project.here().cache / kind)
    listed = explored(student, "--collect-only").stdout
    assert "labs/boot/tests/test_uptime.py::test_an_unmapped_buffer_is_refused" in listed and "11 tests" in listed
    run = explored(student, "labs/boot/tests/test_uptime.py::test_an_unmapped_buffer_is_refused")
    assert run.returncode == 1 and "1 failed" in run.stdout, run.stdout + run.stderr
    for words in (
        "FAIL test_an_unmapped_buffer_is_refused",
        "required ",
        "instead ",
        "usually means",
        "\u2502 539kernel",
    ):
        assert words in run.stdout, run.stdout
    assert "./lab debug boot test_an_unmapped_buffer_is_refused" in run.stdout and "Traceback" not in run.stdout
    assert '"default": "boot"' in (student / ".vscode/tasks.json").read_text()
    (student / "kernel/journal.c").write_text("int journal_add(int value) { return valeu; }\n")
    broken = explored(student, "labs/boot/tests/test_uptime.py::test_an_unmapped_buffer_is_refused")
    assert broken.returncode == 1 and "kernel/journal.c:1:" in broken.stdout and "valeu" in broken.stdout


def test_the_images_are_published(student: Path) -> None:
    """The Dockerfile, the development container that it makes, and what a Mac needs."""
    settings = (student / ".devcontainer/devcontainer.json").read_text()
    assert (student / ".devcontainer" / "../docker/Dockerfile").exists() and '"../docker/Dockerfile"' in settings
    assert (student / "docs/macos.md").exists() and (student / ".dockerignore").exists()
    assert os.access(student / "docker/grade", os.X_OK)


def test_the_authors_check_of_a_clone(course: Path, student: Path) -> None:
    """Any repository can be searched, not only the one that publish made; status 1 when it leaks."""
    assert "no solution, mutant or hidden test" in lab(course, "publish", str(student), "--check")
    solution = (course / "solutions/boot/kernel/lab_calls.c").read_text()
    put(student, {"kernel/mine.c": solution})
    git(student, "add", "--all")
    git(student, "commit", "--quiet", "--message", "mine")
    said = lab(course, "publish", str(student), "--check", status=1)
    assert "kernel/mine.c" in said and "of solutions/boot/kernel/lab_calls.c" in said


def test_the_students_files_are_composed_as_the_author_would(course: Path, student: Path, tmp_path: Path) -> None:
    """The tree of the untouched branch is the starter's, file by file."""
    lab(student, "start", "boot")
    lab(student, "tree", "boot", "--output", str(tmp_path / "own"))
    lab(course, "tree", "boot", "--answer", "starter", "--output", str(tmp_path / "starter"))
    done = subprocess.run(["diff", "-r", tmp_path / "own", tmp_path / "starter"], capture_output=True, text=True)
    assert done.stdout == ""


def test_handing_in_without_a_compiler(course: Path, student: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It cannot be graded, so it is packed only when told; what is packed is taken for what it is."""
    lab(student, "start", "boot")
    (student.parent / "bin").mkdir()
    (student.parent / "bin/git").symlink_to(shutil.which("git") or "git")
    with monkeypatch.context() as changed:
        changed.setenv("PATH", str(student.parent / "bin"))
        assert "could not be graded here" in lab(student, "submit", "-j", "1", status=2)
    (student / "kernel/journal.c").unlink()
    assert "kernel/journal.c: is missing" in lab(student, "submit", status=2)
    assert "not graded here" in lab(student, "submit", "--anyway")
    archive = student / "boot-handin.zip"
    assert "kernel/scheduler.c" in zipfile.ZipFile(archive).namelist()
    assert git(student, "status", "--porcelain") == "D kernel/journal.c"
    said = lab(course, "grade", str(archive), "-j", "1")
    assert "kernel/journal.c: is missing" in said and "Score: 0 of 100" in said
    assert "here are the solutions" in lab(course, "submit", "boot", status=2)
