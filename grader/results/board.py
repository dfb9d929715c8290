"""The score board in the terminal: points by stage and test, then every failure explained, first failure first.

It reads the same without colour: verdicts are words and marks, not hues. Everything that a guest or a compiler wrote
has been made harmless before, and is printed with a bar on its left, so that none of it can pass for a line of the
board.
"""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.markup import escape
from rich.measure import Measurement
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.segment import Segment
from rich.style import Style
from rich.table import Table
from rich.text import Text

from grader.labs.lab_file import Stage
from grader.machine.witness import Witness
from grader.testing.verdict import Graded, Grading, Requirement, Verdict
from grader.untrusted import no_commands

MARKS = {
    Verdict.PASSED: ("pass", "green"),
    Verdict.FAILED: ("FAIL", "bold red"),
    Verdict.UNGRADABLE: ("????", "bold yellow"),
}

EXPLAINED_MAX = 3
"""Failures explained in full; the others by a line each, because the first ones usually explain them."""

LISTED_MAX = 40

SILENCE_SECONDS = 5.0
"""Where there is no bar to draw, how long long work says nothing."""

PARAMETERS_SHOWN = 32


def number(value: float) -> str:
    """Points as people write them."""
    return f"{value:g}"


class Quoted:
    """Somebody else's text, with a bar on the left of every line, however it wraps."""

    def __init__(self, text: str) -> None:
        self._text = Text(no_commands(text))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        narrower = options.update(width=max(1, options.max_width - 2))
        for line in console.render_lines(self._text, narrower, pad=False):
            yield Segment("\u2502 ", Style(dim=True))
            yield from line
            yield Segment.line()

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        least, most = Measurement.get(console, options, self._text)
        return Measurement(least + 2, most + 2)


def show(grading: Grading, console: Console, *, every_failure: bool = False) -> None:
    """Print the whole board."""
    console.print()
    console.print(Text.assemble((grading.title or grading.lab, "bold"), "  ", (f"answer: {grading.answer}", "dim")))
    for note in grading.notes:
        console.print(Text(f"note: {no_commands(note)}", style="yellow"))
    if not grading.sandboxed:
        console.print(Text("UNSANDBOXED: the answer was compiled and run without a sandbox", style="bold yellow"))
    if grading.message:
        console.print()
        console.print(Text(_why(grading), style="bold"))
        console.print(Quoted(grading.build_output or grading.message))
    if grading.tests and not grading.message:
        console.print(_table(grading))
    console.print(_score(grading))
    if not grading.message:
        _failures(grading, console, every_failure)
    if grading.tests and not grading.message:
        console.print(Text(f"machines  {witnesses(grading)}", style="dim"))
    if grading.schedules:
        console.print(Text(f"schedules {schedules(grading)}", style="dim"))
    console.print(Text(f"seed {grading.seed or '-'}   {grading.seconds:.1f} s", style="dim"))


def _why(grading: Grading) -> str:
    if not grading.complete:
        return "Interrupted."
    if not grading.gradable:
        return "This could not be graded. It is the grader's fault or this computer's, and costs nobody points:"
    if grading.build_output:
        return "It does not compile, so there is nothing to test. The compiler says:"
    return "There is nothing to test:"


def _table(grading: Grading) -> RenderableType:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 1))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    table.add_column(justify="right", no_wrap=True)
    known = {stage.number for stage in grading.stages}
    extra = sorted({test.requirement.stage for test in grading.tests} - known)
    for stage in [*grading.stages, *(Stage(number, "", 0) for number in extra)]:
        tests = grading.of_stage(stage.number)
        if not tests:
            continue
        points = number(sum(test.points for test in tests))
        of = number(sum(test.requirement.points for test in tests))
        table.add_row()
        table.add_row(
            "", Text(f"Stage {stage.number}: {stage.title}", style="bold"), Text(f"{points}/{of}", style="bold")
        )
        for test in tests:
            table.add_row(*_row(test))
    return table


def _row(test: Graded) -> tuple[RenderableType, RenderableType, RenderableType]:
    mark, style = MARKS[test.outcome.verdict]
    of = number(test.requirement.points)
    passed = test.outcome.verdict is Verdict.PASSED
    name = Text(readable(test.requirement.name), style="" if passed else style)
    for more in (on_machines(test.requirement), test.under_schedules):
        name.append(f"  {more}" if more else "", style="dim")
    return Text(mark, style=style), name, f"{number(test.points)}/{of}"


def on_machines(requirement: Requirement) -> str:
    """`on QEMU and Bochs`; nothing for a test that needs QEMU alone."""
    if requirement.witnesses == (Witness.QEMU,):
        return ""
    return "on " + " and ".join(witness.label for witness in requirement.witnesses)


def witnesses(grading: Grading) -> str:
    """Which emulators were asked, in which version: `QEMU 7.2.22: 74 tests, Bochs 2.7: 60 tests`."""
    return ", ".join(
        f"{witness.label} {grading.versions.get(witness.label, '(missing)')}: {count} test{'' if count == 1 else 's'}"
        for witness, count in grading.machines().items()
    )


