"""A process that runs graded tests: one pytest session, fed with jobs over an inherited socket.

Starting Python, importing pytest and collecting a lab's tests costs more than a test does. A worker does that once
and then runs any test against any built answer, any number of times. It runs the lab's tests, never a hand-in's code:
that stays in the sandbox. It writes no result; what came of a test goes to the parent as one line of JSON.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import signal
import socket
import sys
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from _pytest.runner import runtestprotocol

from grader.machine.message_calls import MessageCalls
from grader.machine.witness import Witness
from grader.testing import plugin, schedules, witnesses
from grader.testing.schedules import ORDINARY
from grader.testing.setting import Setting
from grader.testing.verdict import Outcome, Verdict, combined

UNUSED = (
    "cacheprovider",
    "doctest",
    "faulthandler",
    "junitxml",
    "legacypath",
    "logging",
    "pastebin",
    "setuponly",
    "setupplan",
    "stepwise",
    "terminal",
    "threadexception",
    "unittest",
    "unraisableexception",
    "warnings",
)
"""Plugins that pytest brings along and that a worker has no use for: each costs its import."""

ADDRESS_SPACE = 4 << 30
"""Bytes that a worker may have mapped; one that draws pictures of a run needs 160 MB."""

_PR_SET_PDEATHSIG = 1


class Line:
    """JSON messages, one a line, over a socket."""

    def __init__(self, connection: socket.socket) -> None:
        self._reader = connection.makefile("r", encoding="utf-8")
        self._connection = connection

    def send(self, message: dict[str, Any]) -> None:
        """Send one message. Raises OSError when the other side is gone."""
        self._connection.sendall(json.dumps(message).encode() + b"\n")

    def receive(self) -> dict[str, Any] | None:
        """The next message, or None when the other side closed the line."""
        text = self._reader.readline()
        return json.loads(text) if text else None


class Session:
    """The pytest plugin that replaces "run every test once" by "run what the parent asks for"."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._problems: list[str] = []

    def pytest_configure(self, config: pytest.Config) -> None:
        """Let pytest write its own account of a failure the short way: we explain it ourselves, and the long one, with
        its sources taken apart, costs as much as a boot.
        """
        config.option.tbstyle = "native"

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Keep what went wrong in collection: a test file that cannot be imported is the grader's fault."""
        if report.failed:
            self._problems.append(str(report.longrepr))

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Tell the parent which tests there are, then serve it until it closes the line."""
        items = {item.name: item for item in session.items}
        requirements = [plugin.requirement_of(item) for item in session.items]
        names = [requirement.name for requirement in requirements if requirement is not None]
        self._problems += [f"two tests are called {name}" for name in sorted(set(names)) if names.count(name) > 1]
        self._problems += [f"{name} lacks @graded" for name in items if name not in names]
        self._line.send(
            {"tests": [item.to_dict() for item in requirements if item is not None], "problems": self._problems}
        )
        while (job := self._line.receive()) is not None:
            session.config.stash[plugin.SETTING] = Setting.from_dict(job["setting"])
            outcome = (
                run_item(items[job["test"]]) if "pictures" not in job else pictured(items[job["test"]], job["pictures"])
            )
            self._line.send({"id": job["id"], "outcome": outcome.to_dict()})
        return True


def run_item(item: pytest.Item) -> Outcome:
    """Run one collected test once, in the setting that its configuration holds; may be called again.

    Once means: on each of its witnesses in turn, up to the first that it does not pass on; under a schedule on QEMU.
    """
    requirement = plugin.requirement_of(item)
    assert requirement is not None, "only graded tests are run"
    setting = item.config.stash[plugin.SETTING]
    only = setting.witness if setting.schedule == ORDINARY else Witness.QEMU
    outcomes: list[Outcome] = []
    for witness in requirement.witnesses if only is None else (only,):
        outcomes.append(witnesses.missing(requirement, witness) or _run_on(item, witness))
        if outcomes[-1].verdict is not Verdict.PASSED:
            break
    return schedules.named(setting.schedule, witnesses.named(requirement, combined(outcomes)))


def _run_on(item: pytest.Item, witness: Witness) -> Outcome:
    item.stash[plugin.WITNESS] = witness
    item._initrequest()  # type: ignore[attr-defined]  # forget the values of the run before
    runtestprotocol(item, log=False, nextitem=None)
    return plugin.outcome_of(item)


def pictured(item: pytest.Item, asked: dict[str, Any]) -> Outcome:
    """Pictures of a test that failed: run again, on the witness that it failed on. Only they are of use."""
    from grader.testing import camera

    setting = replace(item.config.stash[plugin.SETTING], witness=Witness(asked["witness"]))
    drawn = camera.taken(item, setting, MessageCalls(**asked["messages"]))
    return Outcome(item.name, Verdict.FAILED, pictures=drawn)


def pytest_arguments(tests: Path) -> list[str]:
    """The options of a session over a lab's tests: nothing taken from outside, nothing written to the lab's folder."""
    unused = [word for name in UNUSED for word in ("-p", f"no:{name}")]
    place = [str(tests), "--rootdir", str(tests), "--confcutdir", str(tests), "-c", os.devnull]
    place.append("--import-mode=importlib")
    return [*place, *unused, "-p", "grader.testing.plugin", "--capture=no"]


def _end_with_parent() -> None:
    """Ask the system for SIGTERM when the parent dies, however it dies. Elsewhere the closed line tells."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _limit_memory() -> None:
    """Let a worker that a hand-in's image leads astray run into MemoryError, which is one test's, and not take all of
    the computer's memory. Its children's own limits are lower. Linux only: macOS reserves more than that by itself.
    """
    if sys.platform == "linux":
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        least = ADDRESS_SPACE if hard == resource.RLIM_INFINITY else min(ADDRESS_SPACE, hard)
        resource.setrlimit(resource.RLIMIT_AS, (least, hard))


def _stop(_number: int, _frame: FrameType | None) -> None:
    """SIGTERM ends a test as Ctrl-C would: its machines are closed on the way out."""
    raise KeyboardInterrupt


def main(arguments: list[str]) -> int:
    """Serve one parent: the socket's descriptor and the folder of tests are the arguments."""
    _end_with_parent()
    _limit_memory()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    signal.signal(signal.SIGTERM, _stop)
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    connection = socket.socket(fileno=int(arguments[0]))
    connection.set_inheritable(False)
    tests = Path(arguments[1])
    sys.path.insert(0, str(tests))  # for what the tests share in a module of their own
    line = Line(connection)
    if not tests.is_dir():
        line.send({"tests": [], "problems": [f"there is no folder {tests}"]})
        return 0
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        pytest.main(pytest_arguments(tests), plugins=[Session(line)])
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
