"""Measurements in the terminal: the framework's speed beside its budgets, and a lab's experiment beside the
literature.
"""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from grader.experiments.experiment import Table, cell
from grader.faults import WrongUse
from grader.paths import Project
from grader.progress import Progress
from grader.results import board

PREFERRED = "microkernel"
"""The lab whose reference is measured, when it is there."""


def speed(project: Project, console: Console, *, repetitions: int, sandboxed: bool) -> int:
    """Measure and print; the status says only whether it could be measured, for a busy computer breaks no budget."""
    from grader.experiments.bench import Bench

    labs = [name for name in project.lab_names() if project.solution(name).is_dir()] or project.lab_names()
    if not labs:
        raise WrongUse("there is no lab here whose reference could be measured")
    lab = PREFERRED if PREFERRED in labs else labs[0]
    with board.Watch(Console(stderr=True), "measuring") as watch:
        figures = Bench(project, lab, repetitions=repetitions, sandboxed=sandboxed).figures(
            Progress(watch.say, watch.total, watch.step)
        )
    grid = Grid(box=None, pad_edge=False, padding=(0, 2), header_style="dim")
    grid.add_column("what (medians)")
    grid.add_column("measured", justify="right")
    grid.add_column("budget", justify="right")
    grid.add_column("")
    for figure in figures:
        budget = f"{figure.budget:g} {figure.unit}" if figure.budget is not None else "-"
        word = "" if figure.budget is None else ("kept" if figure.kept else "OVER")
        grid.add_row(
            figure.what,
            f"{figure.value:.3f} {figure.unit}",
            budget,
            Text(word, style="green" if figure.kept else "bold red"),
        )
    console.print(grid)
    return 0


def experiment(project: Project, lab: str, answer: str, folder: Path, console: Console, *, sandboxed: bool) -> int:
    """Run a lab's experiment, print its table and write its page."""
    from grader.experiments import laboratory

    with board.Watch(Console(stderr=True), f"{lab}: measuring"):
        table = laboratory.measure(project, lab, answer, sandboxed=sandboxed)
    show(table, console)
    page = laboratory.write_page(table, lab, answer, folder)
    console.print(f"the plot: {page}", style="dim", markup=False, soft_wrap=True)
    return 0


def show(table: Table, console: Console) -> None:
    """An experiment's table in the terminal."""
    console.print()
    console.print(Text(table.title, style="bold"))
    grid = Grid(box=None, pad_edge=False, padding=(0, 2), header_style="dim")
    for index, column in enumerate(table.columns):
        grid.add_column(column, justify="left" if index == 0 else "right")
    for row in table.rows:
        grid.add_row(*map(cell, row))
    console.print(grid)
    if table.literature:
        console.print(Text("\nIn the literature", style="bold"))
        papers = Grid(box=None, show_header=False, pad_edge=False, padding=(0, 2))
        for what, figure in table.literature:
            papers.add_row(what, figure)
        console.print(papers)
    for note in table.notes:
        console.print(Text(f"\n{note}"))
