"""The parent's side of the workers: starts them, hands out jobs, survives their death, and leaves none behind.

A worker that dies or falls silent makes its test ungradable, never failed: a hand-in can harm neither the verdict of
another test nor the grader. A test that was ungradable is tried once more, because a machine that was too busy for a
moment is not worth a person's time.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from grader.faults import Ungradable
from grader.testing.verdict import Outcome, Requirement, Verdict, ungradable

SILENCE_MAX = 300.0
"""Seconds without an answer after which a worker is taken for lost; machines have caps of their own far below."""

START_MAX = 120.0
"""Seconds in which a worker must have collected the tests, on however busy a host."""

RETRIES_MAX = 8
"""Ungradable tests that are tried once more, in all: a hand-in cannot use up the queue by making every test so."""

_LONG_ANSWER = 4 << 20


class PoolError(Ungradable):
    """The workers cannot run: the grader's own fault. The message is for a person."""


@dataclass(frozen=True)
class Job:
    """One test to be run once, in a setting (see `setting.Setting`)."""

    test: str
    setting: dict[str, Any]
    tag: Any = None
    """Whatever the caller wants back with the outcome."""
    pictures: dict[str, Any] | None = None
    """For pictures of a failure instead of a verdict: its `witness`, and the lab's `messages`."""


@dataclass
class _Worker:
    process: subprocess.Popen[bytes]
    connection: socket.socket
    errors: BinaryIO
    pending: bytes = b""
    job: tuple[Job, int] | None = None
    """The job it works on and how often that was tried before."""
    ready: bool = False
    forgotten: bool = False
    """Whether nobody waits for what comes of its job any more."""
    since: float = field(default_factory=time.monotonic)


