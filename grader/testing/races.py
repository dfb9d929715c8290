"""What `./lab prove` asks of answers under schedules: right ones pass them all, races fail the tests they name.

A race is a mutant with `schedules = N`: it passes every test in the ordinary run, and within N schedules each test that
it names fails. (Others may fail too, now and then: that is the nature of races.) The schedule that a test failed under
is run once more, and must be the same run to the instruction. What was ungradable is told as that, and not repeated.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from grader.testing.exploration import Exploration, explore
from grader.testing.pool import Job, Pool
from grader.testing.schedules import names
from grader.testing.setting import Setting
from grader.testing.verdict import Outcome, Requirement, Verdict


@dataclass
class Schedules:
    """One answer's tests under schedules: what is asked of it, and what came of it."""

    races: frozenset[str] = frozenset()
    """Tests that must fail under one of `most` schedules."""
    most: int = 0
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    failures: dict[str, list[Outcome]] = field(default_factory=dict)
    """Of the tests that failed: the run under that schedule, and the same once more."""

    def explorations(
        self, requirements: Sequence[Requirement], ordinary: dict[str, Outcome], seed: str, others: int
    ) -> list[Exploration]:
        """What is to be run: races as often as they may need, other marked tests that passed `others` times."""
        found = []
        for known in requirements:
            count = self.most if known.name in self.races else others
            passed = known.name in ordinary and ordinary[known.name].verdict is Verdict.PASSED
            if known.schedules and passed and count:
                found.append(Exploration(known.name, ordinary[known.name], names(seed, known.name, count)))
        return found

    def run(self, pool: Pool, explorations: Sequence[Exploration], setting: Setting) -> Iterator[None]:
        """Run them; yields after each run."""
        for exploration in explore(pool, explorations, setting):
            self.outcomes[exploration.test] = exploration.outcome
            yield
        for exploration in explorations:
            failure = exploration.failure
            if failure is not None and failure.verdict is Verdict.FAILED:
                self.failures[exploration.test] = [failure]
                again = replace(setting, schedule=failure.schedule)
                pool.submit(Job(exploration.test, again.to_dict()))
        while pool.outstanding:
            done = pool.next(1.0)
            if done is not None:
                self.failures[done[0].test].append(done[1])
                yield

    def problems(self) -> Iterator[str]:
        """What is wrong, a sentence each."""
        for test in sorted(self.races - self.outcomes.keys()):
            yield f"{test} must fail under schedules, but it did not run under any: is it marked, and does it pass?"
        for test, outcome in self.outcomes.items():
            count = f"{outcome.schedules} schedule{'' if outcome.schedules == 1 else 's'}"
            if test in self.races and outcome.verdict is not Verdict.FAILED:
                yield f"{test} must fail under schedules, but it is {outcome.verdict} under {count}; {outcome.message}"
            if test not in self.races and outcome.verdict is not Verdict.PASSED:
                yield f"{test} must pass under every schedule, but it is {outcome.verdict}; {outcome.message}"
        for test, runs in self.failures.items():
            if len({(run.verdict, run.message, run.guest_instructions) for run in runs}) > 1:
                seen = " and then ".join(f"{run.message or run.verdict} ({run.guest_instructions:,})" for run in runs)
                yield f"{test}: schedule {runs[0].schedule} is not the same every time: {seen}"
