"""The view without a terminal: plain lines for each run, which a file or another program can keep."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from grader.results.board import Quoted, explained, number
from grader.testing.verdict import Verdict
from grader.untrusted import no_commands
from grader.watching import words
from grader.watching.session import Happened
from grader.watching.standing import Line, Standing

LISTED_MAX = 20


class Lines:
    """Prints to `console`, and never twice the same."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._introduced: object = None
        self._noted: tuple[str, ...] = ()
        self._explained = 0
        """The run whose first failure was explained."""

    def show(self, standing: Standing, happened: Happened, line: Line | None = None) -> None:
        """See `session.View`."""
        match happened:
            case Happened.BEGAN:
                self._began(standing)
            case Happened.PROBLEM:
                self._say(standing, standing.heading)
                self._console.print(Quoted(standing.problem))
                if standing.lines:
                    self._say(standing, f"from before: {words.points(standing)}; waiting for a save")
            case Happened.TESTED if line is not None and line.verdict is not Verdict.PASSED:
                self._explain(standing, line)
            case Happened.ENDED:
                self._ended(standing)

    def _say(self, standing: Standing, text: str) -> None:
        self._console.print(Text(no_commands(f"run {standing.run}: {text}")), soft_wrap=True)

    def _began(self, standing: Standing) -> None:
        if self._introduced is not standing:  # another lab has another standing
            self._introduced = standing
            text = f"watching the lab {standing.lab.name}, answer: {standing.answer}; seed {standing.seed}; Ctrl-C ends"
            self._console.print(Text(no_commands(text)), soft_wrap=True)
        for note in standing.notes:
            if note not in self._noted:
                self._console.print(Text(no_commands(f"note: {note}")), soft_wrap=True)
        self._noted = standing.notes
        saved = f"{words.some(standing.changed)} changed; " if standing.changed else ""
        self._say(standing, f"{saved}building")

    def _explain(self, standing: Standing, line: Line) -> None:
        """In full, the first one of a run that does not pass."""
        if standing.run == self._explained or line.graded is None:
            return
        self._explained = standing.run
        self._console.print(explained(line.graded))
        if line.graded.command:
            self._console.print(Text(f"  open this moment in GDB:  {line.graded.command}"), soft_wrap=True)

    def _ended(self, standing: Standing) -> None:
        failures = standing.failures()
        if held := words.held(standing):
            self._say(standing, held)
        elif failures:
            self._explain(standing, failures[0])
        for word, lines in words.news(standing):
            self._say(standing, f"{word}: {words.names(lines)}")
        for line in failures[:LISTED_MAX]:
            if line.outcome is not None:
                self._say(standing, f"{line.outcome.verdict}: {line.requirement.name}: {line.outcome.message}")
        if len(failures) > LISTED_MAX:
            self._say(standing, f"... and {len(failures) - LISTED_MAX} more that do not pass")
        of = f"{standing.passed} of {len(standing.lines)} tests pass"
        seconds = number(round(standing.seconds, 1))
        only = f" (only {', '.join(standing.only)})" if standing.only else ""
        self._say(standing, f"{words.points(standing)}, {of}{only}, {seconds} s; waiting for a save")
