"""Which folders hold what a verdict depends on: the answer, the lab, the baseline, and the grader itself.

Folders around them, the project's own top or the home that a hand-in lies in, are full of other things: of these only
certain names matter.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from grader.labs.handin_source import FOLDER, Unreadable, open_source
from grader.labs.lab_file import Lab
from grader.labs.tree import Answer
from grader.paths import Project
from grader.publishing import published
from grader.publishing.checkout import UNFINISHED

LEFT_OUT = ("__pycache__", "build")

Watched = dict[Path, frozenset[str] | None]
"""Folders, each without what lies deeper, and the names in it that matter; None: all."""


def watched(project: Project, lab: Lab | None, answer: Answer) -> Watched:
    """Every folder to be watched. Where one is missing, the nearest above it stands for it."""
    root = project.root
    whole = {*_below(root / "kernel"), *_below(root / "grader")}
    for name in filter(None, (lab.name, lab.builds_on) if lab is not None else ()):
        whole |= {*_below(root / "labs" / name), *_below(project.solution(name))}
    wanted = {root / published.FILE, root / "requirements.txt"}
    if answer.kind == "path":
        path = Path(answer.value).absolute()
        wanted.add(path)
        whole |= set(_of_handin(path))
    if answer.kind == "own":
        wanted |= {root / ".git" / name for name in ("HEAD", "index", *UNFINISHED)}
    found: Watched = dict.fromkeys(folder for folder in whole if folder.is_dir())
    for path in [*wanted, *whole]:
        _add(found, path)
    return found


def _add(found: Watched, path: Path) -> None:
    """Watch for `path` itself to come, go, or be replaced: in the nearest folder above it that is there."""
    name, folder = path.name, path.parent
    while not folder.is_dir() and folder != folder.parent:
        name, folder = folder.name, folder.parent
    names = found.get(folder, frozenset())
    found[folder] = None if names is None else names | {name}


def _below(folder: Path) -> Iterator[Path]:
    """A folder and all below it, as tree.py reads them."""
    yield folder
    if not folder.is_dir():
        return
    for entry in sorted(folder.iterdir()):
        if entry.is_dir() and not entry.name.startswith(".") and entry.name not in LEFT_OUT:
            yield from _below(entry)


def _of_handin(path: Path) -> Iterator[Path]:
    """The folders of a hand-in in which something counts."""
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
