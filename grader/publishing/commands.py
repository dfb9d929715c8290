"""What `./lab publish`, `start` and `submit` do, apart from parsing and exit statuses."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from grader.faults import WrongUse
from grader.paths import Project

DONE = 0


def publish(arguments: argparse.Namespace) -> int:
    """Make or update the students' repository, or only search it."""
    from grader.publishing import publish as publishing

    project, folder = Project.here(), Path(arguments.folder)
    if arguments.check:
        searched = publishing.check(project, folder)
        print(f"{folder}: {searched} files, versions of files and messages: no solution, mutant or hidden test in them")
        return DONE
    outcome = publishing.publish(project, folder, arguments.lab, _progress)
    for branch, commit in outcome.added.items():
        print(f"{branch}: {commit[:12]}")
    for branch in outcome.same:
        print(f"{branch}: as it was")
    for reason in outcome.left_out.values():
        print(reason)
    print(
        f"The whole history was searched ({outcome.searched} files, versions of files and messages): no solution, "
        "mutant or hidden test is in it."
    )
    if outcome.added:
        print(f"Give it to students: git -C {folder} push --all URL, then they: git clone URL")
    return DONE


def start(arguments: argparse.Namespace) -> int:
    """Bring a student to a lab."""
    from grader.publishing import start as starting

    folder = Path(arguments.folder) if arguments.folder else None
    starting.start(Project.here(), arguments.lab, folder, print)
    return DONE


def submit(arguments: argparse.Namespace) -> int:
    """Grade what would be handed in and pack it."""
    from rich.console import Console

    from grader.progress import Progress
    from grader.publishing import submit as submitting
    from grader.publishing.asked import asked
    from grader.results import board
    from grader.testing import grading as engine
    from grader.testing.verdict import Grading
    from grader.untrusted import plain

    project = Project.here()
    meant = asked(project, arguments.lab, arguments.answer)
    lab = meant.lab
    if meant.answer in ("starter", "reference", "none") or meant.answer.startswith(("stage:", "mutant:")):
        raise WrongUse("here are the solutions, not your files: name a folder with yours, --answer DIR")

    def judge() -> Grading:
        grading = Grading(lab.name, lab.title, meant.answer)
        request = engine.Request(lab.name, meant.answer, workers=arguments.workers, sandboxed=not arguments.no_sandbox)
        with board.Watch(Console(stderr=True), f"{lab.name}: grading") as watch:
            progress = Progress(lambda text: watch.say(f"{lab.name}: {text}"), watch.total, watch.step)
            engine.grade(project, request, progress, grading)
        return grading

    output = Path(arguments.output or ".")
    done = submitting.submit(project, lab, meant.answer, output, judge, anyway=arguments.anyway)
    for path in sorted(done.files):
        print(f"    {plain(path)}")
    score = done.manifest.score
    reached = f"{score[0]:g} of {score[1]:g} points here" if score is not None else "not graded here"
    print(f"{done.path}: the lab {lab.name}, {len(done.files)} files, {reached}. This is the file to hand in.")
    for note in (*meant.notes, *done.notes):
        print(f"note: {note}")
    return DONE


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"lab: {text}", file=sys.stderr)
