"""What happened in a test that did not pass, in words: the assertion, the machine, whose fault it is."""

from __future__ import annotations

import linecache
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from grader import untrusted
from grader.builds.image import ImageError
from grader.faults import HandinFault, ProjectFault, Ungradable
from grader.machine.faults import MachineStopped
from grader.testing.message import Unexpected, sentence
from grader.testing.verdict import Outcome, Verdict

if TYPE_CHECKING:
    from grader.machine.machine import Machine

SERIAL_LINES = 12
TABLE_LINES_MAX = 60
"""Lines of a test in which a report's line is looked for, from the call of `must_report` on."""

NO_REASON = "no reason was given"

_COMPARED = re.compile(r"^assert (?P<seen>\S.{0,120}?) == (?P<expected>\S.{0,120})$")
_OUTCOMES: tuple[type[BaseException], ...] = (AssertionError, pytest.fail.Exception)


def explain(
    name: str, failure: pytest.ExceptionInfo[BaseException], machines: Sequence[Machine], facts: dict[str, Any]
) -> Outcome:
    """The outcome of a test that an exception ended, while its machines still live."""
    error = failure.value
    machine = machines[-1] if machines else None
    evidence = {
        "serial": untrusted.excerpt(bytes(machine.serial), SERIAL_LINES) if machine else "",
        "machine": state(machine) if machine else "",
        **facts,
    }
    if isinstance(error, MachineStopped):
        return Outcome(name, Verdict.FAILED, _sentence(str(error)), seen=place(failure), **evidence)
    if isinstance(error, _OUTCOMES):
        first, _, more = untrusted.opening(str(error)).partition("\n")
        expected = next((wanted for line in (first, *more.split("\n")) if (wanted := compared(line)[1])), "")
        if isinstance(error, Unexpected):
            expected, more = untrusted.opening(error.wanted, 1), untrusted.opening(error.seen, 1)
        seen = f"{place(failure)}\n{more}".strip()
        said = first if first.startswith("assert ") else sentence(first or NO_REASON)
        return Outcome(name, Verdict.FAILED, said, expected=expected, seen=seen, **evidence)
    if isinstance(error, (ImageError, HandinFault)):
        return Outcome(name, Verdict.FAILED, _sentence(str(error)), **evidence)
    if isinstance(error, (Ungradable, ProjectFault)):
        return Outcome(name, Verdict.UNGRADABLE, _sentence(str(error)), seen=place(failure), **evidence)
    what = f"the grader's own code failed: {type(error).__name__}: {error}"
    return Outcome(name, Verdict.UNGRADABLE, _sentence(what), seen=trace(failure), **evidence)


def compared(assertion: str) -> tuple[str, str]:
    """(seen, expected) of pytest's `assert a == b`; empty strings for any other assertion."""
    match = _COMPARED.match(assertion)
    return (match["seen"], match["expected"]) if match else ("", "")


def _sentence(text: str) -> str:
    return untrusted.opening(text, 1).split("\n")[0] or NO_REASON


def place(failure: pytest.ExceptionInfo[BaseException]) -> str:
    """The line of the test that failed, with its source: `test_rendezvous.py:17: assert ...`; of a table of reports,
    that of the report.
    """
    report = getattr(failure.value, "report", "")
    for entry in reversed(failure.traceback):
        path = Path(str(entry.path))
        if path.name.startswith("test_"):
            lines = [line.strip() for line in linecache.getlines(str(path))]
            called = range(entry.lineno, min(entry.lineno + TABLE_LINES_MAX, len(lines)))
            at = next((place for place in called if report and lines[place].startswith(f"{report}=")), entry.lineno)
            return f"{path.name}:{at + 1}: {lines[at]}"
    return ""


def trace(failure: pytest.ExceptionInfo[BaseException]) -> str:
    """File, line and function of every call below the test: for whoever mends the grader."""
    lines = [f"{Path(str(entry.path)).name}:{entry.lineno + 1} in {entry.name}" for entry in failure.traceback]
    return "\n".join(lines[-12:])


def state(machine: Machine) -> str:
    """What the machine is at this moment, in a few lines; empty when it can no longer be asked."""
    try:
        return untrusted.opening(machine.describe(), 30)
    except Exception:  # the verdict stands without it
        return ""


def instructions(machine: Machine) -> int:
    """Instructions executed so far; 0 when the machine can no longer be asked."""
    try:
        return machine.instructions()
    except Exception:  # the verdict stands without it
        return 0