def schedules(grading: Grading) -> str:
    """Who ran under schedules: `50 asked for: 12 tests ran, 1 of them failed`."""
    ran = [test for test in grading.tests if test.outcome.schedules]
    failed = sum(test.outcome.verdict is Verdict.FAILED for test in ran)
    tests = f"{len(ran)} test{'' if len(ran) == 1 else 's'}"
    return f"{grading.schedules} for each marked test that passes: {tests} ran under them, {failed} failed"


def readable(name: str) -> str:
    """A test's name as a sentence; its parameters, which may be long, cut."""
    function, bracket, parameters = name.partition("[")
    shown = parameters.removesuffix("]")
    if len(shown) > PARAMETERS_SHOWN:
        shown = shown[:PARAMETERS_SHOWN] + "..."
    return function.removeprefix("test_").replace("_", " ") + (f" [{no_commands(shown)}]" if bracket else "")


def _score(grading: Grading) -> RenderableType:
    passed = sum(test.outcome.verdict is Verdict.PASSED for test in grading.tests)
    full = grading.score == grading.max_score and grading.gradable and not grading.message
    parts: list[tuple[str, str]] = [
        (f"\nScore: {number(grading.score)} of {number(grading.max_score)}", "bold green" if full else "bold"),
        (f"   {passed} of {len(grading.tests)} tests passed" if grading.tests else "", ""),
    ]
    if grading.only:
        parts.append((f"   (only {', '.join(grading.only)})", "dim"))
    if not grading.complete:
        parts.append(("   PARTIAL: grading was interrupted", "bold yellow"))
    elif not grading.gradable:
        parts.append(("   NOT GRADABLE: this score means nothing", "bold yellow"))
    return Text.assemble(*parts)


def _failures(grading: Grading, console: Console, every: bool) -> None:
    failures = grading.failures()
    shown = failures if every else failures[:EXPLAINED_MAX]
    for test in shown:
        console.print()
        console.print(explained(test))
        if test.command:  # on a line of its own, never broken, so that it can be copied whole
            console.print(Text(f"  open this moment in GDB:  {test.command}", style="cyan"), soft_wrap=True)
    if any(test.command and test.outcome.witness in (None, Witness.QEMU) for test in shown):
        console.print(Text("  with --reverse: and turn back time from there (who overwrote this?)", style="dim"))
    left = failures[len(shown) :]
    if left:
        console.print()
        console.print(Text(f"{len(left)} more did not pass; the first ones often explain them:", style="bold"))
        for test in left[:LISTED_MAX]:
            line = f"  {test.requirement.name}: {test.outcome.message}"
            console.print(Text(no_commands(line)), overflow="ellipsis", no_wrap=True)
        if len(left) > LISTED_MAX:
            console.print(Text(f"  ... and {len(left) - LISTED_MAX} more"))
        console.print(Text("  --all explains each, --only NAME runs one alone", style="dim"))


def explained(test: Graded) -> RenderableType:
    """One failure in full, as a student reads it."""
    requirement, outcome = test.requirement, test.outcome
    mark, style = MARKS[outcome.verdict]
    lost = f"   -{number(requirement.points)} points" if outcome.verdict is Verdict.FAILED else "   costs no points"
    parts: list[RenderableType] = [Text.assemble((f"{mark} {requirement.name}", style), (lost, "dim"))]
    rows: list[tuple[str, RenderableType | None]] = [
        ("required", Text(requirement.required)),
        ("must pass", Text(on_machines(requirement)) if on_machines(requirement) else None),
        ("instead", Text(no_commands(outcome.message), style="bold")),
        ("expected", Text(no_commands(outcome.expected)) if outcome.expected else None),
        ("the test", Quoted(outcome.seen) if outcome.seen else None),
        ("seen on serial", Quoted(outcome.serial) if outcome.serial else Text("(nothing)", style="dim")),
        ("seen in the machine", Quoted(outcome.machine) if outcome.machine else None),
        ("usually means", Text(requirement.usually) if requirement.usually else None),
        ("explained in", Text(requirement.handout) if requirement.handout else None),
    ]
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 1, 0, 2))
    table.add_column(style="dim")  # not `no_wrap`: on a narrow terminal nothing would be left for the text
    table.add_column(overflow="fold")
    for title, content in rows:
        if content is not None:
            table.add_row(title, content)
    parts.append(table)
    return Group(*parts)


class Watch:
    """What a person sees while waiting: a bar on a terminal, a line every few seconds elsewhere. A context manager."""

    def __init__(self, console: Console, title: str, *, quiet: bool = False) -> None:
        self._console = console
        self._lines = not quiet and not console.is_terminal
        self._told = time.monotonic()
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=quiet or not console.is_terminal,
        )
        self._task = self._progress.add_task(escape(title), total=None)

    def __enter__(self) -> Watch:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def say(self, title: str) -> None:
        """What is being done now."""
        self._progress.update(self._task, description=escape(title))
        self._tell()

    def total(self, steps: int) -> None:
        """How many steps there will be."""
        self._progress.update(self._task, total=steps)

    def step(self, steps: int = 1) -> None:
        """Some steps are done."""
        self._progress.advance(self._task, steps)
        self._tell()

    def _tell(self) -> None:
        now = time.monotonic()
        if self._lines and now - self._told > SILENCE_SECONDS:
            self._told = now
            task = self._progress.tasks[0]
            done = f" {task.completed:g}/{task.total:g}" if task.total else ""
            self._console.print(f"{task.description}{done}", highlight=False, soft_wrap=True)
