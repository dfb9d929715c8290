"""What both views say with the same words."""

from __future__ import annotations

from collections.abc import Sequence

from grader.builds.build import BuildFailed
from grader.faults import HandinFault, WrongUse
from grader.results.board import number, readable
from grader.testing.verdict import Verdict
from grader.watching.standing import Line, Standing

NAMED = 3


def some(names: Sequence[str], most: int = NAMED) -> str:
    """Some names in a sentence."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def points(standing: Standing) -> str:
    """The points of the last verdicts, and what they were before."""
    before = standing.before
    was = f" ({number(before)} before)" if before is not None and before != standing.points else ""
    return f"{number(standing.points)} of {number(standing.most)} points{was}"


def news(standing: Standing) -> list[tuple[str, list[Line]]]:
    """What changed: a word, and the tests of which it is true."""
    found = [
        ("newly passing", standing.news(Verdict.PASSED)),
        ("newly failing", standing.news(Verdict.FAILED)),
        ("newly ungradable", standing.news(Verdict.UNGRADABLE)),
    ]
    return [(word, lines) for word, lines in found if lines]


def names(lines: Sequence[Line], most: int = 100) -> str:
    """The tests' names, as sentences."""
    return some([readable(line.requirement.name) for line in lines], most)


def held(standing: Standing) -> str:
    """What is said when nothing had to run, since all that a verdict depends on was there before; else nothing."""
    if standing.run == 1 or not standing.kept or standing.kept < len(standing.lines):
        return ""
    what = "this was built before" if news(standing) else "what is built is the same"
    return f"{what}: every verdict holds, nothing ran"


def why(error: Exception) -> str:
    """What a problem is, before its text."""
    if isinstance(error, BuildFailed):
        return "It does not compile. The compiler says:"
    if isinstance(error, (HandinFault, WrongUse)):
        return "There is nothing to test:"
    return "It cannot be graded now, by no fault of the answer's:"
