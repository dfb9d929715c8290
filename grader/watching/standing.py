"""Where an answer stands while it is watched: a verdict a test, each of the files as they are now or from before.

The session alone changes it; views only read it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto

from grader.labs.lab_file import Lab, Stage
from grader.testing.verdict import Graded, Outcome, Requirement, Verdict


class Phase(Enum):
    """What goes on."""

    BUILDING = auto()
    READING = auto()
    """It is built, and the workers still read the lab's tests."""
    TESTING = auto()
    DONE = auto()
    """Every verdict is of the files as they are."""
    STUCK = auto()
    """There is nothing to test: `Standing.problem` says why."""


@dataclass
class Line:
    """One test on the board."""

    requirement: Requirement
    graded: Graded | None = None
    """What came of it last."""
    current: bool = False
    """Whether that is of the files as they are now."""
    running: bool = False
    earlier: Verdict | None = None
    """Its verdict before that one."""

    @property
    def outcome(self) -> Outcome | None:
        """What came of it last, or None when it never ran."""
        return self.graded.outcome if self.graded is not None else None

    @property
    def verdict(self) -> Verdict | None:
        """The last verdict, current or not."""
        return self.graded.outcome.verdict if self.graded is not None else None

    @property
    def points(self) -> float:
        """Points that the last verdict is worth."""
        return self.graded.points if self.graded is not None else 0

    def put(self, graded: Graded) -> None:
        """A verdict of the files as they are now."""
        self.earlier, self.graded, self.current = self.verdict, graded, True


@dataclass
class Standing:
    """One lab's answer: what goes on, what came of it, what has changed."""

    lab: Lab
    answer: str
    seed: str = ""
    run: int = 0
    """Counts from 1."""
    phase: Phase = Phase.BUILDING
    lines: dict[str, Line] = field(default_factory=dict)
    """By the tests' names, in the lab's order."""
    changed: tuple[str, ...] = ()
    """The files that were saved, relative to the tree."""
    kept: int = 0
    """Verdicts that hold though files were saved, because what they depend on is the same."""
    problem: str = ""
    """Why there is nothing to test; harmless to show, of one line or several."""
    heading: str = ""
    """What kind of problem it is: the sentence before it."""
    notes: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    before: float | None = None
    """Points when all verdicts were known last."""
    seconds: float = 0.0
    """Since the save was noticed; stands still when all is done."""

    @property
    def points(self) -> float:
        """Points of the last verdicts, current or not."""
        return sum(line.points for line in self.lines.values())

    @property
    def most(self) -> float:
        """Points that the tests are worth: the lab's, until they are known."""
        return sum(line.requirement.points for line in self.lines.values()) if self.lines else self.lab.points

    @property
    def done(self) -> int:
        """Tests whose verdict is current."""
        return sum(line.current for line in self.lines.values())

    @property
    def passed(self) -> int:
        """Tests whose last verdict, current or not, is a pass."""
        return sum(line.verdict is Verdict.PASSED for line in self.lines.values())

    def of_stage(self, stage: Stage) -> list[Line]:
        """The tests of one stage, in the lab's order."""
        return [line for line in self.lines.values() if line.requirement.stage == stage.number]

    def news(self, verdict: Verdict) -> list[Line]:
        """The tests whose verdict is current and this one, and was another before."""
        lines = [line for line in self.lines.values() if line.current and line.verdict is verdict]
        return [line for line in lines if line.earlier not in (None, verdict)]

    def failures(self) -> list[Line]:
        """What does not pass: the tests whose verdict is current, or those from before when there is none of these."""
        failed = [line for line in self.lines.values() if line.verdict not in (None, Verdict.PASSED)]
        return [line for line in failed if line.current] or failed

    def is_old(self) -> None:
        """Nothing that was found is known to hold any more."""
        for line in self.lines.values():
            line.current = line.running = False


def order(lines: list[Line]) -> list[Line]:
    """The tests in the order in which they are run: first those of the lowest unfinished stage that did not pass last
    time, then stage by stage, and in each stage again those that did not pass before the others.
    """
    failed = [line for line in lines if line.verdict not in (None, Verdict.PASSED)]
    lowest = min((line.requirement.stage for line in failed), default=0)

    def key(line: Line) -> tuple[bool, int, bool]:
        passes = line.verdict in (None, Verdict.PASSED)
        return passes or line.requirement.stage != lowest, line.requirement.stage, passes

    return sorted(lines, key=key)
