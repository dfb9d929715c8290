"""`./lab prove LAB`: shows that a lab's tests tell right answers from wrong ones, the same way every time.

The starter must get 0, each `stage:K` exactly the tests of stages 1..K, the reference all of them, and each mutant
must fail exactly the tests it names. Every answer is built once; its tests then run as often as asked, in the same
workers, so that an answer costs no start of anything but machines.

Every answer is graded whole once; with `one_in`, a mutant by the tests that it must fail and a share of the others,
another for each mutant, so that each test meets many of them. Further runs are of the tests that decide about it: all
for the reference; for the starter and `stage:K` those on both sides of the border, stages K and K + 1; for a mutant
those that it must fail. The others have as many chances to waver as there are answers.

Tests that are marked for it are run under schedules too: see `grader.testing.races`.

A run is known by its verdict, its message and the instructions that its guests executed. Where two of them agree to the
last instruction, of the reference three (one of them beside busy loops, when load is asked for), each was the same
computation, and so would the others be. Where they differ, more are made: guests that wait for a disk or a console
execute more or fewer instructions until it answers. Of the reference and the mutants these are all runs that were asked
for, of the starter and `stage:K`, whose code is the reference's or not there yet, three.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from grader.builds.build import build_tree
from grader.faults import HandinFault, WrongUse
from grader.host.sandbox import Sandbox
from grader.labs.handout import headings
from grader.labs.lab_file import Lab, load_lab
from grader.labs.mutants import load_mutants
from grader.labs.tree import Answer, compose
from grader.names import near
from grader.paths import Project
from grader.progress import Progress
from grader.testing import seeds
from grader.testing.message import fault
from grader.testing.pool import Job, Pool
from grader.testing.races import Schedules
from grader.testing.setting import Setting
from grader.testing.verdict import Outcome, Requirement, Verdict

BUSY_LOOPS = 2
BUILDERS = 2

STEADY_RUNS, STEADY_REFERENCE_RUNS = 2, 3
"""Runs of a test that tell whether it repeats itself to the instruction."""

UNFINISHED_RUNS = 3
"""Runs of a test of the starter or `stage:K`, at most."""

RETRIES_MAX = 200
"""Among thousands of tests, those that a busy computer made ungradable and that are tried once more."""


@dataclass(frozen=True)
class Expectation:
    """An answer of the project, and the tests that must pass when it is graded."""

    answer: str
    passing: frozenset[str]
    says: str
    """What must hold, in words."""
    races: frozenset[str] = frozenset()
    """Tests that must pass in the ordinary run, and fail within so many schedules:"""
    schedules: int = 0


@dataclass
class Proof:
    """What came of one answer: the outcomes of every run of every test."""

    expectation: Expectation
    outcomes: dict[str, list[Outcome]] = field(default_factory=lambda: defaultdict(list))
    fault: str = ""
    """Why it could not be built at all."""

    def __post_init__(self) -> None:
        self.schedules = Schedules(self.expectation.races, self.expectation.schedules)

    def problems(self, requirements: Sequence[Requirement]) -> list[str]:
        """What is wrong, a sentence each; empty when the answer proves what it must."""
        if self.fault:
            return [f"does not build: {self.fault}"]
        found = []
        for requirement in requirements:
            outcomes = self.outcomes.get(requirement.name, [])
            verdicts = [outcome.verdict for outcome in outcomes]
            wanted = Verdict.PASSED if requirement.name in self.expectation.passing else Verdict.FAILED
            if len(set(verdicts)) > 1:
                counts = ", ".join(f"{verdicts.count(kind)} times {kind}" for kind in Verdict if kind in verdicts)
                found.append(f"{requirement.name} is not the same every time: {counts}; {_why(outcomes)}")
            elif verdicts and verdicts[0] is not wanted:
                found.append(f"{requirement.name} must be {wanted}, but it is {verdicts[0]}; {_why(outcomes)}")
            elif verdicts and wanted is Verdict.FAILED and (why := fault(outcomes[0].message)):
                found.append(f"{requirement.name} says what no student understands: {why}: {outcomes[0].message}")
        return [*found, *self.schedules.problems()]

    def steady(self, test: str) -> bool:
        """Whether all runs of a test so far were the same to the instruction, as far as that can be known."""
        outcomes = self.outcomes[test]
        known = all(outcome.guest_instructions or not outcome.boots for outcome in outcomes)
        return known and len({(one.verdict, one.message, one.guest_instructions) for one in outcomes}) == 1

    def score(self, requirements: Sequence[Requirement]) -> float | None:
        """Points in the first run; None when not all tests were run."""
        if any(requirement.name not in self.outcomes for requirement in requirements):
            return None
        passed = {name for name, runs in self.outcomes.items() if runs[0].verdict is Verdict.PASSED}
        return sum(requirement.points for requirement in requirements if requirement.name in passed)


def _why(outcomes: Sequence[Outcome]) -> str:
    return next((outcome.message for outcome in outcomes if outcome.message), "no message")


def expectations(
    project: Project, lab: Lab, requirements: Sequence[Requirement], *, extra: bool
) -> tuple[list[Expectation], list[str]]:
    """Every answer of the project (the extra mutants only with `extra`) with what must come of it, and what is wrong
    with the names that mutants give.
    """
    every = frozenset(requirement.name for requirement in requirements)
    found = [Expectation("starter", frozenset(), "0 points")]
    for stage in lab.stages[:-1]:
        passing = frozenset(requirement.name for requirement in requirements if requirement.stage <= stage.number)
        points = sum(requirement.points for requirement in requirements if requirement.stage <= stage.number)
        found.append(Expectation(f"stage:{stage.number}", passing, f"{points:g} points: stages 1 to {stage.number}"))
    found.append(Expectation("reference", every, f"{lab.points} points: every test"))
    problems = []
    for mutant in load_mutants(project.solution(lab.name)):
        caught: set[str] = set()
        for name in mutant.fails:
            named = {known for known in every if name in (known, known.split("[", 1)[0])}
            if not named:
                problems.append(f"mutant {mutant.name} names a test that is none: {name}{near(name, every)}")
            caught |= named
        if not extra and mutant.extra:
            continue
        fails = f"fails {len(caught)} of {len(every)} tests"
        if mutant.schedules:
            says = f"passes, and {fails} within {mutant.schedules} schedules: {mutant.misconception}"
            found.append(Expectation(f"mutant:{mutant.name}", every, says, frozenset(caught), mutant.schedules))
        else:
            found.append(Expectation(f"mutant:{mutant.name}", every - caught, f"{fails}: {mutant.misconception}"))
    return found, problems


def inspect(lab: Lab, requirements: Sequence[Requirement]) -> list[str]:
    """What is wrong with the lab's texts and points, without booting anything."""
    problems = []
    anchors = headings(lab.folder / "README.md")
    for stage in lab.stages:
        points = sum(requirement.points for requirement in requirements if requirement.stage == stage.number)
        if points != stage.points:
            problems.append(f"stage {stage.number} is worth {stage.points} points, its tests {points:g}")
    numbers = {stage.number for stage in lab.stages}
    for requirement in requirements:
        if requirement.stage not in numbers:
            problems.append(f"{requirement.name}: there is no stage {requirement.stage}")
        if not requirement.handout or requirement.handout not in anchors:
            problems.append(f"{requirement.name}: the handout has no section #{requirement.handout}")
        if not requirement.usually:
            problems.append(f"{requirement.name}: `usually` does not say what a failure means")
        if requirement.required == requirement.name.replace("_", " "):
            problems.append(f"{requirement.name}: no first line says what is required")
    return problems


