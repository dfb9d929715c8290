"""Graded tests under plain pytest, which is how an editor's test explorer lists and runs them.

labs/conftest.py takes its hooks and fixtures from here. The answer is the one that `./lab grade LAB` means: a student's
own files, or the reference where there are solutions. It is built once a session; then each test is run and judged as
in a grading, and explained in the same words.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Generator
from pathlib import Path

import pytest
from rich.console import Console

from grader.builds.build import build_tree
from grader.faults import HandinFault, ProjectFault, Ungradable, WrongUse
from grader.host.sandbox import Sandbox
from grader.labs.lab_file import Lab
from grader.labs.tree import Answer, compose
from grader.paths import Project
from grader.publishing.asked import asked
from grader.results import board
from grader.testing import grading, plugin, seeds, witnesses, worker
from grader.testing.plugin import boot, build, pytest_configure, pytest_runtest_setup, seed, sweep
from grader.testing.setting import Setting
from grader.testing.verdict import Outcome, Requirement, Verdict, ungradable

__all__ = [
    "boot",
    "build",
    "pytest_configure",
    "pytest_make_collect_report",
    "pytest_runtest_makereport",
    "pytest_runtest_protocol",
    "pytest_runtest_setup",
    "seed",
    "sweep",
]

LABS = Project.here().labs
WIDTH = 110

Collecting = Generator[None, pytest.CollectReport, pytest.CollectReport]
Reporting = Generator[None, pytest.TestReport, pytest.TestReport]
Prepared = Setting | Exception
_PREPARED = pytest.StashKey[dict[str, Prepared]]()


def _lab_of(path: Path) -> str | None:
    """The lab whose folder of tests a path is in, or leads to."""
    parts = path.relative_to(LABS).parts if path.is_relative_to(LABS) else ()
    return parts[0] if parts[1:2] == ("tests",) else None


# What a lab's conftest.py imports when that file of tests is the one that was asked for.
sys.path += map(str, sorted(LABS.glob("*/tests")))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Collecting:
    """What a lab's tests share in a module of their own is that lab's, whatever another lab calls its own."""
    lab = _lab_of(collector.path)
    if lab is not None:
        _prefer(LABS / lab / "tests")
    return (yield)


def _prefer(tests: Path) -> None:
    if sys.path[0] == str(tests):
        return
    sys.path.remove(str(tests))
    sys.path.insert(0, str(tests))
    for name, module in list(sys.modules.items()):
        file = Path(getattr(module, "__file__", None) or "/")
        if "." not in name and file.parent != tests and _lab_of(file) is not None:
            del sys.modules[name]


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Reporting:
    """A failure in the words of the score board; editors take it from here."""
    report = yield from plugin.pytest_runtest_makereport(item, call)
    requirement = plugin.requirement_of(item)
    if call.excinfo is not None and requirement is not None:
        report.longrepr = _explained(item, requirement, witnesses.named(requirement, plugin.outcome_of(item)))
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> bool | None:
    """Run a graded test on each of its witnesses, and report it once."""
    requirement = plugin.requirement_of(item)
    if requirement is None:
        return None
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    prepared = _prepared(item)
    if isinstance(prepared, Setting):
        item.config.stash[plugin.SETTING] = prepared
        outcome = worker.run_item(item)
    elif isinstance(prepared, HandinFault):
        outcome = Outcome(item.name, Verdict.FAILED, f"not run: {prepared}")
    else:
        outcome = ungradable(item.name, str(prepared))
    for when in ("setup", "call", "teardown"):
        item.ihook.pytest_runtest_logreport(report=_report(item, requirement, outcome, when))
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


def _prepared(item: pytest.Item) -> Prepared:
    """What the test runs against, or why there is nothing; made for a lab's first test of the session."""
    name = _lab_of(item.path)
    assert name is not None, "labs/conftest.py is for what lies below it"
    known = item.config.stash.setdefault(_PREPARED, {})
    if name not in known:
        terminal = item.config.pluginmanager.get_plugin("terminalreporter")
        if terminal is not None:
            terminal.write_line(f"building the answer of the lab {name}")
        try:
            known[name] = _built(name)
        except (HandinFault, Ungradable, ProjectFault, WrongUse) as fault:
            known[name] = fault
    return known[name]


def _built(name: str) -> Setting:
    project = Project.here()
    meant = asked(project, name, "")
    tree = compose(project, meant.lab, Answer.parse(meant.answer))
    return Setting(build_tree(project, tree, Sandbox.detect()), seeds.choose(None, tree.digest))


def _report(item: pytest.Item, requirement: Requirement, outcome: Outcome, when: str) -> pytest.TestReport:
    """What pytest and editors are told. A test that cannot be graded on this computer is skipped, with the reason."""
    word, text = "passed", None
    if when == "call" and outcome.verdict is not Verdict.PASSED:
        word, text = ("skipped" if outcome.lasting else "failed"), _explained(item, requirement, outcome)
    longrepr = (str(item.path), 0, outcome.message) if word == "skipped" else text
    return pytest.TestReport(
        item.nodeid,
        item.location,
        dict.fromkeys(item.keywords, 1),
        word,  # type: ignore[arg-type]
        longrepr,
        when,  # type: ignore[arg-type]
        duration=outcome.seconds if when == "call" else 0.0,
    )


def _explained(item: pytest.Item, requirement: Requirement, outcome: Outcome) -> str:
    lab = _lab(item)
    test = grading.finished(lab, requirement, outcome, grading.Request(lab.name))
    console = Console(file=io.StringIO(), width=WIDTH, highlight=False, record=True)
    console.print(board.explained(test))
    command = f"\n  open this moment in GDB:  {test.command}" if test.command else ""
    return console.export_text().rstrip() + command


def _lab(item: pytest.Item) -> Lab:
    return asked(Project.here(), _lab_of(item.path), "none").lab
