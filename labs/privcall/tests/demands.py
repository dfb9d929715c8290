"""What this lab's tests demand of a probe's reports: what calls return and how processes end, in sentences.

A probe reports each attempt under a key. `cases` says in words what each key stands for, and `clause` has a place for
that: the clause "a process in ring 3 that {} ended" and the case "read PrivUser's code" make "A process in ring 3 that
read PrivUser's code ended by itself (with status 42) instead of by a page fault (vector 14).".
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

from privuser import DONE

from grader.machine import Machine
from grader.machine.diagnosis import an_exception
from grader.machine.faults import Hang, MachineStopped, ProbeEnded
from grader.machine.report import Report
from grader.testing.kernel_error import KILLED_STATUS, KernelError, fault_status
from grader.testing.message import in_words, must
from grader.testing.reported import so_far

Wanted = Mapping[str, int | Collection[int]]
"""What must be reported under each key: a value, or one of several."""

GAVE_UP = {
    "no-spawn": "spawn, of a program that is in the archive, returned",
    "no-wait": "wait, for a child that there is, returned",
    "no-memory": "memory_map, of free pages of ordinary memory, returned",
    "no-thread": "thread_create, with a stack of the program's own, returned",
}
"""Reports of a probe that cannot go on, with the call of the kernel's that it needs for that."""

_SHOWN = 5  # cases that a sentence names
_VECTORS = {fault_status(vector): vector for vector in range(32)}


class SoFar(Report):
    """What a probe had reported when its machine stopped. It is asked only for what it has."""


def judged(report: Report, keys: Iterable[str]) -> list[str]:
    """Those of the keys that must be in the report by now."""
    return [key for key in keys if key in report or not isinstance(report, SoFar)]


def ended_by_fault(status: int) -> bool:
    """Whether an exit status tells of an exception."""
    return status in _VECTORS


def end_in_words(status: int) -> str:
    """How a process with this exit status ended: `by a page fault (vector 14)`."""
    if status in _VECTORS:
        return f"by {an_exception(_VECTORS[status])}"
    if status == KILLED_STATUS:
        return "by a kill"
    if status == DONE:
        return "by itself (nothing had stopped it)"
    signed = status - (1 << 32) if status >> 31 else status
    error = f", {KernelError(status).name}" if status in set(KernelError) else ""
    return f"by itself (with status {signed if abs(signed) < 1 << 16 else hex(status)}{error})"


def result_in_words(value: int) -> str:
    """What a call returned: an error by its name."""
    return in_words(value, result=True)


def listed(names: Iterable[str], last: str = "and") -> str:
    """`a, b and c`; of many, the first ones."""
    every = list(dict.fromkeys(names))
    shown = every[:_SHOWN] + ([f"{len(every) - _SHOWN} more"] if len(every) > _SHOWN else [])
    return f" {last} ".join(filter(None, [", ".join(shown[:-1]), *shown[-1:]]))


def expect_ends(report: Report, clause: str, wanted: Wanted, cases: Mapping[str, str] | None = None) -> None:
    """Fail when a process, whose exit status is reported, ended otherwise than it must."""
    _expect(report, clause, wanted, cases or {}, end_in_words)


def expect_returns(report: Report, clause: str, wanted: Wanted, cases: Mapping[str, str] | None = None) -> None:
    """Fail when a call, whose result is reported, returned something else than it must."""
    _expect(report, clause, wanted, cases or {}, result_in_words)


def expect_errors(report: Report, clause: str, keys: Iterable[str], cases: Mapping[str, str] | None = None) -> None:
    """Fail when one of these calls returned no error of the kernel's."""
    wrong = _by_value({key: set(KernelError) for key in keys}, report, cases or {})
    for (value, _), names in wrong.items():
        must(result_in_words(value), "an error", clause.format(listed(names, "or")))


def _expect(report: Report, clause: str, wanted: Wanted, cases: Mapping[str, str], words: Callable[[int], str]) -> None:
    for (value, right), names in _by_value(wanted, report, cases).items():
        must(words(value), tuple(map(words, right)), clause.format(listed(names, "or")))


def _by_value(wanted: Wanted, report: Report, cases: Mapping[str, str]) -> dict[tuple[int, tuple[int, ...]], list[str]]:
    """What is not as it must be: by (what was reported, what might have been), the cases in words."""
    wrong: dict[tuple[int, tuple[int, ...]], list[str]] = {}
    for key in judged(report, wanted):
        right = wanted[key]
        allowed = (right,) if isinstance(right, int) else tuple(right)
        for value in report.all(key) or [report[key]]:
            if value not in allowed:
                wrong.setdefault((value, allowed), []).append(cases.get(key, key))
    return wrong


def finish(machine: Machine, awaited: str, judge: Callable[[Report], None] | None = None) -> Report:
    """Run to the probe's end; returns what it reported. `awaited`: what that means ("the end of four privcalls").

    When the machine stops before, `judge` is shown what the probe had said until then: what went wrong first tells more
    than what the kernel died of.
    """
    try:
        with _told_of(awaited):
            report = machine.finish(awaited)
    except (MachineStopped, AssertionError):
        if judge is not None:
            judge(SoFar(so_far(machine).log))
        raise
    for key, call in GAVE_UP.items():
        assert key not in report, f"{call} {result_in_words(report[key])}, so that the test's program could not go on"
    if judge is not None:
        judge(report)
    return report


def come_to(machine: Machine, where: str | int, program: str | None, awaited: str, *, times: int = 1) -> None:
    """Run to a place of a program's, which is what `awaited` says: "the function that a privcall names"."""
    with _told_of(awaited):
        machine.run_to(where, program=program, times=times, awaited=awaited)


@contextlib.contextmanager
def _told_of(awaited: str) -> Iterator[None]:
    """Say of a machine that stopped what it was about. A hang's own sentence says so already."""
    try:
        yield
    except Hang:
        raise
    except ProbeEnded as ended:
        said = f"{awaited} never came: the test's program went on to its end without it"
        raise AssertionError(f"{said}\n{ended}") from ended
    except MachineStopped as stopped:
        what = str(stopped)
        raise AssertionError(f"{awaited} never came: {what[:1].lower()}{what[1:]}") from stopped
