"""Against what a graded test runs: a built answer and a seed. It crosses the line from the parent to a worker as
JSON.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grader.builds.build import Build
from grader.machine.witness import Witness
from grader.testing.schedules import ORDINARY

if TYPE_CHECKING:
    from grader.machine.machine import Machine
    from grader.machine.tape import Tapes
    from grader.testing.boots import Boots


@dataclass(frozen=True)
class Setting:
    """Against what a test runs."""

    build: Build
    seed: str
    sandboxed: bool = True
    step: int | None = None
    """The one step of a sweep that is to be done; all when None."""
    schedule: str = ORDINARY
    """The name of the schedule to run it under."""
    witness: Witness | None = None
    """The one emulator to run a test on; all that it names when None. It stays in its process, as what follows does."""
    tapes: Tapes | None = None
    """What the test's machines are recorded on, or played from."""
    on_boot: Callable[[Boots, Machine], None] | None = None
    """Called with each machine that the test starts, before it runs."""
    on_failure: Callable[[Boots, BaseException], None] | None = None
    """Called while the failing machine still lives (`./lab debug`)."""
    on_step: Callable[[Boots, str], None] | None = None
    """Called at the moment of `step`, before anything is done to the machine, with the moment in words."""

    def to_dict(self) -> dict[str, Any]:
        """For the line between a parent and its worker."""
        build = self.build
        return {
            "build": {
                **{name: str(getattr(build, name)) for name in _FILES},
                **{name: {key: str(path) for key, path in getattr(build, name).items()} for name in _MAPS},
            },
            "seed": self.seed,
            "sandboxed": self.sandboxed,
            "step": self.step,
            "schedule": self.schedule,
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Setting:
        """The inverse of `to_dict`."""
        facts: dict[str, Any] = {name: Path(data["build"][name]) for name in _FILES}
        facts |= {name: {key: Path(path) for key, path in data["build"][name].items()} for name in _MAPS}
        return cls(Build(**facts), data["seed"], data["sandboxed"], data["step"], data["schedule"])


_FILES = ("tree", "output", "kernel_elf", "kernel_bin", "bootstrap_bin")
_MAPS = ("programs", "probes")
