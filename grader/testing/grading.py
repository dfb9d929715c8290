"""Grades one answer: composes its tree, builds it, runs the lab's tests in workers, and returns what came of it.

The workers start while the answer is being built. Nothing here prints or writes a result: callers do, so that the
parent alone does.
"""

from __future__ import annotations

import hashlib
import math
import os
import shlex
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from grader.builds.build import Build, BuildFailed, build_tree
from grader.faults import HandinFault, ProjectFault, Ungradable, WrongUse
from grader.host import tools
from grader.host.sandbox import Sandbox
from grader.labs import course
from grader.labs.lab_file import Lab
from grader.labs.tree import Answer, Tree, compose
from grader.machine.witness import Witness
from grader.names import chosen
from grader.paths import Project
from grader.progress import Progress
from grader.testing import pictures, seeds
from grader.testing.exploration import Exploration, explore
from grader.testing.pool import Job, Pool
from grader.testing.schedules import ORDINARY, names
from grader.testing.setting import Setting
from grader.testing.verdict import Graded, Grading, Outcome, Requirement, Verdict, ungradable
from grader.untrusted import plain

GRADING_SECONDS_MAX = 1200.0
"""A hand-in whose every test comes to its cap must not hold up the queue: after so long the rest is ungradable."""


DRAWING_SECONDS_MAX = 180.0
"""Pictures are no verdicts: what is not drawn after so long stays without, and says so."""

SCHEDULES_IN_LIMIT = 50
"""Schedules of all tests that the same limit holds for once more."""

RACE = "steps that belong together can be interrupted in between: what does the code there rely on meanwhile?"
"""What a failure under a schedule usually means, whatever the test is about."""


@dataclass(frozen=True)
class Request:
    """What is to be graded, and how."""

    lab: str
    answer: str = ""
    """As `--answer` has it; empty for the project's default."""
    only: tuple[str, ...] = ()
    workers: int = 0
    """0: one for each processor that this process may use."""
    seed: str | None = None
    sandboxed: bool = True
    optimisation: str = "-O2"
    """The compiler's level."""
    step: int | None = None
    """Of sweeps, this step alone."""
    schedules: int = 0
    """Schedules that each marked test runs under, once it has passed the ordinary run."""
    schedule: str = ORDINARY
    """The one schedule to run under, without the ordinary run before it."""
    pictures: bool = False
    """Draw the first failures of each stage."""


def processors() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def grade(project: Project, request: Request, progress: Progress, grading: Grading) -> None:
    """Fill in `grading`, which is truthful at any moment, even when this is interrupted.

    Raises WrongUse (before anything is graded), LabFileError, KeyboardInterrupt; what is the hand-in's fault or
    the grader's stands in the grading.
    """
    began = time.monotonic()
    lab = course.find(project, request.lab)
    answer = Answer.parse(request.answer or course.default_answer(project, lab))
    describe(grading, project, lab, request)
    try:
        with (
            ThreadPoolExecutor(1) as aside,
            Pool(lab.folder / "tests", request.workers or processors()) as pool,
        ):
            found = aside.submit(tools.needed_for_a_verdict)
            _grade(project, lab, answer, request, pool, found, progress, grading)
    except (Ungradable, ProjectFault) as error:
        grading.gradable, grading.message = False, str(error)
    except KeyboardInterrupt:
        grading.gradable, grading.complete = False, False
        raise
    finally:
        grading.seconds = time.monotonic() - began


def describe(grading: Grading, project: Project, lab: Lab, request: Request) -> None:
    """The facts that stand before anything has run."""
    grading.lab, grading.title, grading.stages = lab.name, lab.title, list(lab.stages)
    grading.answer = plain(request.answer or course.default_answer(project, lab))
    grading.only = list(request.only)
    grading.started = datetime.now(UTC).isoformat(timespec="seconds")
    grading.hashes = {"grader": folder_hash(project.root / "grader"), "lab": folder_hash(lab.folder)}


