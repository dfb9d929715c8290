"""Pictures of a failed test, taken by the workers that graded it: a real run, from the command to the page."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from grader.builds.build import Build
from grader.labs.lab_file import Lab
from grader.machine.message_calls import MessageCalls
from grader.paths import Project
from grader.progress import Progress
from grader.results import html, result
from grader.testing import grading
from grader.testing.pool import Job, Pool
from grader.testing.setting import Setting
from grader.testing.verdict import Verdict
from grader.tests import samples

ROOT = Project.here().root
TEST = "test_a_reply_reaches_only_a_caller_that_waits_for_it"


def test_a_failure_is_drawn_with_its_calls_and_messages(tmp_path: Path) -> None:
    """The verdict is as without, the run ends where it failed, with calls by name and messages between processes; and
    the page can be made again from the file.
    """
    arguments = ["microkernel", "--answer", "mutant:lets_anybody_reply", "--only", TEST, "-j", "1", "--quiet"]
    forms = ["--json", str(tmp_path / "result.json"), "--html", str(tmp_path / "page")]
    done = subprocess.run(
        [sys.executable, "-m", "grader", "grade", *arguments, *forms],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1"},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (test,) = result.read(tmp_path / "result.json").failures()
    drawn = test.outcome.pictures
    assert test.outcome.verdict is Verdict.FAILED and drawn is not None and not drawn.note
    timeline = drawn.timeline
    assert timeline is not None and timeline.ending == test.outcome.message
    assert timeline.events[-1].at <= timeline.end
    assert {"ipc_call", "ipc_receive", "ipc_reply"} <= {event.what for event in timeline.events}
    names = [process.name for process in timeline.processes]
    pairs = {(names[mail.sender], names[mail.receiver]) for mail in timeline.messages}
    assert {("calls", "process_server"), ("process_server", "calls"), ("", "scheduler_server")} <= pairs
    assert timeline.serial[0].text == "539kernel" and timeline.serial[0].exact
    page = (tmp_path / "page" / "index.html").read_text()
    assert f"Timeline: {TEST}" in page and "ipc_call" in page
    assert len(json.dumps(drawn.to_dict())) < 500_000


class Busy:
    """A pool whose workers never come to an end."""

    outstanding = 1

    def submit(self, job: Job) -> None:
        """Nothing comes of it."""

    def next(self, timeout: float) -> None:
        """Nothing."""


def test_what_is_not_drawn_in_time_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page shall not advise the command that has just been tried."""
    monkeypatch.setattr(grading, "DRAWING_SECONDS_MAX", 0.0)
    nowhere = Path("/nowhere")
    setting = Setting(Build(nowhere, nowhere, nowhere, nowhere, nowhere, {}, {}), "seed")
    made = samples.grading(samples.failed("test_a"))
    lab = cast(Lab, SimpleNamespace(messages=MessageCalls()))
    grading._draw(lab, setting, cast(Pool, Busy()), Progress(), made)
    (test,) = made.tests
    assert test.outcome.pictures is not None and "not drawn within" in test.outcome.pictures.note
    page = html.to_html(made)
    assert "not drawn within" in page and "--html DIR" not in page
