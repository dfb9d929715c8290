"""Gradings made up for the tests of the forms that results take."""

from __future__ import annotations

from dataclasses import replace

from grader.labs.lab_file import Stage
from grader.testing.verdict import Graded, Grading, Outcome, Requirement, Verdict

ATTACK = (
    "\x1b[2J\x1b]0;title\x07\x9b31m\u202e</pre><script>alert(1)</script>\n::error::forged\n  ::set-output name=x::1\n"
    "##vso[task.complete result=Succeeded;]\n]]>&amp;\x00\ud800\ufffe"
)
"""What a hostile kernel prints: escapes of the terminal, markup, and commands of CI systems."""

FORBIDDEN = ("\x1b", "\x9b", "\x07", "\x00", "\u202e", "\ud800", "\ufffe")
"""Characters that may appear in no form of a result."""


def requirement(name: str, stage: int = 1, points: float = 10) -> Requirement:
    """A requirement with all its texts."""
    return Requirement(name, stage, points, f"{name} must hold, because.", "labs/demo/README.md#rules", "a wrong sign")


def passed(name: str, stage: int = 1, points: float = 10) -> Graded:
    """A test that passed."""
    return Graded(requirement(name, stage, points), Outcome(name, Verdict.PASSED, boots=1, guest_instructions=1000))


def failed(name: str, stage: int = 1, points: float = 10, said: str = "539kernel\nprobe a=0x1") -> Graded:
    """A test that failed, with a machine that said something."""
    outcome = Outcome(
        name,
        Verdict.FAILED,
        "assert 1 == 2",
        expected="2",
        seen=f"test_demo.py:3: assert a == b\n{said}",
        serial=said,
        machine=f"CPL 0 at kernel_main (main.c:10)\n{said}",
        nonce="0x539",
        boots=1,
        guest_instructions=5,
        seconds=0.1,
    )
    return Graded(requirement(name, stage, points), outcome, f"./lab debug demo {name}")


def raced(name: str) -> Graded:
    """A test that passed the ordinary run, and failed under its third schedule."""
    test = failed(name)
    message = "under schedule 7f3a (timer every 4,190 instructions from the 4,255th on): assert 1 == 2"
    outcome = replace(test.outcome, message=message, schedule="7f3a", schedules=3)
    requirement = replace(test.requirement, schedules=True)
    return Graded(requirement, outcome, f"./lab debug demo {name} --schedule 7f3a")


def grading(*tests: Graded) -> Grading:
    """A grading of a lab with two stages."""
    return Grading(
        "demo",
        "A lab for tests",
        "starter",
        stages=[Stage(1, "The first", 20), Stage(2, "The second", 20)],
        tests=list(tests),
        seed="abc",
        started="2024-01-01T00:00:00+00:00",
        seconds=1.25,
        versions={"kernelist": "0"},
        hashes={"tree": "00"},
    )
