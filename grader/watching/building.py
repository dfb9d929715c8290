"""Builds in a thread of its own, so that a save, a key or Ctrl-C is answered while a compiler runs.

A build that nobody wants any more is ended with its compilers, and what would have come of it is never heard of.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

from grader.builds.build import build_tree
from grader.host import tools
from grader.host.sandbox import Sandbox
from grader.labs.tree import Tree
from grader.paths import Project
from grader.watching.evidence import Evidence
from grader.watching.noticing import Bell

PATIENCE = 3.0
"""Seconds in which a build whose compiler was killed comes to its end, but for one that waits for another process."""


@dataclass
class _Work:
    """One build: wanted until `cancelled`. `result` is what came of it."""

    thread: threading.Thread
    process: subprocess.Popen[bytes] | None = None
    cancelled: bool = False
    result: Evidence | Exception | None = None


class Builder:
    """One build at a time; a new one takes the place of the last."""

    def __init__(self, project: Project, bell: Bell, *, sandboxed: bool) -> None:
        self._project = project
        self._bell = bell
        self._sandboxed = sandboxed
        self._tools_are_there = False
        self._lock = threading.Lock()
        self._work: _Work | None = None
        self._threads: list[threading.Thread] = []

    def start(self, tree: Tree) -> None:
        """Begin to build; the bell rings when it is done."""
        self.cancel()
        thread = threading.Thread(target=lambda: self._run(work, lambda: self._built(work, tree)), daemon=True)
        work = self._work = _Work(thread)
        thread.start()
        self._threads = [*(known for known in self._threads if known.is_alive()), thread]

    def take(self) -> Evidence | Exception | None:
        """What was built, or why not, once; None as long as there is nothing new."""
        if self._work is None or self._work.result is None:
            return None
        result, self._work = self._work.result, None
        return result

    def cancel(self) -> None:
        """End the build that goes on, if any: its compilers are killed."""
        if self._work is not None:
            work, self._work = self._work, None
            with self._lock:
                work.cancelled = True
                _kill(work.process)

    def close(self) -> None:
        """End the build that goes on, and see to it that what it had lying about is gone."""
        self.cancel()
        for thread in self._threads:
            thread.join(PATIENCE)

    def _built(self, work: _Work, tree: Tree) -> Evidence:
        if not self._tools_are_there:
            tools.check(tools.needed_for_a_verdict())
            self._tools_are_there = True
        sandbox = replace(Sandbox.detect(allowed=self._sandboxed), started=lambda process: self._started(work, process))
        return Evidence.of(build_tree(self._project, tree, sandbox))

    def _started(self, work: _Work, process: subprocess.Popen[bytes]) -> None:
        with self._lock:
            work.process = process
            if work.cancelled:
                _kill(process)

    def _run(self, work: _Work, make: Callable[[], Evidence]) -> None:
        try:
            result: Evidence | Exception = make()
        except Exception as error:  # told to the main thread, which knows what to do with which
            result = error
        work.result = result
        self._bell.ring()


def _kill(process: subprocess.Popen[bytes] | None) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if process is not None and process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
