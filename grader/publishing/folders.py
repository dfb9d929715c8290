"""The files of the project's own folders, without what editors, compilers and Python leave behind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from grader.labs.tree import LEAVINGS

FOLDERS = ("__pycache__", "build")


def files_below(folder: Path, *, leave_out: tuple[str, ...] = ()) -> dict[str, bytes]:
    """Contents by paths below `folder`, sorted; nothing where there is no folder.

    `leave_out` are paths below it that are passed over, files or whole folders.
    """
    return {path: (folder / path).read_bytes() for path in sorted(_paths(folder, "", leave_out))}


def _paths(folder: Path, prefix: str, leave_out: tuple[str, ...]) -> Iterator[str]:
    for entry in folder.iterdir() if folder.is_dir() else ():
        path = prefix + entry.name
        if path in leave_out or entry.name.startswith(".") or entry.name.endswith(LEAVINGS) or entry.name in FOLDERS:
            continue
        if entry.is_dir():
            yield from _paths(entry, path + "/", leave_out)
        elif entry.is_file():
            yield path
