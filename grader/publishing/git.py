"""Runs git on exactly one repository.

Variables that lead elsewhere, such as GIT_DIR, which git gives to its hooks, are not passed on.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from grader.faults import Ungradable

PLAIN = (
    "core.autocrlf=false",
    "core.attributesFile=/dev/null",
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    "core.quotePath=false",
    "gc.auto=0",
    "init.templateDir=",
)
"""Settings under which the same input gives the same commits and the same files, on every computer."""


ELSEWHERE = (
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_DIR",
    "GIT_INDEX_FILE",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_WORK_TREE",
)
"""Variables that make git work on another repository than the one it is called for."""


class GitFailed(Ungradable):
    """Git could not do what it must be able to do. The message has git's own words."""


class Git:
    """Git in one folder, whose repository (its .git) is named, so that none around it is taken.

    `plain`: nothing of the person's settings and environment changes what is written, and no hook runs.
    """

    def __init__(self, folder: Path, repository: Path, *, plain: bool = False) -> None:
        self.folder = folder
        self._plain = plain
        self._repository = repository
        self._settings = [word for setting in PLAIN for word in ("-c", setting)] if plain else []

    def run(self, *arguments: str, given: bytes = b"", statuses: Sequence[int] = (0,)) -> bytes:
        """What git prints. Raises GitFailed when it ends with another status than the wanted ones."""
        done = self.attempt(*arguments, given=given)
        if done.returncode not in statuses:
            said = done.stderr.decode("utf-8", "replace").strip() or f"status {done.returncode}"
            raise GitFailed(f"git {arguments[0]} in {self.folder}: {said}")
        return done.stdout

    def attempt(self, *arguments: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        """Run git and return how it ended. Raises GitFailed only when there is no git."""
        environment = {name: value for name, value in os.environ.items() if name not in ELSEWHERE}
        if self._plain:
            environment = {name: value for name, value in environment.items() if not name.startswith("GIT_")}
        environment |= {"LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_DIR": str(self._repository)}
        command = ["git", "-C", str(self.folder), *self._settings, *arguments]
        try:
            return subprocess.run(command, input=given, env=environment, capture_output=True, check=False)
        except FileNotFoundError as error:
            raise GitFailed("git is not installed: install it (apt install git, brew install git)") from error

    def line(self, *arguments: str, statuses: Sequence[int] = (0,)) -> str:
        """The one line that git prints, without its end; empty when there is none."""
        return self.run(*arguments, statuses=statuses).decode("utf-8", "surrogateescape").strip()

    def names(self, *arguments: str) -> list[str]:
        """What git prints with -z: paths, or whatever else is separated by NUL bytes."""
        text = self.run(*arguments).decode("utf-8", "surrogateescape")
        return [name for name in text.split("\0") if name]

    def commit(self, name: str) -> str:
        """The commit that a name stands for; empty when there is none."""
        done = self.attempt("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
        return done.stdout.decode().strip() if done.returncode == 0 else ""
