"""What a graded test demands and what came of it.

A failure is data: what was required, what was seen on the serial line and in the machine, what that usually means,
where the handout explains it and which command opens that moment in GDB. All forms of a result are made from these
two classes.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any

from grader.labs.lab_file import Stage
from grader.machine.witness import Witness
from grader.testing.pictures import Pictures


class Verdict(StrEnum):
    """A test's outcome. Ungradable is the grader's own fault and never costs a student points."""

    PASSED = "passed"
    FAILED = "failed"
    UNGRADABLE = "ungradable"


@dataclass(frozen=True)
class Requirement:
    """A graded test before it ran."""

    name: str
    """The function's name, with pytest's parameters in brackets."""
    stage: int
    points: float
    required: str
    """What is required and why: the test's first sentence."""
    handout: str = ""
    """The handout's section that explains it."""
    usually: str = ""
    """What a failure usually means."""
    witnesses: tuple[Witness, ...] = (Witness.QEMU,)
    """The emulators on each of which it must pass, in the order in which they are asked."""
    hidden: bool = False
    """Whether students do not get it: it lies in tests/hidden."""
    schedules: bool = False
    """Whether it must pass wherever the timer interrupts."""

    @property
    def function(self) -> str:
        """The test function's name, without parameters."""
        return self.name.split("[", 1)[0]

    def to_dict(self) -> dict[str, Any]:
        """For the line between a worker and its parent."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Requirement:
        """The inverse of `to_dict`."""
        return cls(**{**data, "witnesses": tuple(map(Witness, data["witnesses"]))})


@dataclass(frozen=True)
class Outcome:
    """A graded test after it ran. Texts are already harmless to show."""

    name: str
    verdict: Verdict
    message: str = ""
    """One sentence: what went wrong; empty for a pass."""
    expected: str = ""
    seen: str = ""
    """The test's line that failed, and below it what it saw."""
    serial: str = ""
    """The last lines that the machine wrote on its serial line."""
    machine: str = ""
    """What the machine was, looked at from outside."""
    nonce: str = ""
    guest_instructions: int = 0
    boots: int = 0
    seconds: float = 0.0
    """On the host's clock: for the speed budgets, never for a verdict."""
    witness: Witness | None = None
    """The emulator of which `serial` and `machine` tell: the one that it did not pass on, or else the last."""
    step: int | None = None
    """Of a sweep: the step that did not pass."""
    schedule: str = ""
    """The schedule that `message`, `serial` and `machine` tell of; empty: the ordinary run."""
    schedules: int = 0
    """How many schedules it ran under, beside the ordinary run: up to the first that it did not pass."""
    lasting: bool = False
    """Ungradable for a reason that another try will not change."""
    pictures: Pictures | None = None
    """What is drawn of it, if that was asked for."""

    def to_dict(self) -> dict[str, Any]:
        """For the line between a worker and its parent."""
        pictures = self.pictures.to_dict() if self.pictures else None
        return {**asdict(replace(self, pictures=None)), "pictures": pictures}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Outcome:
        """The inverse of `to_dict`."""
        witness = Witness(data["witness"]) if data["witness"] else None
        pictures = Pictures.from_dict(data["pictures"]) if data["pictures"] else None
        return cls(**{**data, "verdict": Verdict(data["verdict"]), "witness": witness, "pictures": pictures})


def ungradable(name: str, reason: str) -> Outcome:
    """The outcome of a test that the grader could not run."""
    return Outcome(name, Verdict.UNGRADABLE, reason)


def combined(outcomes: Sequence[Outcome]) -> Outcome:
    """One outcome of a test's runs on its witnesses: that of the last run, after which no other followed unless it
    passed. Costs are added up.
    """
    last = outcomes[-1]
    return replace(
        last,
        nonce=" ".join(outcome.nonce for outcome in outcomes if outcome.nonce),
        guest_instructions=sum(outcome.guest_instructions for outcome in outcomes),
        boots=sum(outcome.boots for outcome in outcomes),
        seconds=sum(outcome.seconds for outcome in outcomes),
    )


