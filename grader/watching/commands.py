"""What `./lab watch` does, apart from parsing and exit statuses."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys

from rich.console import Console

from grader.paths import Project
from grader.watching import words
from grader.watching.lines import Lines
from grader.watching.screen import Screen
from grader.watching.session import GraderChanged, Session, View, Wish
from grader.watching.standing import Standing
from grader.watching.terminal import Terminal

DONE = 0


def watch(arguments: argparse.Namespace) -> int:
    """Grade at each save until the person ends it."""
    project = Project.here()
    requirements = _requirements(project)
    wish = Wish(
        lab=arguments.lab,
        answer=arguments.answer,
        only=tuple(arguments.only),
        workers=arguments.workers,
        seed=arguments.seed,
        sandboxed=not arguments.no_sandbox,
    )
    console = Console(highlight=False)
    try:
        if console.is_terminal and not console.is_dumb_terminal:
            _on_screen(project, wish, console)
        else:
            _in_lines(project, wish, Lines(console))
    except GraderChanged:
        print("lab: the course's own files have changed: beginning anew", file=sys.stderr, flush=True)
        _begin_anew(project, same_environment=_requirements(project) == requirements)
    return DONE


def _in_lines(project: Project, wish: Wish, view: View) -> None:
    with Session(project, wish, view) as session:
        session.run()


def _on_screen(project: Project, wish: Wish, console: Console) -> None:
    view = Screen(console)
    with Session(project, wish, view) as session:
        terminal = Terminal(console, session.bell.ring)

        def turn() -> None:
            if terminal.disturbed():
                view.draw()

        def typed() -> None:
            keys = terminal.keys()
            if keys is None or "q" in keys:
                session.end()
            elif "r" in keys or "\n" in keys:
                session.again()
            elif "f" in keys:
                view.next_failure()
            elif " " in keys:
                view.more()

        try:
            with terminal:
                if terminal.keyboard is not None:
                    session.listen(terminal.keyboard, typed)
                session.run(turn)
        finally:
            _last_words(session.standing)


def _last_words(standing: Standing) -> None:
    """What stays on the terminal."""
    if standing.lines:
        old = "" if standing.done == len(standing.lines) else ", not all of it graded since the last save"
        print(f"{standing.lab.name}: {words.points(standing)}{old}; ./lab grade shows the whole board")


def _requirements(project: Project) -> bytes:
    with contextlib.suppress(OSError):
        return (project.root / "requirements.txt").read_bytes()
    return b""


def _begin_anew(project: Project, *, same_environment: bool) -> None:
    """Become a new process with the same command line; one with a new environment if the packages changed."""
    words_typed = sys.argv[1:]
    if same_environment:
        os.execv(sys.executable, [sys.executable, "-m", "grader", *words_typed])
    os.execv(project.root / "lab", ["lab", *words_typed])
