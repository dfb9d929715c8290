"""Where programs are looked for.

On macOS that is also where Homebrew puts them: an editor that was not started from a terminal has a PATH without it.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable

HOMEBREW = ("/opt/homebrew/bin", "/usr/local/bin")
"""On Apple's own processors, on Intel's."""


def search_path(platform: str, path: str) -> str:
    """The folders to be searched, joined by colons, for a `sys.platform` and a PATH: the person's own come first."""
    folders = path.split(os.pathsep) if path else []
    if platform == "darwin":
        folders += [folder for folder in HOMEBREW if folder not in folders]
    return os.pathsep.join(folders)


def which(name: str, *, platform: str = sys.platform, path: str | None = None) -> str | None:
    """The path of a program, or None. `path` is a PATH, by default the environment's."""
    given = os.environ.get("PATH", os.defpath) if path is None else path
    return shutil.which(name, path=search_path(platform, given))


def first(names: Iterable[str], *, platform: str = sys.platform, path: str | None = None) -> str | None:
    """The path of the first of several programs that is there, or None."""
    found = (which(name, platform=platform, path=path) for name in names)
    return next((place for place in found if place is not None), None)
