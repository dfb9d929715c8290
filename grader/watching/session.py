"""One `./lab watch`: looks at the files after each notice, builds, tests, and keeps the standing true.

Everything happens in one thread that waits for several things at once: notices, the builder, the workers, keys. Files
are always read after they are watched, so that no save is lost, and what was found for other files than those read last
is marked as old before anything else is done: no verdict of before is ever shown as one of now.

The seed stays the same for a whole session, else no verdict would hold for a second build. It is the one that `./lab
grade` would draw for the files as they were at the start.
"""

from __future__ import annotations

import contextlib
import selectors
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Protocol

from grader.faults import HandinFault, ProjectFault, Ungradable, WrongUse
from grader.host.sandbox import Sandbox
from grader.labs.tree import Answer, Tree, compose
from grader.paths import Project
from grader.publishing.asked import Asked, asked
from grader.testing import seeds
from grader.testing.grading import Request, finished, folder_hash, processors, select
from grader.testing.pool import Job, Pool
from grader.testing.setting import Setting
from grader.testing.verdict import Outcome, Verdict
from grader.untrusted import plain
from grader.watching import words
from grader.watching.building import Builder
from grader.watching.evidence import Evidence
from grader.watching.folders import Watched, watched
from grader.watching.noticing import Bell, Noticing
from grader.watching.standing import Line, Phase, Standing, order

FAULTS = (HandinFault, ProjectFault, Ungradable, WrongUse, OSError)
KNOWN_MAX = 8
"""Builds whose verdicts are remembered: to undo a change costs nothing."""

TICK = 1.0
"""Seconds between two looks at the clock while something goes on; without that there is nothing to be woken for."""


class GraderChanged(Exception):
    """The grader's own files are others than those that this process runs: it must begin anew."""


class Happened(Enum):
    """What a view is told beside the standing itself."""

    BEGAN = auto()
    """A run: files were saved."""
    PROBLEM = auto()
    TESTED = auto()
    ENDED = auto()
    TIME_PASSED = auto()
    """A turn of the session is over while something goes on: at each event, and at least each TICK."""


class View(Protocol):
    """What a person sees of it."""

    def show(self, standing: Standing, happened: Happened, line: Line | None = None) -> None:
        """Something happened; to `line` where it is a test's."""


@dataclass(frozen=True)
class Wish:
    """What was asked for on the command line."""

    lab: str | None = None
    answer: str = ""
    only: tuple[str, ...] = ()
    workers: int = 0
    seed: str | None = None
    sandboxed: bool = True


@dataclass
class _Known:
    """A build and what came of it so far."""

    evidence: Evidence
    outcomes: dict[str, Outcome] = field(default_factory=dict)


