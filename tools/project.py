"""What the scripts of tools/ share: where the project is, how a step runs, and how its outcome is counted."""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Outcome:
    """How many checks of a step passed and failed."""

    passed: int = 0
    failed: int = 0

    def __add__(self, other: "Outcome") -> "Outcome":
        """Both steps' counts together."""
        return Outcome(self.passed + other.passed, self.failed + other.failed)

    def closing_line(self) -> str:
        """The line that ends a run, which continuous-integration machines read."""
        return f"{self.passed} passed, {self.failed} failed"


def environment() -> dict[str, str]:
    """Variables for a program of the project: its package is found from any folder, the current one is not searched."""
    return {**os.environ, "PYTHONPATH": str(TOP), "PYTHONSAFEPATH": "1"}


def run(command: Sequence[str | Path], *, quiet: bool = False, folder: Path = TOP) -> subprocess.CompletedProcess[str]:
    """Run a command of a step to its end; `quiet` keeps its output for the caller instead of showing it."""
    return subprocess.run(
        [str(word) for word in command],
        cwd=folder,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE if quiet else None,
        stderr=subprocess.STDOUT if quiet else None,
        text=True,
        errors="replace",
        check=False,
    )


def report(name: str, passed: bool, details: str = "") -> Outcome:
    """Print one check's line, after its details when it failed, at once: others may print beside."""
    lines = [f"ok    {name}"] if passed else [*details.rstrip().splitlines(), f"FAIL  {name}"]
    print("".join(f"{line}\n" for line in lines), end="", flush=True)
    return Outcome(passed=1) if passed else Outcome(failed=1)


def python(*arguments: str | Path) -> list[str | Path]:
    """Return the command that runs the environment's Python."""
    return [sys.executable, *arguments]


def ending(main: Callable[[], int]) -> int:
    """The exit status of `main`, or 130 with a line instead of a trace when the person presses Ctrl-C."""
    try:
        return main()
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return 130
