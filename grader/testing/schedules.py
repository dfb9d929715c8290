"""Schedules: a test's runs under other preemption patterns than the kernel's own timer gives, to find races on purpose.

A schedule is a name of four hexadecimal digits, from which the timer's period and its first moment are drawn; the
names are drawn from the grading's seed. So the same files meet the same schedules, one name replays one run to the
instruction, and whoever wrote the kernel cannot know them. What is drawn counts from the first instruction of the
program that the test starts.

Only tests that are marked for it (`schedules=True`) run under schedules: those whose requirement holds wherever the
timer interrupts, and which neither count ticks against other time nor rely on a slow timer.
"""

from __future__ import annotations

import re
from dataclasses import replace

from grader.faults import WrongUse
from grader.machine.preemption import INSTRUCTIONS_OF_A_COUNT, Pattern, counts
from grader.testing import seeds
from grader.testing.verdict import Outcome, Verdict

ORDINARY = ""
"""The name of the ordinary run, in which the timer is the kernel's own; a person calls it 0."""

SHORTEST, LONGEST = 16_000, 200_000
"""Instructions from one interrupt to the next. Even at the shortest a kernel that takes ten times as many instructions
for a tick as ours has most of the time left; beyond the longest, interrupts are as rare as in the ordinary run."""

SCHEDULES_MAX = 10_000
"""Schedules that a test can be asked to run under."""

_NAME = re.compile(r"[0-9a-f]{4}")
_BITS = 16


def parse(text: str) -> str:
    """The schedule that a person names. Raises WrongUse."""
    name = text.strip().lower()
    if name == "0":
        return ORDINARY
    if not _NAME.fullmatch(name):
        raise WrongUse(f"a schedule is four hexadecimal digits, as a failure names it, or 0 for none: not {text!r}")
    return name


def names(seed: str, test: str, count: int) -> list[str]:
    """The first `count` schedules of a test, no two the same."""
    found: dict[str, None] = {}
    number = 0
    while len(found) < count:
        found[f"{seeds.number(seed, 'schedule', test, number, bits=_BITS):04x}"] = None
        number += 1
    return list(found)


def pattern_of(name: str) -> Pattern | None:
    """What is drawn from a schedule's name; None for the ordinary run. Short periods are as likely as long ones."""
    if name == ORDINARY:
        return None
    period = SHORTEST * (LONGEST / SHORTEST) ** _fraction(name, "period")
    delay = int(INSTRUCTIONS_OF_A_COUNT * _fraction(name, "delay"))
    return Pattern(delay, counts(period))


def _fraction(name: str, purpose: str) -> float:
    """A number from 0 to 1, never 1."""
    return (seeds.number(name, purpose, bits=32) - 1) / (1 << 32)


def named(schedule: str, outcome: Outcome) -> Outcome:
    """The outcome of a run, its message with the schedule in front where there is one."""
    if schedule == ORDINARY or outcome.verdict is Verdict.PASSED or outcome.lasting:
        return outcome
    return replace(outcome, message=f"under schedule {schedule} ({pattern_of(schedule)}): {outcome.message}")
