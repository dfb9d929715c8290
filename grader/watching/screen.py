"""The live score board: what goes on, points by stage, a mark a test, what changed, and the first failure in full.

It is drawn anew as a whole at each event, for the terminal's size at that moment, down to 80 x 24 and less: what does
not fit is cut at the bottom, where the explanation is, which a key moves. Verdicts from before the last save look
different without colour too.
"""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console, RenderableType
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from grader.results.board import MARKS, Quoted, explained, number, readable
from grader.testing.verdict import Verdict
from grader.untrusted import no_commands, plain
from grader.watching import words
from grader.watching.session import Happened
from grader.watching.standing import Line, Phase, Standing

LEAST_EXPLAINED = 14
"""Rows that a failure needs: tests are listed by name only where so many are left."""

NOTES_MAX = 2

OVERLAP = 2
"""Rows that are seen again when the explanation is moved."""

SIGNS = {Verdict.PASSED: (".", ","), Verdict.FAILED: ("F", "f"), Verdict.UNGRADABLE: ("?", "?")}
"""A test in one character: now, and from before."""

LEGEND = ". pass  F fail  ? ungradable  * running  - not yet  , f from before the save"
KEYS = "q ends   r all again   f next failure   space more"


class Screen:
    """Draws on `console`, whose terminal shows nothing else (see terminal.py)."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._standing: Standing | None = None
        self._failure = 0
        self._row = 0
        self._left = 0

    def show(self, standing: Standing, happened: Happened, line: Line | None = None) -> None:
        """See `session.View`."""
        if happened in (Happened.BEGAN, Happened.PROBLEM):
            self._failure = self._row = 0
        self._standing = standing
        if happened is not Happened.TESTED:  # the same turn ends with another word
            self.draw()

    def next_failure(self) -> None:
        """Explain the next one, after the last the first."""
        self._failure, self._row = self._failure + 1, 0
        self.draw()

    def more(self) -> None:
        """Move the explanation up, from its end back to its beginning."""
        self._row = self._row + max(1, self._left - OVERLAP) if self._left >= 0 else 0
        self.draw()

    def draw(self) -> None:
        """Draw everything, for the size that the terminal has now."""
        if self._standing is None:
            return
        width, height = self._console.size
        rows = [*self._head(self._standing), *self._board(self._standing, height)]
        foot = self._rows(self._foot(self._standing))
        drawn = self._rows(rows)[: max(0, height - len(foot))]
        room = height - len(drawn) - len(foot)
        text = self._rows(self._text(self._standing))
        self._row = self._row if self._row < len(text) else 0
        shown = text[self._row : self._row + max(0, room)]
        self._left = room if self._row + room < len(text) else -1
        if self._left >= 0 and shown:
            more = Text(f"... {len(text) - self._row - room + 1} more lines: space", style="dim")
            shown[-1:] = self._rows([more])
        blank = [[Segment(" " * width)]] * max(0, room - len(shown))
        every = [*drawn, *shown, *blank, *foot][:height]
        self._console.update_screen_lines(every)

    def _rows(self, parts: Iterable[RenderableType]) -> list[list[Segment]]:
        return [row for part in parts for row in self._console.render_lines(part, pad=True)]

    def _head(self, standing: Standing) -> list[RenderableType]:
        top = Table.grid(expand=True, padding=(0, 1))
        top.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
        top.add_column(no_wrap=True, justify="right")
        what = f"  answer: {standing.answer}" + (f"  only {', '.join(standing.only)}" if standing.only else "")
        title = Text.assemble((standing.lab.title, "bold"), (no_commands(plain(what)), "dim"))
        top.add_row(title, Text(words.points(standing), style=_tone(standing)))
        notes = [no_commands(f"note: {note}") for note in standing.notes[:NOTES_MAX]]
        return [
            top,
            _activity(standing),
            *(Text(note, style="yellow", no_wrap=True, overflow="ellipsis") for note in notes),
        ]

    def _board(self, standing: Standing, height: int) -> list[RenderableType]:
        stages = [stage for stage in standing.lab.stages if standing.of_stage(stage)]
        listed = len(standing.lines) + 2 * len(stages) + LEAST_EXPLAINED < height
        table = Table.grid(padding=(0, 1), expand=True)
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
        if not listed:
            table.add_column(overflow="fold", max_width=max(8, self._console.width // 2))
        table.add_column(justify="right", no_wrap=True)
        for stage in stages:
            lines = standing.of_stage(stage)
            earned = sum(line.points for line in lines)
            of = f"{number(earned)}/{number(sum(line.requirement.points for line in lines))}"
            points = Text(of, style="bold" if all(line.current for line in lines) else "dim")
            title = Text(stage.title, style="bold")
            if not listed:
                table.add_row(str(stage.number), title, Text().join(map(_sign, lines)), points)
                continue
            table.add_row(str(stage.number), title, points)
            for line in lines:
                table.add_row("", _named(line), Text(number(line.requirement.points), style="dim"))
        changes = [
            Text(f"{word}: {words.names(lines)}", style=_colour(word), no_wrap=True, overflow="ellipsis")
            for word, lines in words.news(standing)
        ]
        return [table, *changes, Text("")]

    def _text(self, standing: Standing) -> list[RenderableType]:
        """Why there is nothing to test, or the failure that is explained."""
        if standing.phase is Phase.STUCK:
            return [Text(standing.heading, style="bold"), Quoted(standing.problem)]
        failures = standing.failures()
        if not failures:
            return []
        self._failure %= len(failures)
        line = failures[self._failure]
        assert line.graded is not None
        parts: list[RenderableType] = []
        if not line.current:
            parts.append(Text("from before the save:", style="dim"))
        parts.append(explained(line.graded))
        if line.graded.command:
            parts.append(Text(f"  in GDB: {line.graded.command}", style="cyan"))
        return parts

    def _foot(self, standing: Standing) -> list[RenderableType]:
        keys = f"{KEYS}   seed {standing.seed}" if standing.seed else KEYS
        lines = [LEGEND, keys] if standing.lines else [keys]
        return [Text(line, style="dim", no_wrap=True, overflow="crop") for line in lines]


def _activity(standing: Standing) -> Text:
    """What goes on, in words."""
    saved = f" ({words.some(standing.changed, 1)})" if standing.changed else ""
    seconds = f"  {standing.seconds:.1f} s"
    match standing.phase:
        case Phase.BUILDING:
            what, style = f"building{seconds}", "cyan"
        case Phase.READING:
            what, style = f"reading the tests{seconds}", "cyan"
        case Phase.TESTING:
            what, style = f"testing {standing.done}/{len(standing.lines)}{seconds}", "cyan"
        case Phase.STUCK:
            before = "; the board is from before" if standing.lines else ""
            what, style = f"waiting for a save{before}", "bold yellow"
        case Phase.DONE:
            passing = f"{standing.passed} of {len(standing.lines)} tests pass{seconds}"
            what, style = words.held(standing) or passing, _tone(standing)
    return Text(no_commands(f"run {standing.run}{saved}: {what}"), style=style, no_wrap=True, overflow="ellipsis")


def _tone(standing: Standing) -> str:
    if standing.phase is not Phase.DONE:
        return "dim"
    return "bold green" if standing.passed == len(standing.lines) else "bold"


def _colour(word: str) -> str:
    return "green" if word == "newly passing" else "bold red"


def _sign(line: Line) -> Text:
    """A test in one character."""
    if line.running:
        return Text("*", style="cyan")
    if line.verdict is None:
        return Text("-", style="dim")
    now, before = SIGNS[line.verdict]
    return Text(now, style=MARKS[line.verdict][1]) if line.current else Text(before, style="dim")


def _named(line: Line) -> Text:
    """A test by its name, with its verdict in a word, in brackets when it is from before."""
    name = readable(line.requirement.name)
    if line.verdict is None:
        return Text.assemble(("run    " if line.running else "       ", "cyan"), (name, "dim"))
    mark, style = MARKS[line.verdict]
    if line.current:
        return Text.assemble((f" {mark}  ", style), (name, "" if line.verdict is Verdict.PASSED else style))
    before = ("run    ", "cyan") if line.running else (f"({mark}) ", "dim")
    return Text.assemble(before, (name, "dim"))
