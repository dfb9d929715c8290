"""Runs git on exactly one repository.

Variables that lead elsewhere, such as GIT_DIR, which git gives to its hooks, are not passed on. Ctrl-C waits until git
has done what it is at: a git that is killed leaves a lock, or half of a branch's files, behind.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
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


_NO_SPACE = ("No space left on device", "Out of diskspace", "Disk quota exceeded")
_LINES_SAID = 6


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
            raise GitFailed(f"git {_command(arguments)} in {self.folder}: {_said(done)}")
        return done.stdout

    def attempt(self, *arguments: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        """Run git and return how it ended. Raises GitFailed only when there is no git."""
        environment = {name: value for name, value in os.environ.items() if name not in ELSEWHERE}
        if self._plain:
            environment = {name: value for name, value in environment.items() if not name.startswith("GIT_")}
        environment |= {"LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_DIR": str(self._repository)}
        command = ["git", "-C", str(self.folder), *self._settings, *arguments]
        try:
            with _uninterrupted():
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


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """Requests to end are held back, also from the child, which inherits that; they arrive when it is done."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _command(arguments: Sequence[str]) -> str:
    """The command itself, without the settings before it."""
    return arguments[2] if arguments[0] == "-c" else arguments[0]


def _said(done: subprocess.CompletedProcess[bytes]) -> str:
    """Git's own words, not all of them when it complains of each file; a full disk by its name."""
    lines = done.stderr.decode("utf-8", "replace").strip().splitlines() or [f"status {done.returncode}"]
    if any(words in line for line in lines for words in _NO_SPACE):
        return "the disk is full. Make room, then try again"
    return "\n".join([*lines[:_LINES_SAID], *(["..."] if len(lines) > _LINES_SAID else [])])
