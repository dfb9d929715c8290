"""What each command of `./lab` does, apart from parsing and exit statuses."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from grader.faults import WrongUse
from grader.paths import Project

if TYPE_CHECKING:
    from grader.builds.build import Build
    from grader.host.sandbox import Sandbox
    from grader.labs.lab_file import Lab
    from grader.labs.tree import Tree
    from grader.testing.verdict import Grading

GRADED, UNGRADABLE, INTERRUPTED = 0, 1, 130


def list_labs(_arguments: argparse.Namespace) -> int:
    """Print the labs with their stages and points."""
    from grader.labs.lab_file import load_labs
    from grader.publishing import published

    project = Project.here()
    for lab in load_labs(project):
        print(f"{lab.name}: {lab.title} ({lab.points} points)")
        if lab.summary:
            print(f"    {lab.summary}")
        for stage in lab.stages:
            print(f"    {stage.number}. {stage.title} ({stage.points})")
    for line in published.lines(project):
        print(line)
    return GRADED


def grade(arguments: argparse.Namespace) -> int:
    """Grade an answer and write it in every form that was asked for."""
    from rich.console import Console

    from grader.progress import Progress
    from grader.publishing.asked import asked
    from grader.results import board, result
    from grader.testing import grading as engine
    from grader.testing import schedules
    from grader.testing.verdict import Grading

    project = Project.here()
    meant = asked(project, arguments.lab, arguments.answer)
    lab, answer = meant.lab, meant.answer
    request = engine.Request(
        lab=lab.name,
        answer="" if meant.by_default else answer,
        only=tuple(arguments.only),
        workers=arguments.workers,
        seed=arguments.seed,
        sandboxed=not arguments.no_sandbox,
        optimisation=arguments.optimisation,
        step=arguments.step,
        schedules=arguments.schedules,
        schedule=schedules.parse(arguments.schedule) if arguments.schedule else schedules.ORDINARY,
        pictures=bool(arguments.html),
    )
    if request.step is not None and not request.only:
        raise WrongUse("--step N is for one test: name it with --only TEST")
    if arguments.schedule and not request.only:
        raise WrongUse("--schedule S is for one test: name it with --only TEST")
    if sum((request.step is not None, bool(request.schedules), bool(arguments.schedule))) > 1:
        raise WrongUse("--step, --schedule and --schedules exclude one another: each says which runs of a test to do")
    console = Console(highlight=False)
    if arguments.json and not result.is_stream(Path(arguments.json)):
        unfinished = Grading(lab.name, lab.title, answer, gradable=False, complete=False)
        unfinished.message = "the grader ended before it was done"
        _placed(arguments.json, lambda: result.write(unfinished, Path(arguments.json)))
    if arguments.junit and not result.is_stream(Path(arguments.junit)):
        _placed(arguments.junit, lambda: result.check_place(Path(arguments.junit)))
    if arguments.html:
        _placed(arguments.html, lambda: result.check_place(Path(arguments.html) / "index.html"))
    grading = Grading(lab.name, lab.title, answer, notes=list(meant.notes))
    interrupted = False
    with board.Watch(Console(stderr=True), f"{lab.name}: starting", quiet=arguments.quiet) as watch:
        progress = Progress(lambda text: watch.say(f"{lab.name}: {text}"), watch.total, watch.step)
        try:
            engine.grade(project, request, progress, grading)
        except KeyboardInterrupt:
            interrupted = True
            grading.gradable, grading.complete = False, False
    page, trouble = None, None
    try:
        page = _write_forms(arguments, grading)  # first: whoever reads the board may be gone
    except OSError as error:  # a full disk must not cost the board
        trouble = error
    if not arguments.quiet:
        board.show(grading, console, every_failure=arguments.all)
        if page is not None:
            console.print(f"report: {page}", style="dim", markup=False, soft_wrap=True)
    elif not grading.gradable and not interrupted:
        print(f"lab: {lab.name} could not be graded: {why_not(grading)}", file=sys.stderr)
    if interrupted:
        raise KeyboardInterrupt
    if trouble is not None:
        raise trouble
    return GRADED if grading.gradable else UNGRADABLE


def _write_forms(arguments: argparse.Namespace, grading: Grading) -> Path | None:
    """Write every form that was asked for; the HTML page's path, if there is one. Only result.json is the grader's own:
    the others reach students, and say of hidden tests no more than what these are worth.
    """
    from grader.results import html, junit, result

    if arguments.json:
        result.write(grading, Path(arguments.json))
    shown = grading if arguments.show_hidden else grading.for_students()
    if arguments.junit:
        result.write_text(Path(arguments.junit), junit.to_junit(shown))
    return html.write(shown, Path(arguments.html)) if arguments.html else None


def why_not(grading: Grading) -> str:
    """A sentence on what made it ungradable."""
    lost = [test.outcome.message for test in grading.tests if test.outcome.verdict == "ungradable"]
    return grading.message or (lost[0] if lost else "no reason was given")


def _placed(path: str, write: Callable[[], None]) -> None:
    """A result that cannot be written is wrong use: better said at the start than after minutes of grading."""
    try:
        write()
    except OSError as error:
        raise WrongUse(f"cannot write {path}: {error.strerror}") from error


def _composed(arguments: argparse.Namespace) -> tuple[Lab, Tree]:
    """The lab and the tree that the command line names."""
    from grader.labs.course import BASELINE
    from grader.labs.tree import Answer, compose
    from grader.publishing.asked import asked

    project = Project.here()
    meant = asked(project, arguments.lab, arguments.answer, default=BASELINE)
    tree = compose(project, meant.lab, Answer.parse(meant.answer))
    for note in tree.notes:
        print(f"lab: {note}", file=sys.stderr)
    return meant.lab, tree


def _built(arguments: argparse.Namespace) -> tuple[Lab, Tree, Build, Sandbox]:
    """Compose and build what the command line names."""
    from grader.builds.build import build_tree
    from grader.host.sandbox import Sandbox

    lab, tree = _composed(arguments)
    sandbox = Sandbox.detect(allowed=not arguments.no_sandbox)
    if sandbox.warning:
        print(f"lab: {sandbox.warning}", file=sys.stderr)
    return lab, tree, build_tree(Project.here(), tree, sandbox), sandbox


def tree(arguments: argparse.Namespace) -> int:
    """Write the composed sources into a folder."""
    from grader.labs.tree import write_tree

    _lab, composed = _composed(arguments)
    write_tree(composed, Path(arguments.output))
    print(f"{len(composed.files) + len(composed.probes)} files of {composed.label} are in {arguments.output}")
    return GRADED


def run(arguments: argparse.Namespace) -> int:
    """Boot to the shell in this terminal, or in a window."""
    from grader.interactive import terminal
    from grader.testing import boots

    lab, _tree, build, sandbox = _built(arguments)
    archive = {name: boots.program(build.programs[name]) for name in lab.archive if name in build.programs}
    return terminal.run(boots.compose(build, archive, files=boots.texts(build)), sandbox, display=arguments.display)


def debug(arguments: argparse.Namespace) -> int:
    """Open GDB at kernel_main or where a test fails."""
    from grader.interactive import debugging
    from grader.machine.witness import Witness
    from grader.testing import schedules, seeds

    if arguments.test is None and (arguments.lab or "").startswith("test_"):  # the lab goes without saying
        arguments.lab, arguments.test = None, arguments.lab
    if arguments.test is None and (arguments.step is not None or arguments.witness or arguments.schedule):
        raise WrongUse("--step, --witness and --schedule are about a test: ./lab debug LAB TEST")
    if arguments.schedule and (arguments.step is not None or arguments.witness == Witness.BOCHS):
        raise WrongUse("a test runs under a schedule whole, and on QEMU: --schedule goes without --step and Bochs")
    schedule = schedules.parse(arguments.schedule) if arguments.schedule else schedules.ORDINARY
    lab, tree, build, sandbox = _built(arguments)
    seed = seeds.choose(arguments.seed, tree.digest)
    wanted = debugging.Wanted(
        arguments.test,
        program=arguments.program,
        editor=arguments.editor,
        step=arguments.step,
        witness=Witness(arguments.witness) if arguments.witness else None,
        reverse=arguments.reverse,
        schedule=schedule,
    )
    return debugging.debug(lab, build, sandbox, wanted, seed)


def doctor(_arguments: argparse.Namespace) -> int:
    """Look for everything that is needed."""
    from grader.host import doctor as examiner

    well = examiner.report(examiner.examine(Project.here()), print)
    return GRADED if well else UNGRADABLE


def bench(arguments: argparse.Namespace) -> int:
    """Measure the framework's speed, or run a lab's experiment."""
    from rich.console import Console

    from grader.experiments import measured
    from grader.publishing.asked import asked

    project = Project.here()
    console = Console(highlight=False)
    sandboxed = not arguments.no_sandbox
    if arguments.lab is None:
        return measured.speed(project, console, repetitions=3 if arguments.quick else 10, sandboxed=sandboxed)
    meant = asked(project, arguments.lab, arguments.answer)
    lab = meant.lab
    folder = Path(arguments.html or f"report/bench-{lab.name}")
    return measured.experiment(project, lab.name, meant.answer, folder, console, sandboxed=sandboxed)


def prove(arguments: argparse.Namespace) -> int:
    """Show that a lab's tests tell right from wrong."""
    from rich.console import Console

    from grader.labs import course
    from grader.progress import Progress
    from grader.results import board, proof_board
    from grader.testing.grading import processors
    from grader.testing.prove import Prover

    project = Project.here()
    name = course.find(project, arguments.lab).name
    prover = Prover(project, name, sandboxed=not arguments.no_sandbox)
    with board.Watch(Console(stderr=True), f"{name}: starting") as watch:
        prover.run(
            runs=arguments.runs,
            load=arguments.load,
            workers=arguments.workers or processors(),
            answers=arguments.answer or (["mutant:*"] if arguments.messages else []),
            progress=Progress(lambda text: watch.say(f"{name}: {text}"), watch.total, watch.step),
            extra=arguments.extra,
            failing_only=arguments.messages,
            schedules=arguments.schedules,
            one_in=arguments.one_in,
        )
    show = proof_board.show_messages if arguments.messages else proof_board.show
    show(prover, Console(highlight=False))
    return GRADED if prover.sound else UNGRADABLE
