"""What each command of `./lab` does, apart from parsing and exit statuses."""

from __future__ import annotations

import argparse
from pathlib import Path

from grader.faults import WrongUse
from grader.paths import Project

GRADED, UNGRADABLE, INTERRUPTED = 0, 1, 130


def known_lab(project: Project, name: str) -> str:
    """The name, when there is such a lab. Raises WrongUse with the near names otherwise."""
    names = project.lab_names()
    if name in names:
        return name
    from grader.names import near

    raise WrongUse(f"there is no lab {name!r}{near(name, names)}\nthe labs are: {', '.join(names) or 'none here'}")


def list_labs(_arguments: argparse.Namespace) -> int:
    """Print the labs with their stages and points."""
    from grader.lab_file import load_labs

    for lab in load_labs(Project.here()):
        print(f"{lab.name}: {lab.title} ({lab.points} points)")
        if lab.summary:
            print(f"    {lab.summary}")
        for stage in lab.stages:
            print(f"    {stage.number}. {stage.title} ({stage.points})")
    return GRADED


def grade(arguments: argparse.Namespace) -> int:
    """Grade an answer and write it in every form that was asked for."""
    from rich.console import Console

    from grader import board, result
    from grader import grading as engine
    from grader.verdict import Grading

    project = Project.here()
    name = known_lab(project, arguments.lab)
    request = engine.Request(
        lab=name,
        answer=arguments.answer,
        only=tuple(arguments.only),
        workers=arguments.workers,
        seed=arguments.seed,
        sandboxed=not arguments.no_sandbox,
    )
    answer = request.answer or engine.default_answer(project, name)
    console = Console(highlight=False)
    if arguments.json:
        unfinished = Grading(name, name, answer, gradable=False, complete=False)
        unfinished.message = "the grader ended before it was done"
        _written(lambda: result.write(unfinished, Path(arguments.json)))
    grading = Grading(name, name, answer)
    interrupted = False
    with board.Watch(Console(stderr=True), f"{name}: starting", quiet=arguments.quiet) as watch:
        progress = engine.Progress(lambda text: watch.say(f"{name}: {text}"), watch.total, watch.step)
        try:
            engine.grade(project, request, progress, grading)
        except KeyboardInterrupt:
            interrupted = True
    if not arguments.quiet:
        board.show(grading, console, every_failure=arguments.all)
    if arguments.json:
        result.write(grading, Path(arguments.json))
    if arguments.html:
        from grader import html

        page = html.write(grading, Path(arguments.html))
        if not arguments.quiet:
            console.print(f"report: {page}", style="dim", markup=False, soft_wrap=True)
    if arguments.junit:
        from grader.junit import to_junit

        result.write_text(Path(arguments.junit), to_junit(grading))
    if interrupted:
        raise KeyboardInterrupt
    return GRADED if grading.gradable else UNGRADABLE