@dataclass(frozen=True)
class Graded:
    """A requirement with its outcome: one line of a score board."""

    requirement: Requirement
    outcome: Outcome
    command: str = ""
    """The command that opens the failing moment in GDB."""

    @property
    def points(self) -> float:
        """Points earned."""
        return self.requirement.points if self.outcome.verdict is Verdict.PASSED else 0

    @property
    def under_schedules(self) -> str:
        """`under 50 schedules`; empty for a test that ran under none."""
        count = self.outcome.schedules
        return f"under {count} schedule{'' if count == 1 else 's'}" if count else ""

    @property
    def witnessed(self) -> tuple[Witness, ...]:
        """The emulators that it ran on: all that it names, or those up to the one that it did not pass on."""
        asked, last = self.requirement.witnesses, self.outcome.witness
        if last not in asked:
            return ()
        return asked[: asked.index(last) + (not self.outcome.lasting)]

    def for_students(self, number: int) -> Graded:
        """This, a hidden test, as a student may see it: that there is one, what it is worth, whether it passed."""
        known = self.requirement
        name = f"hidden_test_{number}"
        requirement = Requirement(name, known.stage, known.points, "A hidden test.", hidden=True)
        said = "" if self.outcome.verdict is Verdict.PASSED else "your instructor knows what it saw"
        return Graded(requirement, Outcome(name, self.outcome.verdict, said))


@dataclass
class Grading:
    """One answer to one lab, graded: what result.json says, as Python objects."""

    lab: str
    title: str
    answer: str
    stages: list[Stage] = field(default_factory=list)
    tests: list[Graded] = field(default_factory=list)
    gradable: bool = True
    complete: bool = True
    """False when it was interrupted: the tests that are missing have not been run."""
    message: str = ""
    """Why there is nothing to grade, or why all is 0: a build error, a hand-in that is none."""
    notes: list[str] = field(default_factory=list)
    """What the student or instructor should know although it changes no verdict (an extra file was ignored, ...)."""
    only: list[str] = field(default_factory=list)
    schedules: int = 0
    """How many schedules were asked for."""
    build_output: str = ""
    seed: str = ""
    sandboxed: bool = True
    started: str = ""
    seconds: float = 0.0
    versions: dict[str, str] = field(default_factory=dict)
    hashes: dict[str, str] = field(default_factory=dict)

    @property
    def score(self) -> float:
        """Points earned."""
        return _number(sum(test.points for test in self.tests)) if not self.message else 0

    @property
    def max_score(self) -> float:
        """Points that the graded tests are worth."""
        return _number(sum(test.requirement.points for test in self.tests))

    def for_students(self) -> Grading:
        """The same without what hidden tests are called, demand and saw."""
        hidden, numbers = any(test.requirement.hidden for test in self.tests), itertools.count(1)
        tests = [test.for_students(next(numbers)) if test.requirement.hidden else test for test in self.tests]
        return replace(self, tests=tests, only=["some of all"] if hidden and self.only else self.only)

    def of_stage(self, number: int) -> list[Graded]:
        """The tests of one stage, in the lab's order."""
        return [test for test in self.tests if test.requirement.stage == number]

    def machines(self) -> dict[Witness, int]:
        """How many tests ran on each emulator that the tests name."""
        asked = {witness for test in self.tests for witness in test.requirement.witnesses}
        return {
            witness: sum(witness in test.witnessed for test in self.tests) for witness in Witness if witness in asked
        }

    def failures(self) -> list[Graded]:
        """What did not pass, in the lab's order."""
        return [test for test in self.tests if test.outcome.verdict is not Verdict.PASSED]


def _number(value: float) -> float:
    """Whole numbers without a fraction, others rounded so that 0.1 + 0.2 reads as 0.3."""
    rounded = round(value, 4)
    return int(rounded) if rounded == int(rounded) else rounded
