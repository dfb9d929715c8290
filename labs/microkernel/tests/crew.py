"""What this lab's tests share: a run of a probe and its crew (probes/crew.h), and the words for what they report."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from grader.machine import Machine, Report
from grader.testing.reported import Wanted, must_report

WORDS = 14
"""Payload words of a message; a probe counts those that arrived right."""

ENDPOINTS = range(64, 1 << 31)
"""Numbers that can be an endpoint: generations start at 1, and a negative result is an error."""

GAVE_UP: dict[str, Wanted] = {
    "no_spawn": "a spawn of one more process, which the test needs, returned",
    "no_hello": "a receive, for the first message of a process that was just started, returned",
    "no_wait": "a wait for a child's end, which the test needs, did not return the child's id but",
    "no_receive": "a receive, with senders waiting, returned",
    "no_call": "a call, or the receive of one, which the test needs, returned",
    "no_memory": "memory_map of a page, which the test needs, returned",
    "no_bits": "a receive from ENDPOINT_KERNEL, after a notification, returned",
    "no_notify": "a notify of a living process returned",
    "no_scheduler": "ipc_service(2), which asks for the scheduler server's endpoint, returned",
}
"""Where a probe of this lab gives up (crew_give_up)."""


def played(machine: Machine, meanwhile: Callable[[Machine], object] | None = None, /, **wanted: Wanted) -> Report:
    """`must_report`, for a crew. A test may have better words for a key of GAVE_UP."""
    return must_report(machine, meanwhile, **{**GAVE_UP, **wanted})


def digits(word: int) -> str:
    """A report of an order: a hexadecimal digit for each message, 15 for one that arrived damaged."""
    return " ".join("a damaged one" if digit == "f" else digit for digit in f"{word:x}")


def in_hexadecimal(word: int) -> str:
    """Bits."""
    return f"{word:#x}"


def names(listed: Sequence[str]) -> Callable[[int], str]:
    """What says a word of bits: the name of each bit that is set, from bit 0 on."""
    return lambda word: " and ".join(name for bit, name in enumerate(listed) if word >> bit & 1) or "none"