def _grade(
    project: Project,
    lab: Lab,
    answer: Answer,
    request: Request,
    pool: Pool,
    found: Future[list[tools.Found]],
    progress: Progress,
    grading: Grading,
) -> None:
    sandbox = Sandbox.detect(allowed=request.sandboxed)
    grading.sandboxed = sandbox.confines
    if sandbox.warning:
        grading.notes.append(sandbox.warning)
    progress.say("building")
    build: Build | None = None
    tree: Tree | None = None
    fault: HandinFault | None = None
    try:
        tree = compose(project, lab, answer)
        grading.notes += tree.notes
        grading.hashes |= {"hand_in": tree.answer_digest, "tree": tree.digest}
        build = build_tree(project, tree, sandbox, optimize=request.optimisation)
    except HandinFault as error:
        fault = error
    grading.seed = seeds.choose(request.seed, tree.digest if tree else "")
    grading.versions = tools.versions(found.result())
    tools.check(found.result())
    progress.say("reading the tests")
    requirements = select(pool.requirements(), request.only)
    check_schedules(pool.requirements(), requirements, request)
    if fault is not None or build is None:
        not_run = [_not_run(requirement) for requirement in requirements]
        grading.tests = [finished(lab, requirement, outcome, request) for requirement, outcome in not_run]
        grading.message = str(fault)
        grading.build_output = str(fault) if isinstance(fault, BuildFailed) else ""
        return
    setting = Setting(build, grading.seed, request.sandboxed, request.step, request.schedule)
    progress.say("testing")
    progress.total(len(requirements))
    outcomes: dict[str, Outcome] = {}

    def came() -> None:
        """Keep the grading truthful: everything that is known now."""
        grading.tests = [
            finished(lab, known, outcomes[known.name], request) for known in requirements if known.name in outcomes
        ]
        grading.gradable = not any(test.outcome.verdict is Verdict.UNGRADABLE for test in grading.tests)
        progress.step()

    _once(pool, requirements, setting, outcomes, came)
    if request.schedules:
        grading.schedules = request.schedules
        explorations = [
            Exploration(known.name, outcomes[known.name], names(grading.seed, known.name, request.schedules))
            for known in requirements
            if known.schedules and outcomes[known.name].verdict is Verdict.PASSED
        ]
        limit = GRADING_SECONDS_MAX * math.ceil(request.schedules / SCHEDULES_IN_LIMIT)
        for count, exploration in enumerate(explore(pool, explorations, setting, limit), len(requirements) + 1):
            outcomes[exploration.test] = exploration.outcome
            progress.say(f"schedules of {exploration.test}")
            progress.total(count + sum(exploration.left for exploration in explorations))
            came()
    if request.pictures:
        try:
            _draw(lab, setting, pool, progress, grading)
        except KeyboardInterrupt:
            grading.notes.append("drawing the failures was interrupted; all tests had been run before")
        except Ungradable as error:
            grading.notes.append(f"the failures could not be drawn: {error}")


def _once(
    pool: Pool,
    requirements: Sequence[Requirement],
    setting: Setting,
    outcomes: dict[str, Outcome],
    came: Callable[[], None],
) -> None:
    """Run each test once; `came` is called after each of the outcomes."""
    for requirement in requirements:
        pool.submit(Job(requirement.name, setting.to_dict()))
    end = time.monotonic() + GRADING_SECONDS_MAX
    while len(outcomes) < len(requirements):
        done = pool.next(1.0)
        if done is not None:
            outcomes[done[0].test] = done[1]
        elif time.monotonic() > end:
            pool.cancel()  # so that what comes of them later is not taken for something else
            late = f"grading took more than {GRADING_SECONDS_MAX:.0f} s"
            outcomes |= {
                known.name: ungradable(known.name, late) for known in requirements if known.name not in outcomes
            }
        else:
            continue
        came()


