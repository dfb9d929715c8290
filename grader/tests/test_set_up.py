"""Tests of the set-up: the `lab` wrapper finds its place from anywhere, the environment is whole or not there."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import environment  # noqa: E402

CLI = "import os, sys; print(__file__); print(os.getcwd()); print(sys.argv[1:]); import grader; print(grader.__file__)"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A small checkout at a path with a space, whose command line says how it was called."""
    folder = tmp_path / "a folder" / "kernelist"
    (folder / "grader").mkdir(parents=True)
    (folder / "grader" / "__init__.py").touch()
    (folder / "grader" / "__main__.py").write_text(CLI)
    (folder / "tools").mkdir()
    for name in ("lab", "requirements.txt", "tools/set_up.sh", "tools/environment.py"):
        shutil.copy(ROOT / name, folder / name)
    # An environment as set-up leaves it: an interpreter, and the requirements it was made from.
    (folder / ".venv" / "bin").mkdir(parents=True)
    (folder / ".venv" / "bin" / "python").symlink_to(sys.executable)
    shutil.copy(ROOT / "requirements.txt", folder / ".venv" / "requirements.txt")
    return folder


def called(lab: Path, *arguments: str, folder: Path) -> list[str]:
    """Lines that the checkout's command line prints when `lab` is called in `folder`."""
    variables = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "KERNELIST"))}
    return subprocess.run(
        [lab, *arguments], cwd=folder, env=variables, capture_output=True, text=True, check=True
    ).stdout.splitlines()


def test_lab_works_from_any_folder_and_keeps_it(checkout: Path, tmp_path: Path) -> None:
    """Paths on the command line are relative to where the person stands, wherever the project lies."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    lines = called(checkout / "lab", "grade", "a b", folder=elsewhere)
    assert lines[:3] == [str(checkout / "grader" / "__main__.py"), str(elsewhere), "['grade', 'a b']"]


def test_lab_can_be_linked_to(checkout: Path, tmp_path: Path) -> None:
    """A link to `lab` on the PATH finds the project behind it, through relative links too."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "lab").symlink_to("../kernelist-lab")
    (tmp_path / "kernelist-lab").symlink_to(checkout / "lab")
    lines = called(tmp_path / "bin" / "lab", folder=tmp_path)
    assert lines[0] == str(checkout / "grader" / "__main__.py")


def test_nothing_is_imported_from_the_callers_folder(checkout: Path, tmp_path: Path) -> None:
    """Who stands in a hand-in's folder does not run the hand-in's Python files."""
    handin = tmp_path / "handin"
    (handin / "grader").mkdir(parents=True)
    (handin / "grader" / "__init__.py").write_text("raise SystemExit('the hand-in was imported')")
    (handin / "os.py").write_text("raise SystemExit('the hand-in was imported')")
    lines = called(checkout / "lab", folder=handin)
    assert lines[3] == str(checkout / "grader" / "__init__.py")


def test_an_environment_serves_whoever_needs_no_more(checkout: Path) -> None:
    """A published course needs less than its author: it must not take the author's environment apart."""
    with (checkout / ".venv" / "requirements.txt").open("a") as made_from:
        made_from.write("another==1.0\n")
    assert called(checkout / "lab", folder=checkout)
    assert environment.is_ready(checkout / ".venv", checkout / "requirements.txt")
    assert not environment.is_ready(checkout / ".venv", checkout / ".venv" / "nothing.txt")


def test_an_environment_is_ready_only_with_the_same_requirements(tmp_path: Path) -> None:
    """A half-made environment, one of other pins, or one whose interpreter went away is made anew."""
    requirements, venv = tmp_path / "requirements.txt", tmp_path / ".venv"
    requirements.write_text("pytest==9.0.1\n")
    (venv / "bin").mkdir(parents=True)
    (venv / "bin" / "python").symlink_to(sys.executable)
    assert not environment.is_ready(venv, requirements), "the copy of the requirements is written last"
    shutil.copy(requirements, venv)
    assert environment.is_ready(venv, requirements)
    requirements.write_text("pytest==9.0.2\n")
    assert not environment.is_ready(venv, requirements)
    shutil.copy(requirements, venv)
    (venv / "bin" / "python").unlink()
    (venv / "bin" / "python").symlink_to(tmp_path / "gone")
    assert not environment.is_ready(venv, requirements)


@pytest.mark.parametrize(
    "fault", [KeyboardInterrupt(), environment.EnvironmentFailed("no network"), OSError(28, "full")]
)
def test_a_failed_or_interrupted_set_up_leaves_nothing(
    fault: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ctrl-C, no network, a full disk: the next run starts afresh, and a person is told in a line."""

    def fail(directory: Path, _requirements: Path) -> None:
        directory.mkdir()
        (directory / "half").touch()
        raise fault

    requirements, venv = tmp_path / "requirements.txt", tmp_path / ".venv"
    requirements.touch()
    monkeypatch.setattr(environment, "make", fail)
    monkeypatch.setattr(sys, "argv", ["environment.py", str(venv), str(requirements)])
    assert environment.main() == (130 if isinstance(fault, KeyboardInterrupt) else 1)
    assert not venv.exists()
    assert capsys.readouterr().err.splitlines()[-1].startswith("kernelist: ")


def test_a_folder_that_is_no_environment_is_left_alone(tmp_path: Path) -> None:
    """KERNELIST_ENVIRONMENT that names a person's own folder must not cost them its contents."""
    requirements = tmp_path / "requirements.txt"
    requirements.touch()
    home = tmp_path / "home"
    home.mkdir()
    (home / "thesis.tex").touch()
    with pytest.raises(environment.EnvironmentFailed, match="left alone"):
        environment.make(home, requirements)
    assert (home / "thesis.tex").exists()


def test_the_requirements_are_pinned_and_name_no_address() -> None:
    """Every package has one version, and where it comes from is the machine's business."""
    lines = [line for line in (ROOT / "requirements.txt").read_text().splitlines() if line and not line.startswith("#")]
    assert all("==" in line for line in lines)
    assert "://" not in "".join(lines)