@contextlib.contextmanager
def busy(loops: int) -> Iterator[None]:
    """Keep `loops` processors busy."""
    spinning = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(loops)]
    try:
        yield
    finally:
        for process in spinning:
            process.kill()
            process.wait()


class Prover:
    """Proves one lab. `proofs` fills while it runs; `problems` holds what is wrong with the lab itself."""

    def __init__(self, project: Project, lab: str, *, sandboxed: bool = True) -> None:
        if not project.solution(lab).is_dir():
            raise WrongUse(f"there are no solutions of {lab} here: only its author's repository can prove it")
        self.project = project
        self.lab = load_lab(project, lab)
        self.requirements: list[Requirement] = []
        self.proofs: dict[str, Proof] = {}
        self.problems: list[str] = []
        self.seconds = 0.0
        self._sandboxed = sandboxed
        self._expected = 0
        self._failing_only = False
        self._one_in = 1

    def run(
        self,
        *,
        runs: int,
        load: bool,
        workers: int,
        answers: Sequence[str],
        progress: Progress,
        extra: bool = False,
        failing_only: bool = False,
        schedules: int = 0,
        one_in: int = 1,
    ) -> None:
        """Grade every answer whole, then up to `runs` times by the tests that decide about it; when `load` is asked
        for, the reference's and the mutants' second time is beside busy loops. The extra mutants are proved with
        `extra`, or when named in `answers`. Races are run under schedules until they fail, right answers under as many
        as `schedules` says. With `failing_only`, just the tests that an answer must fail are run: for what they say;
        with `one_in`, of those that a mutant must pass one in so many.

        Raises WrongUse, MutantError, MarkerError, Ungradable or PoolError.
        """
        began = time.monotonic()
        with Pool(self.lab.folder / "tests", workers, retries=RETRIES_MAX) as pool:
            self.requirements = sorted(pool.requirements(), key=lambda requirement: requirement.stage)
            chosen, self.problems = expectations(
                self.project, self.lab, self.requirements, extra=extra or bool(answers)
            )
            self.problems += inspect(self.lab, self.requirements)
            chosen = _only(chosen, answers)
            self.proofs = {expectation.answer: Proof(expectation) for expectation in chosen}
            self._failing_only, self._one_in = failing_only, one_in
            self._expect(sum(len(self._asked(expectation)) for expectation in chosen), progress)
            settings = self._first_run(pool, progress)
            if load:
                finished = {answer: setting for answer, setting in settings.items() if not _unfinished(answer)}
                with busy(BUSY_LOOPS):
                    self._more_runs(pool, finished, 2, progress, "beside busy loops")
            for most in (2, STEADY_REFERENCE_RUNS, runs):
                self._more_runs(pool, settings, min(runs, most), progress, "again, what may waver")
            for answer, setting in settings.items():
                self._under_schedules(pool, answer, setting, schedules, progress)
        self.seconds = time.monotonic() - began

    def _expect(self, tests: int, progress: Progress) -> None:
        """So many more tests will be run."""
        self._expected += tests
        progress.total(self._expected)

    def _first_run(self, pool: Pool, progress: Progress) -> dict[str, Setting]:
        """Build every answer, and test each one as soon as it is built."""
        sandbox = Sandbox.detect(allowed=self._sandboxed)
        settings: dict[str, Setting] = {}
        with ThreadPoolExecutor(BUILDERS) as builders:
            building = {builders.submit(self._build, answer, sandbox): answer for answer in self.proofs}
            try:
                while building or pool.outstanding:
                    for future in [future for future in building if future.done()]:
                        answer = building.pop(future)
                        self._built(answer, future, settings, pool, progress)
                    progress.say(f"building, {len(building)} left" if building else "testing")
                    self._collect(pool, progress, 0.2)
                    if building and not pool.outstanding:
                        time.sleep(0.02)
            except BaseException:
                builders.shutdown(wait=False, cancel_futures=True)
                raise
        return settings

    def _build(self, answer: str, sandbox: Sandbox) -> Setting:
        tree = compose(self.project, self.lab, Answer.parse(answer))
        return Setting(build_tree(self.project, tree, sandbox), seeds.choose(None, tree.digest), self._sandboxed)

    def _built(
        self, answer: str, future: Future[Setting], settings: dict[str, Setting], pool: Pool, progress: Progress
    ) -> None:
        try:
            settings[answer] = future.result()
        except HandinFault as error:
            self.proofs[answer].fault = str(error)
            for _ in self._asked(self.proofs[answer].expectation):
                progress.step()
            return
        self._submit(pool, answer, settings[answer], self._asked(self.proofs[answer].expectation))

    def _asked(self, expectation: Expectation) -> list[Requirement]:
        """The tests of an answer's first run."""
        passing = expectation.passing if self._failing_only else frozenset()
        asked = [requirement for requirement in self.requirements if requirement.name not in passing]
        if Answer.parse(expectation.answer).kind != "mutant":
            return asked
        left_out = expectation.passing - expectation.races
        return [
            requirement
            for requirement in asked
            if requirement.name not in left_out or self._is_of_share(expectation.answer, requirement.name)
        ]

    def _is_of_share(self, answer: str, test: str) -> bool:
        return seeds.number("share", answer, test) % self._one_in == 0

    def _decisive(self, expectation: Expectation) -> list[Requirement]:
        """The tests that every run of an answer repeats."""
        answer = Answer.parse(expectation.answer)
        if answer.kind == "mutant":
            return [requirement for requirement in self.requirements if requirement.name not in expectation.passing]
        if _unfinished(expectation.answer):
            done = int(answer.value or 0)
            return [requirement for requirement in self.requirements if requirement.stage in (done, done + 1)]
        return self.requirements

    def _more_runs(self, pool: Pool, settings: Mapping[str, Setting], runs: int, progress: Progress, why: str) -> None:
        """Have so many runs of the tests that decide about each answer, but for those known to repeat themselves."""
        for answer, setting in settings.items():
            expectation = self.proofs[answer].expectation
            asked = self._asked(expectation)
            most = min(runs, UNFINISHED_RUNS) if _unfinished(answer) else runs
            for requirement in (known for known in self._decisive(expectation) if known in asked):
                if self._wavers(answer, requirement):
                    again = most - len(self.proofs[answer].outcomes[requirement.name])
                    self._expect(again, progress)
                    self._submit(pool, answer, setting, [requirement] * again)
        while pool.outstanding:
            progress.say(why)
            self._collect(pool, progress, 1.0)

    def _under_schedules(self, pool: Pool, answer: str, setting: Setting, right: int, progress: Progress) -> None:
        """Run an answer under schedules, if it is a right one or a race."""
        proof = self.proofs[answer]
        asked = 0 if Answer.parse(answer).kind == "mutant" else right
        ordinary = {test: outcomes[0] for test, outcomes in proof.outcomes.items()}
        explorations = proof.schedules.explorations(self.requirements, ordinary, setting.seed, asked)
        if not explorations:
            return
        progress.say(f"schedules of {answer}")
        for _ in proof.schedules.run(pool, explorations, setting):
            self._expect(1, progress)
            progress.step()

    def _wavers(self, answer: str, requirement: Requirement) -> bool:
        """Whether another run may tell something new."""
        proof = self.proofs[answer]
        enough = STEADY_REFERENCE_RUNS if answer == "reference" else STEADY_RUNS
        return len(proof.outcomes[requirement.name]) < enough or not proof.steady(requirement.name)

    def _submit(self, pool: Pool, answer: str, setting: Setting, requirements: Sequence[Requirement]) -> None:
        facts = setting.to_dict()
        for requirement in requirements:
            pool.submit(Job(requirement.name, facts, answer))

    def _collect(self, pool: Pool, progress: Progress, seconds: float) -> None:
        done = pool.next(seconds)
        if done is not None:
            job, outcome = done
            self.proofs[job.tag].outcomes[job.test].append(outcome)
            progress.step()

    @property
    def sound(self) -> bool:
        """Whether everything holds."""
        return not self.problems and not any(proof.problems(self.requirements) for proof in self.proofs.values())


def _unfinished(answer: str) -> bool:
    return Answer.parse(answer).kind in ("starter", "stage")


def _only(expected: Sequence[Expectation], answers: Sequence[str]) -> list[Expectation]:
    """Those that `--answer` chooses; all when it was not given. Raises WrongUse for one that chooses none."""
    if not answers:
        return list(expected)
    names = [expectation.answer for expectation in expected]
    for wanted in answers:
        if not any(fnmatchcase(name, wanted) for name in names):
            raise WrongUse(f"there is no answer {wanted!r} to prove{near(wanted, names)}")
    return [one for one in expected if any(fnmatchcase(one.answer, wanted) for wanted in answers)]
