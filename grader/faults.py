"""Whose fault it is: the exceptions that end a grading early.

Every part of the grader raises one of these when it cannot go on, so that the command line needs to
know nothing of the parts: the hand-in's fault costs points, the grader's fault never does, wrong use is neither.
"""

from __future__ import annotations


class HandinFault(Exception):
    """The answer itself is at fault (a file is missing, it does not compile): 0 points and this message.

    `str()` is what the student reads: plain text of one or several lines, free of control characters.
    `headline` is its first line alone.
    """

    @property
    def headline(self) -> str:
        """The first line of the message."""
        return (str(self).splitlines() or [""])[0]


class Ungradable(Exception):
    """The grader or its machine is at fault (no compiler, disk full, time cap): nobody loses points."""


class ProjectFault(Exception):
    """A file of the project itself is wrong (a lab.toml, a stage marker, a mutant): nobody loses points."""


class WrongUse(Exception):
    """The person at the command line asked for what does not exist: exit status 2 and this message."""