class Session:
    """A context manager: leaving it ends the workers and the builder, and watches no more."""

    def __init__(self, project: Project, wish: Wish, view: View) -> None:
        """Raises WrongUse and the like when what is asked for is not there."""
        self._project, self._wish, self._view = project, wish, view
        self._asked: Asked = asked(project, wish.lab, wish.answer)
        self._request = Request(self._asked.lab.name, "" if self._asked.by_default else self._asked.answer)
        self.standing = Standing(self._asked.lab, plain(self._asked.answer), only=wish.only)
        self._grader = folder_hash(project.root / "grader")
        self._tests = ""
        self._seen: tuple[str, ...] | None = None
        self._tree: Tree | None = None
        self._evidence: Evidence | None = None
        self._known: list[_Known] = []
        self._pool: Pool | None = None
        self._began = time.monotonic()
        self._over = False
        self.bell = Bell()
        self._builder = Builder(project, self.bell, sandboxed=wish.sandboxed)
        self._noticing = Noticing(self.bell, self._folders)
        self._selector = selectors.DefaultSelector()
        self.listen(self.bell.fileno(), self.bell.clear)

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._builder.close()
        self._drop_pool()
        self._noticing.close()
        self._selector.close()
        self.bell.close()

    def listen(self, descriptor: int, act: Callable[[], None]) -> None:
        """Call `act` whenever something can be read from `descriptor`."""
        self._selector.register(descriptor, selectors.EVENT_READ, act)

    def run(self, turn: Callable[[], None] = lambda: None) -> None:
        """Watch until `end` is called; `turn` is called at each waking.

        Raises GraderChanged, and WrongUse or Ungradable when the first run cannot begin at all.
        """
        self._look(first=True)
        while not self._over:
            busy = self.standing.phase in (Phase.BUILDING, Phase.READING, Phase.TESTING)
            events = self._selector.select(TICK if busy else None)
            for key, _ in events:
                if key.data is not None:
                    key.data()
            turn()
            if self._noticing.noticed():
                self._look()
            self._take_build()
            self._serve_pool()
            if busy:
                self._tell(Happened.TIME_PASSED)

    def end(self) -> None:
        """Come to an end."""
        self._over = True

    def again(self) -> None:
        """Run everything once more, with other values."""
        self._known.clear()
        if self.standing.seed:
            self.standing.seed = f"{seeds.number(self.standing.seed, 'again'):016x}"
        self._seen = None
        self._look()

    # What lies there.

    def _look(self, *, first: bool = False) -> None:
        """Read everything, and begin a run if it is not what was read last."""
        try:
            self._noticing.watch()
            if folder_hash(self._project.root / "grader") != self._grader:
                raise GraderChanged
            self._ask()
            tree = compose(self._project, self._asked.lab, Answer.parse(self._asked.answer))
            tests = folder_hash(self._asked.lab.folder / "tests")
        except FAULTS as error:
            if first and isinstance(error, (WrongUse, Ungradable)):
                raise
            fault = error
            self._see(("problem", str(fault)), lambda: self._stuck(fault))
            return
        self._see((tree.digest, tree.given_digest, tests, *tree.notes), lambda: self._begin(tree, tests))

    def _folders(self) -> Watched:
        return watched(self._project, self._asked.lab, Answer.parse(self._asked.answer))

    def _see(self, what: tuple[str, ...], act: Callable[[], None]) -> None:
        if what != self._seen:
            self._seen = what
            act()

    def _ask(self) -> None:
        """Find out which lab it is now, should the checkout have been led to another one."""
        meant = asked(self._project, self._wish.lab, self._wish.answer)
        if meant.lab == self._asked.lab:
            self._asked = meant
            return
        self._asked, self._tests, self._tree = meant, "", None
        self._request = Request(meant.lab.name, self._request.answer)
        self.standing = Standing(meant.lab, self.standing.answer, only=self._wish.only, run=self.standing.run)
        self._noticing.watch()

    def _begin(self, tree: Tree, tests: str) -> None:
        self._halt()
        if tests != self._tests:
            self._tests = tests
            self._drop_pool()
            self._known.clear()
        standing = self.standing
        if not standing.seed:
            standing.seed = seeds.choose(self._wish.seed, tree.digest)
        standing.changed = _differences(self._tree, tree)
        standing.notes = (*_sandbox_note(sandboxed=self._wish.sandboxed), *self._asked.notes, *tree.notes)
        self._tree = tree
        self._start_run(Phase.BUILDING)
        self._builder.start(tree)
        self._start_pool()
        self._tell(Happened.BEGAN)

    def _start_run(self, phase: Phase) -> None:
        standing = self.standing
        standing.run += 1
        standing.phase, standing.problem, standing.heading, standing.kept = phase, "", "", 0
        self._began = time.monotonic()

    def _halt(self) -> None:
        """End what goes on, and take nothing that is known for true any more."""
        self.standing.is_old()
        self._evidence = None
        self._builder.cancel()
        if self._pool is not None:
            self._pool.cancel()

    def _stuck(self, error: Exception) -> None:
        """There is nothing to test until files are saved again."""
        self._halt()
        self.standing.changed = ()  # of what lies there now nothing could be compared
        self._start_run(Phase.STUCK)
        self._fail(error)

    def _fail(self, error: Exception) -> None:
        standing = self.standing
        standing.phase, standing.heading = Phase.STUCK, words.why(error)
        text = f"{error.strerror}: {error.filename}" if isinstance(error, OSError) and error.filename else str(error)
        standing.problem = plain(text)
        self._tell(Happened.PROBLEM)

    # Building and testing.

    def _take_build(self) -> None:
        result = self._builder.take()
        if isinstance(result, FAULTS):
            self._fail(result)
        elif isinstance(result, Exception):
            raise result
        elif result is not None:
            self._evidence = result
            self.standing.phase = Phase.READING

    def _start_pool(self) -> None:
        if self._pool is None:
            tests = self._asked.lab.folder / "tests"
            self._pool = Pool(tests, self._wish.workers or processors())
            self._selector.register(self._pool, selectors.EVENT_READ)

    def _drop_pool(self) -> None:
        if self._pool is not None:
            self._selector.unregister(self._pool)
            self._pool.close()
            self._pool = None

    def _serve_pool(self) -> None:
        """Give the workers what is to be done, and take what they have done."""
        if self._pool is None:
            return
        try:
            self._pool.poll()
            if self.standing.phase is Phase.READING and self._pool.collected is not None:
                self._test(self._pool)
        except (Ungradable, WrongUse) as error:
            self._builder.cancel()
            self._drop_pool()
            if self._wish.only and isinstance(error, WrongUse) and not self.standing.lines:
                raise  # --only names no test, and never did
            self._seen = None  # the workers read something else, if only for a moment: the next notice begins anew
            if folder_hash(self._asked.lab.folder / "tests") == self._tests:
                self._fail(error)
            return
        while self._pool.outstanding and (done := self._pool.next(0)) is not None:
            self._tested(done[0].test, done[1])
        running = {job.test for job in self._pool.running}
        for name, line in self.standing.lines.items():
            line.running = name in running

    def _test(self, pool: Pool) -> None:
        """The answer is built, and the tests are known: keep the verdicts that hold, and begin with the others."""
        assert self._evidence is not None
        standing, evidence = self.standing, self._evidence
        chosen = select(pool.collected or [], self._wish.only)
        standing.lines = {one.name: standing.lines.get(one.name, Line(one)) for one in chosen}
        for one in chosen:
            standing.lines[one.name].requirement = one
        kept = self._kept(evidence)
        for name, outcome in kept.items():
            self._put(standing.lines[name], outcome)
        self._known.insert(0, _Known(evidence, kept))
        del self._known[KNOWN_MAX:]
        standing.phase, standing.kept = Phase.TESTING, len(kept)
        setting = Setting(evidence.build, standing.seed, self._wish.sandboxed).to_dict()
        for line in order([line for line in standing.lines.values() if not line.current]):
            pool.submit(Job(line.requirement.name, setting))
        self._end_if_done()

    def _kept(self, evidence: Evidence) -> dict[str, Outcome]:
        """The verdicts of earlier builds that hold for this one, by the tests' names."""
        found: dict[str, Outcome] = {}
        for known in self._known:
            holding = known.evidence.holds_for(evidence)
            for name, outcome in known.outcomes.items():
                if outcome.verdict in holding and name in self.standing.lines:
                    found.setdefault(name, outcome)
        return found

    def _tested(self, name: str, outcome: Outcome) -> None:
        line = self.standing.lines[name]
        self._put(line, outcome)
        if outcome.verdict is not Verdict.UNGRADABLE:  # else it is worth another try
            self._known[0].outcomes[name] = outcome
        self._tell(Happened.TESTED, line)
        self._end_if_done()

    def _put(self, line: Line, outcome: Outcome) -> None:
        request = Request(self._request.lab, self._request.answer, seed=self.standing.seed)
        line.put(finished(self.standing.lab, line.requirement, outcome, request))

    def _end_if_done(self) -> None:
        standing = self.standing
        if standing.done == len(standing.lines):
            standing.phase = Phase.DONE
            self._tell(Happened.ENDED)
            standing.before = standing.points

    def _tell(self, happened: Happened, line: Line | None = None) -> None:
        self.standing.seconds = time.monotonic() - self._began
        self._view.show(self.standing, happened, line)


def _differences(before: Tree | None, after: Tree) -> tuple[str, ...]:
    """The paths that are new, gone or different."""
    if before is None:
        return ()
    old, new = {**before.files, **before.probes}, {**after.files, **after.probes}
    return tuple(sorted(plain(path) for path in old.keys() | new.keys() if old.get(path) != new.get(path)))


def _sandbox_note(*, sandboxed: bool) -> tuple[str, ...]:
    with contextlib.suppress(OSError):
        warning = Sandbox.detect(allowed=sandboxed).warning
        return (warning,) if warning else ()
    return ()
