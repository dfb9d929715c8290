"""Where things lie: the project's folders, and the cache that may be kept elsewhere.

A `Project` is one checkout (this repository, or a student's tree). Everything that asks "where is ..." asks
it, so that tests can make a small project of their own in a temporary folder. The checkout may be read-only:
then the cache goes to `$XDG_CACHE_HOME/kernelist` (usually `~/.cache/kernelist`), or, if that cannot be
written either, to a private folder of the system's temporary directory.
"""

from __future__ import annotations

import os
import stat
import tempfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from grader.faults import Ungradable, WrongUse


@dataclass(frozen=True)
class Project:
    """One checkout. `root` is absolute."""

    root: Path

    @staticmethod
    def here() -> Project:
        """The project that this very file belongs to."""
        return Project(Path(__file__).resolve().parent.parent)

    @property
    def kernel(self) -> Path:
        """The sources that a lab starts from: the baseline's.

        In a student's checkout `kernel/` is the student's, and what it was made from lies untouched beside the lab.
        """
        return next(iter(sorted(self.labs.glob("*/base/kernel"))), self.root / "kernel")

    @property
    def labs(self) -> Path:
        """The folder of all labs."""
        return self.root / "labs"

    @property
    def probes(self) -> Path:
        """What every probe is linked with (probe.h, probe.c)."""
        return self.root / "grader" / "probes"

    def lab(self, name: str) -> Path:
        """The folder of one lab. Raises WrongUse, naming the labs there are, when there is none of that name."""
        folder = self.labs / name
        if name in self.lab_names():
            return folder
        names = ", ".join(self.lab_names()) or "none here"
        raise WrongUse(f"there is no lab {name!r}: the labs are {names}")

    def lab_names(self) -> list[str]:
        """All folders of `labs/` that have a lab.toml, in alphabetical order."""
        return sorted(file.parent.name for file in self.labs.glob("*/lab.toml"))

    def solution(self, name: str) -> Path:
        """The finished, marked files of one lab. A student's tree has no such folder."""
        return self.root / "solutions" / name

    @cached_property
    def cache(self) -> Path:
        """A folder that exists and can be written, for what may be thrown away at any time.

        Raises Ungradable when no place at all can be written.
        """
        # As root a folder of mode 0555 can still be written, a read-only file system cannot: os.access knows both.
        wanted = [self.root / ".cache", user_cache(), private_temporary()]
        for folder in wanted:
            if can_be_written(folder):
                return folder
        raise Ungradable("no place for the cache can be written: tried " + ", ".join(str(folder) for folder in wanted))


def user_cache() -> Path:
    """`$XDG_CACHE_HOME/kernelist`, or `~/.cache/kernelist`."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if Path(base).is_absolute() else Path("~/.cache").expanduser()) / "kernelist"


def private_temporary() -> Path:
    """A folder of this user's own in the system's temporary directory."""
    return Path(tempfile.gettempdir()) / f"kernelist-{os.getuid()}"


def can_be_written(folder: Path) -> bool:
    """Whether `folder` is a real folder of this user (made now if it is missing) that can be written.

    Somebody else's folder, or a link put there by somebody else, is refused: what lies in the cache is run.
    """
    try:
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        status = folder.lstat()
    except OSError:
        return False
    own = stat.S_ISDIR(status.st_mode) and status.st_uid in (os.getuid(), 0)
    return own and os.access(folder, os.W_OK | os.X_OK)