class Pool:
    """Workers over one lab's tests. A context manager: leaving it ends all of them."""

    def __init__(self, tests: Path, workers: int, *, retries: int = RETRIES_MAX) -> None:
        self._tests = tests
        self._selector = selectors.DefaultSelector()
        self._workers: list[_Worker] = []
        self._leaving: list[_Worker] = []
        """Those that were asked to end."""
        self._waiting: deque[tuple[Job, int]] = deque()
        self._finished: deque[tuple[Job, Outcome]] = deque()
        self._requirements: list[Requirement] | None = None
        self._deaths_at_start = 0
        self._broken: PoolError | None = None
        self._retries = self._retries_left = retries
        for _ in range(workers):
            self._start()

    def __enter__(self) -> Pool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def workers(self) -> int:
        """How many there are."""
        return len(self._workers)

    def requirements(self) -> list[Requirement]:
        """The lab's graded tests, in their order. Waits for the first worker.

        Raises PoolError when the tests cannot be collected.
        """
        while self._requirements is None:
            self._turn(1.0)
        return self._requirements

    def submit(self, job: Job) -> None:
        """Queue a job."""
        self._waiting.append((job, 0))
        self._feed()

    @property
    def outstanding(self) -> int:
        """Jobs that were submitted and neither returned by `next` nor cancelled."""
        return len(self._waiting) + len(self._finished) + len(self.running)

    @property
    def running(self) -> list[Job]:
        """The jobs that workers are at."""
        return [worker.job[0] for worker in self._workers if worker.job is not None and not worker.forgotten]

    @property
    def collected(self) -> list[Requirement] | None:
        """What `requirements` returns, or None as long as no worker has read the tests."""
        return self._requirements

    def fileno(self) -> int:
        """A descriptor that is readable when a worker has something to tell, for a selector: then call `poll`."""
        return self._selector.fileno()

    def poll(self) -> None:
        """Take in what the workers have told, without waiting. Raises PoolError when they cannot run.

        Whoever waits otherwise than by `next` calls it every few seconds too, for it notices who is silent.
        """
        self._turn(0)

    def cancel(self) -> None:
        """Forget every job, and what has come of those that `next` did not return yet.

        A worker that is at one goes on, since most tests end soon; it is ended when it is wanted for another.
        """
        self._waiting.clear()
        self._finished.clear()
        self._retries_left = self._retries
        for worker in self._workers:
            worker.forgotten = worker.job is not None

    def next(self, timeout: float) -> tuple[Job, Outcome] | None:
        """The next finished job, or None when `timeout` seconds passed or nothing is outstanding."""
        end = time.monotonic() + timeout
        while not self._finished and self.outstanding and (left := end - time.monotonic()) > 0:
            self._turn(min(left, 1.0))
        return self._finished.popleft() if self._finished else None

    def close(self) -> None:
        """End every worker: ask by closing the line and SIGTERM, then kill. Their machines die with them."""
        workers, self._workers = self._workers, []
        for worker in workers:
            with contextlib.suppress(KeyError, ValueError):
                self._selector.unregister(worker.connection)
            worker.connection.close()
            if worker.job is not None or not worker.ready:
                worker.process.terminate()
        end = time.monotonic() + 3.0
        leaving, self._leaving = self._leaving, []
        for worker in [*workers, *leaving]:
            try:
                worker.process.wait(max(0.05, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                worker.process.kill()
                worker.process.wait()
            worker.errors.close()
        self._selector.close()

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        errors = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the worker)
        top = str(Path(__file__).resolve().parent.parent.parent)
        search = os.pathsep.join([top, *filter(None, [os.environ.get("PYTHONPATH")])])
        environment = {**os.environ, "PYTHONPATH": search, "PYTHONSAFEPATH": "1"}
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-m", "grader.testing.worker", str(theirs.fileno()), str(self._tests)],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=errors,
                stderr=errors,
                env=environment,
            )
        ours.setblocking(False)
        worker = _Worker(process, ours, errors)
        self._workers.append(worker)
        self._selector.register(ours, selectors.EVENT_READ, worker)

    def _turn(self, timeout: float) -> None:
        """Wait for messages once, and look for workers that are silent for too long."""
        if self._broken is not None:
            raise self._broken
        for key, _ in self._selector.select(timeout):
            self._read(key.data)
        now = time.monotonic()
        for worker in list(self._workers):
            limit = SILENCE_MAX if worker.ready else START_MAX
            if (worker.job is not None or not worker.ready) and now - worker.since > limit:
                worker.process.send_signal(signal.SIGKILL)
        self._reap()
        self._feed()

    def _read(self, worker: _Worker) -> None:
        try:
            data = worker.connection.recv(1 << 16)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data or len(worker.pending) > _LONG_ANSWER:
            self._bury(worker)
            return
        *lines, worker.pending = (worker.pending + data).split(b"\n")
        for line in lines:
            self._answer(worker, json.loads(line))

    def _answer(self, worker: _Worker, message: dict[str, Any]) -> None:
        worker.since = time.monotonic()
        if "tests" in message:
            if message["problems"]:
                self._broken = PoolError("the lab's tests cannot be used: " + "; ".join(message["problems"]))
                raise self._broken
            worker.ready = True
            self._requirements = [Requirement.from_dict(item) for item in message["tests"]]
            return
        assert worker.job is not None, "an answer without a question"
        (job, tried), worker.job = worker.job, None
        forgotten, worker.forgotten = worker.forgotten, False
        if not forgotten:
            self._finish(job, tried, Outcome.from_dict(message["outcome"]))

    def _finish(self, job: Job, tried: int, outcome: Outcome) -> None:
        again = outcome.verdict is Verdict.UNGRADABLE and not outcome.lasting
        if again and not tried and self._retries_left:
            self._retries_left -= 1
            self._waiting.appendleft((job, tried + 1))
        else:
            self._finished.append((job, outcome))

    def _feed(self) -> None:
        for worker in self._workers:
            if not self._waiting:
                return
            if not worker.ready or worker.job is not None:
                continue
            worker.job = self._waiting.popleft()
            worker.since = time.monotonic()
            job = worker.job[0]
            message: dict[str, Any] = {"id": 0, "test": job.test, "setting": job.setting}
            if job.pictures is not None:
                message["pictures"] = job.pictures
            try:
                worker.connection.setblocking(True)
                worker.connection.sendall(json.dumps(message).encode() + b"\n")
                worker.connection.setblocking(False)
            except OSError:
                self._bury(worker)
                return
        self._make_room()

    def _make_room(self) -> None:
        """End workers that are at a forgotten job, as many as there are jobs that nobody else can begin soon."""
        starting = sum(not worker.ready for worker in self._workers)
        forgotten = [worker for worker in self._workers if worker.forgotten]
        for worker in forgotten[: max(0, len(self._waiting) - starting)]:
            self._workers.remove(worker)
            self._selector.unregister(worker.connection)
            worker.connection.close()
            worker.process.terminate()  # in order, so that it ends its machines
            self._leaving.append(worker)
            self._start()

    def _reap(self) -> None:
        """Let go of the workers that have ended as they were asked to."""
        for worker in [worker for worker in self._leaving if worker.process.poll() is not None]:
            self._leaving.remove(worker)
            worker.errors.close()

    def _bury(self, worker: _Worker) -> None:
        """A worker ended before its time: its job is ungradable, and another worker takes its place."""
        self._selector.unregister(worker.connection)
        worker.connection.close()
        worker.process.kill()
        status = worker.process.wait()
        worker.errors.seek(0)
        said = worker.errors.read()[-2000:].decode("utf-8", "replace").strip()
        worker.errors.close()
        self._workers.remove(worker)
        if not worker.ready:
            self._deaths_at_start += 1
            if self._deaths_at_start > 2:
                self._broken = PoolError(f"the process that runs tests ends at its start (status {status}): {said}")
                raise self._broken
        if worker.job is not None and not worker.forgotten:
            job, tried = worker.job
            self._finish(job, tried, ungradable(job.test, f"the process that ran the test ended (status {status})"))
        self._start()