def _draw(lab: Lab, setting: Setting, pool: Pool, progress: Progress, grading: Grading) -> None:
    """Add pictures to the first failures of each stage. Whatever goes wrong changes no verdict."""
    wanted = {test.requirement.name: test.outcome for test in pictures.chosen(grading.tests)}
    if not wanted:
        return
    progress.say("drawing the first failures")
    progress.total(len(grading.tests) + len(wanted))
    for name, outcome in wanted.items():
        asked = {"witness": str(outcome.witness or Witness.QEMU), "messages": lab.messages.to_dict()}
        run = replace(setting, step=outcome.step, schedule=outcome.schedule)
        pool.submit(Job(name, run.to_dict(), pictures=asked))
    end = time.monotonic() + DRAWING_SECONDS_MAX
    while pool.outstanding and time.monotonic() < end:
        done = pool.next(1.0)
        if done is None:
            continue
        drawn = done[1].pictures or pictures.Pictures(note=f"There is no timeline: {done[1].message}")
        _add(grading, done[0].test, drawn)
        del wanted[done[0].test]
        progress.step()
    for name in wanted:
        late = f"it was not drawn within the {DRAWING_SECONDS_MAX:.0f} s that all of them may take together."
        _add(grading, name, pictures.Pictures(note=f"There is no timeline: {late}"))


def _add(grading: Grading, name: str, drawn: pictures.Pictures) -> None:
    """Give the test of that name its pictures."""
    grading.tests = [
        replace(test, outcome=replace(test.outcome, pictures=drawn)) if test.requirement.name == name else test
        for test in grading.tests
    ]


def check_schedules(every: Iterable[Requirement], chosen: Sequence[Requirement], request: Request) -> None:
    """Raise WrongUse when schedules are asked for and no test that was chosen runs under them, or when one schedule is
    and not all do.
    """
    left_out = [known.name for known in chosen if not known.schedules]
    if not (request.schedules or request.schedule) or len(left_out) < (1 if request.schedule else len(chosen)):
        return
    those = ", ".join(sorted(known.name for known in every if known.schedules)) or "none"
    raise WrongUse(
        f"{left_out[0]} does not run under schedules: it has no race to find, or counts on the timer. "
        f"Those of {request.lab} that do: {those}"
    )


def select(requirements: Iterable[Requirement], only: tuple[str, ...]) -> list[Requirement]:
    """The tests to be run, by stage and then in the order of their files. Raises WrongUse for a pattern that chooses
    none.
    """
    ordered = sorted(requirements, key=lambda requirement: requirement.stage)
    if not only:
        return ordered
    names = set(chosen(only, [requirement.name for requirement in ordered]))
    return [requirement for requirement in ordered if requirement.name in names]


def _not_run(requirement: Requirement) -> tuple[Requirement, Outcome]:
    return requirement, Outcome(requirement.name, Verdict.FAILED, "not run: there is nothing to test")


def finished(lab: Lab, requirement: Requirement, outcome: Outcome, request: Request) -> Graded:
    """A line of the board: with the handout's place and, for a failure, the command that opens its moment."""
    if requirement.handout and "#" not in requirement.handout:
        requirement = replace(requirement, handout=f"labs/{lab.name}/README.md#{requirement.handout}")
    if outcome.schedule and outcome.verdict is Verdict.FAILED:
        requirement = replace(requirement, usually=RACE)
    if outcome.verdict is Verdict.PASSED or outcome.lasting:
        return Graded(requirement, outcome)
    return Graded(requirement, outcome, debug_command(lab.name, outcome, request))


def debug_command(lab: str, outcome: Outcome, request: Request) -> str:
    """What a person types to see the failure happen."""
    words = ["./lab", "debug", lab, outcome.name]
    if outcome.witness not in (None, Witness.QEMU):
        words += ["--witness", str(outcome.witness)]
    if outcome.step is not None:
        words += ["--step", str(outcome.step)]
    if outcome.schedule:
        words += ["--schedule", outcome.schedule]
    if request.answer:
        words += ["--answer", request.answer]
    if request.seed:
        words += ["--seed", request.seed]
    return plain(shlex.join(words))


def folder_hash(folder: Path) -> str:
    """SHA-256 over the names and contents of a folder's files, compiled modules left out."""
    digest = hashlib.sha256()
    for file in sorted(folder.rglob("*")):
        if file.is_file() and "__pycache__" not in file.parts:
            content = file.read_bytes()
            digest.update(f"{file.relative_to(folder).as_posix()}\0{len(content)}\0".encode())
            digest.update(content)
    return digest.hexdigest()
