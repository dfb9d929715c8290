"""Explores a test's schedules: which are to be run, on as many workers as there are, and what comes of them together.

A test ends with the first schedule, by number, that it does not pass under, whichever came back first: how many workers
there are and how busy they were changes nothing in what is reported.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from grader.testing.pool import Job, Pool
from grader.testing.setting import Setting
from grader.testing.verdict import Outcome, Verdict, ungradable

_AHEAD = 2
"""Jobs for each worker, the one that it runs included."""


@dataclass
class Exploration:
    """One test's way through its schedules."""

    test: str
    ordinary: Outcome
    """What came of the ordinary run: a pass."""
    schedules: Sequence[str]
    _outcomes: dict[int, Outcome] = field(default_factory=dict)
    _begun: int = 0

    def next(self) -> tuple[int, str] | None:
        """The next schedule to be run, with its number; None when no further one can change what comes of it."""
        if self._begun == len(self.schedules) or self._stopped_by() is not None:
            return None
        self._begun += 1
        return self._begun - 1, self.schedules[self._begun - 1]

    def came(self, number: int, outcome: Outcome) -> None:
        """What came of one."""
        self._outcomes[number] = outcome

    def _stopped_by(self) -> int | None:
        return min((at for at, one in self._outcomes.items() if one.verdict is not Verdict.PASSED), default=None)

    def _passed_in_a_row(self) -> int:
        """Schedules that were passed before the first that was not, or that has not come back."""
        count = 0
        while count in self._outcomes and self._outcomes[count].verdict is Verdict.PASSED:
            count += 1
        return count

    def give_up(self, reason: str) -> None:
        """If it has not come to its end, it is ungradable."""
        if self.left:
            self._outcomes = {number: one for number, one in self._outcomes.items() if number < self._passed_in_a_row()}
            self.came(len(self._outcomes), ungradable(self.test, reason))

    @property
    def left(self) -> int:
        """Schedules that are to be awaited."""
        return 0 if self.failure is not None else len(self.schedules) - self._passed_in_a_row()

    @property
    def failure(self) -> Outcome | None:
        """The first run, by number, that is not a pass, when it is known to be the first."""
        return self._outcomes.get(self._passed_in_a_row())

    @property
    def outcome(self) -> Outcome:
        """Of all runs so far: the first that is not a pass, or else a pass. Costs are added up."""
        passed = self._passed_in_a_row()
        runs = [self.ordinary, *(self._outcomes[number] for number in range(passed))]
        last, count = self.ordinary, passed
        if self.failure is not None:
            last, count = self.failure, passed + 1
            runs.append(last)
        return replace(
            last,
            schedules=count,
            boots=sum(run.boots for run in runs),
            guest_instructions=sum(run.guest_instructions for run in runs),
            seconds=sum(run.seconds for run in runs),
        )


def explore(
    pool: Pool, explorations: Sequence[Exploration], setting: Setting, seconds: float = math.inf
) -> Iterator[Exploration]:
    """Run tests under their schedules, test by test, one's spread over all workers; yields each whose outcome may have
    changed. After so many seconds what has not come to its end is ungradable.
    """
    waiting = _jobs(explorations)
    end = time.monotonic() + seconds
    going = True
    while going or pool.outstanding:
        while going and pool.outstanding < _AHEAD * pool.workers:
            job = next(waiting, None)
            going = job is not None
            if job is not None:
                exploration, number, name = job
                pool.submit(Job(exploration.test, replace(setting, schedule=name).to_dict(), (exploration, number)))
        done = pool.next(1.0)
        if done is not None and done[0].tag is not None:
            exploration, number = done[0].tag
            exploration.came(number, done[1])
            yield exploration
        if time.monotonic() > end:
            pool.cancel()  # so that who uses the pool next does not get what comes of these
            for exploration in explorations:
                exploration.give_up(f"its schedules were not through after {seconds:.0f} s")
                yield exploration
            return


def _jobs(explorations: Sequence[Exploration]) -> Iterator[tuple[Exploration, int, str]]:
    """What is to be run next. Each schedule is drawn when it is asked for: by then the test may have failed."""
    for exploration in explorations:
        while (job := exploration.next()) is not None:
            yield exploration, *job
