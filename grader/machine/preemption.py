"""Preemption patterns: when the timer interrupts, decided from outside.

A kernel programs its timer to some 100 interrupts a second, 625,000 instructions from one to the next: a race whose
window is ten instructions long is hit once in a thousand runs. So the timer is programmed once more, from outside, at a
moment that every run comes to, with another period. Guest time is counted in instructions, so all that follows is exact
and can be repeated; the kernel sees no more than a timer that interrupts more often than it asked for.

The timer is the 8254's channel 0, which counts a clock of 1,193,182 Hz. One count is 52.4 instructions, so the moment
itself is chosen too, by as many instructions as a count has: then any instruction may be the first to be preempted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from grader.machine.control import INSTRUCTIONS_PER_SECOND

CLOCK_HZ = 1_193_182
INSTRUCTIONS_OF_A_COUNT = 52
COUNTS_MAX = 0xFFFF

_COMMAND, _CHANNEL_0 = 0x43, 0x40
_RATE_GENERATOR = 0x34  # channel 0, low byte then high byte, mode 2


@dataclass(frozen=True)
class Pattern:
    """When the timer interrupts: `delay` instructions pass, and from then on each `counts` of its clock end in one."""

    delay: int
    counts: int

    def __post_init__(self) -> None:
        if not (0 <= self.delay < INSTRUCTIONS_OF_A_COUNT and 1 < self.counts <= COUNTS_MAX):
            raise ValueError(f"no pattern: {self}")

    @property
    def period(self) -> int:
        """Instructions from one interrupt to the next, rounded."""
        return _instructions(self.counts)

    @property
    def first(self) -> int:
        """Instructions up to the first interrupt, rounded: in mode 2 it comes one count after the counter's end."""
        return self.delay + _instructions(self.counts + 1)

    def __str__(self) -> str:
        return f"timer every {self.period:,} instructions from the {_ordinal(self.first)} on"


def counts(instructions: float) -> int:
    """Counts of the timer's clock in so many instructions, rounded."""
    return round(instructions * CLOCK_HZ / INSTRUCTIONS_PER_SECOND)


def _instructions(counts: int) -> int:
    return round(counts * INSTRUCTIONS_PER_SECOND / CLOCK_HZ)


def _ordinal(number: int) -> str:
    last = 0 if 10 < number % 100 < 14 else number % 10
    return f"{number:,}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(last, 'th') }"


def program_timer(counts: int, out: Callable[[int, int], None]) -> None:
    """Have the timer interrupt after each so many counts, the first time after as many; `out(port, byte)` writes."""
    out(_COMMAND, _RATE_GENERATOR)
    out(_CHANNEL_0, counts & 0xFF)
    out(_CHANNEL_0, counts >> 8)
