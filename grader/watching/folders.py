"""Which folders hold what a verdict depends on: the answer, the lab, the baseline, and the grader itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from grader.labs.handin_source import FOLDER, Unreadable, open_source
from grader.labs.lab_file import Lab
from grader.labs.tree import Answer
from grader.paths import Project

LEFT_OUT = ("__pycache__", "build")


def folders(project: Project, lab: Lab | None, answer: Answer) -> set[Path]:
    """Every folder to be watched, each without what lies deeper. Where one is missing, the nearest above it."""
    root = project.root
    found = {root, root / "labs", *_below(root / "kernel"), *_below(root / "grader")}
    if (root / ".git").is_dir():
        found.add(root / ".git")  # a merge that begins or ends there
    for name in filter(None, (lab.name, lab.builds_on) if lab is not None else ()):
        found |= {*_below(root / "labs" / name), *_below(project.solution(name))}
    if answer.kind == "path":
        found |= set(_of_handin(Path(answer.value).absolute()))
    return {_nearest(folder) for folder in found}


def _below(folder: Path) -> Iterator[Path]:
    """A folder and all below it, as tree.py reads them."""
    yield folder
    if not folder.is_dir():
        return
    for entry in sorted(folder.iterdir()):
        if entry.is_dir() and not entry.name.startswith(".") and entry.name not in LEFT_OUT:
            yield from _below(entry)


def _of_handin(path: Path) -> Iterator[Path]:
    """The folder of a hand-in with what counts in it, or the folder that its archive lies in."""
    yield path.parent
    if not path.is_dir():
        return
    yield path
    try:
        names = open_source(path).names
    except (OSError, Unreadable):
        return
    for name, kind in names.items():
        parts = name.split("/")
        if kind == FOLDER and ("kernel" in parts[:2] or (len(parts) == 1 and not name.startswith("."))):
            yield path / name


def _nearest(folder: Path) -> Path:
    """The folder, or the first above it that is there."""
    return next(place for place in (folder, *folder.parents) if place.is_dir())
