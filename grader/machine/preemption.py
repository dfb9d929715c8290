"""Preemption patterns: when the timer interrupts, decided from outside to the instruction.

A kernel programs its timer to some 100 interrupts a second, 625,000 instructions from one to the next: a race whose
window is ten instructions long is hit once in a thousand runs. So the machine's other timer, the HPET, is told to take
the place of the first one at request line 0, as it may by its specification ("legacy replacement", IA-PC HPET 1.0a,
2.3.5 and 2.3.9), with a period and a first moment of our choice. Guest time is counted in instructions, so both are
exact. The kernel sees nothing but interrupts of its timer that come more often, or at other moments; whatever it
programs into the timer that it knows has no effect any more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from grader.faults import Ungradable
from grader.machine.control import INSTRUCTIONS_PER_SECOND

UNITS_PER_SECOND = 100_000_000
"""The HPET counts units of 10 ns; an instruction is 16 ns."""

UNITS_MAX = 1 << 31

BASE = 0xFED00000
_CAPABILITIES, _CONFIGURATION, _COUNTER = 0x000, 0x010, 0x0F0
_TIMER_CONFIGURATION, _TIMER_COMPARATOR = 0x100, 0x108
_ENABLED, _LEGACY_REPLACEMENT = 1 << 0, 1 << 1
_CAN_REPLACE = 1 << 15
_INTERRUPTS, _PERIODIC, _SETS_VALUE, _32_BITS = 1 << 2, 1 << 3, 1 << 6, 1 << 8


@dataclass(frozen=True)
class Pattern:
    """When the timer interrupts, in units of 10 ns of guest time: at `first`, and then after each `period`."""

    first: int
    period: int

    def __post_init__(self) -> None:
        if not (0 < self.first < UNITS_MAX and 0 < self.period < UNITS_MAX):
            raise ValueError(f"a pattern's times are 1 to {UNITS_MAX - 1} units of 10 ns, not {self}")

    def __str__(self) -> str:
        every, first = instructions(self.period), instructions(self.first)
        return f"timer every {every:,} instructions from the {_ordinal(first)} on"


def instructions(units: int) -> int:
    """Instructions in so many units of 10 ns, at least 1."""
    return max(1, round(units * INSTRUCTIONS_PER_SECOND / UNITS_PER_SECOND))


def units(instructions: int) -> int:
    """The inverse of `instructions`, as nearly as units allow."""
    return max(1, round(instructions * UNITS_PER_SECOND / INSTRUCTIONS_PER_SECOND))


def _ordinal(number: int) -> str:
    last = 0 if 10 < number % 100 < 14 else number % 10
    return f"{number:,}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(last, 'th') }"


def take_over(pattern: Pattern, read: Callable[[int], int], write: Callable[[int, int], None]) -> None:
    """From now on, in a stopped machine, the timer interrupts as `pattern` says.

    `read` and `write` access 32 bits of the machine's physical addresses. Raises Ungradable when there is no HPET.
    """
    if not read(BASE + _CAPABILITIES) & _CAN_REPLACE:
        raise Ungradable("this emulator has no HPET, with which schedules are made: QEMU 7.2 or newer has one")
    write(BASE + _CONFIGURATION, 0)
    write(BASE + _COUNTER, 0)
    write(BASE + _COUNTER + 4, 0)
    write(BASE + _TIMER_CONFIGURATION, _INTERRUPTS | _PERIODIC | _SETS_VALUE | _32_BITS)
    write(BASE + _TIMER_COMPARATOR, pattern.first)
    write(BASE + _TIMER_COMPARATOR, pattern.period)
    write(BASE + _CONFIGURATION, _ENABLED | _LEGACY_REPLACEMENT)
