"""Runs a command where it can harm nobody: bubblewrap, resource limits, an own user id.

(being written: the classes and signatures below are what the other parts use)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Limits:
    """Resource limits, each for one process. Sizes in bytes, time in seconds of CPU."""

    address_space: int = 1 << 30
    cpu_seconds: int = 10
    file_size: int = 32 << 20
    processes: int = 64
    open_files: int = 256


@dataclass(frozen=True)
class Bind:
    """A file or folder of the host that is to be seen at `target` inside."""

    source: Path
    target: str
    writable: bool = False


@dataclass(frozen=True)
class Sandbox:
    """How commands are confined on this machine. `warning` is a sentence when they are not, else empty."""

    active: bool
    warning: str

    @staticmethod
    def detect(*, allowed: bool = True) -> Sandbox:
        """Find out what works here (once per process, some ms). allowed=False: --no-sandbox was asked for."""
        raise NotImplementedError

    def command(
        self,
        argv: Sequence[str],
        limits: Limits = Limits(),
        binds: Sequence[Bind] = (),
        *,
        temporary_bytes: int = 64 << 20,
    ) -> list[str]:
        """The whole command line that runs `argv` confined; start it with pass_fds and env={} as you like.

        Descriptors that the caller passes are seen inside under the same numbers, nothing else is. Hand data over
        by memfd (`os.memfd_create`, inside: /proc/self/fd/N or /dev/fd/N): host paths need not be readable by the
        sandbox's user, and nothing is left behind. Killing the process started ends everything inside.
        Start it from a thread that outlives it: it dies with its parent thread.
        """
        raise NotImplementedError

    def location(self, bind: Bind) -> str:
        """Where a bound file is found by the command: its target, or its source when there is no sandbox."""
        return bind.target if self.active else str(bind.source)
