"""Tests with two witnesses: run on each, passed only on both, ungradable where one is missing, and named in reports."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from grader.host import tools
from grader.machine.witness import Witness
from grader.results import board, html, junit, result
from grader.testing import witnesses
from grader.testing.pool import Job, Pool
from grader.testing.verdict import Graded, Outcome, Verdict, combined
from grader.tests.samples import grading, requirement
from grader.tests.test_pool import setting

BOTH = (Witness.QEMU, Witness.BOCHS)

TESTS = """
from grader.machine.witness import Witness
from grader.testing.plugin import graded

BOTH = (Witness.QEMU, Witness.BOCHS)
RAN = []


@graded(stage=1, points=1, witnesses=BOTH)
def test_both(boot, seed):
    assert seed == boot._seed or RAN.append(boot.witness) is None


@graded(stage=1, points=1, witnesses=BOTH)
def test_disagree(boot):
    assert boot.witness == "qemu", "a limit was not obeyed"


@graded(stage=1, points=1, witnesses=BOTH)
def test_neither(boot):
    assert boot.witness == "none"


@graded(stage=1, points=1)
def test_which_ran(boot):
    assert RAN == ["qemu", "bochs"]


@graded(stage=1, points=1, witnesses=(Witness.BOCHS,))
def test_bochs_alone(boot):
    assert boot.witness == "bochs"
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pool]:
    """A worker over these tests, on a computer that has something called Bochs."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "bochs").write_text("#!/bin/sh\n")
    (tmp_path / "bin" / "bochs").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    yield from pool(tmp_path)


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pool]:
    """A worker on a computer without Bochs."""
    monkeypatch.setenv("PATH", str(tmp_path))
    yield from pool(tmp_path)


def pool(folder: Path) -> Iterator[Pool]:
    """A worker over these tests."""
    (folder / "tests").mkdir()
    (folder / "tests" / "test_demo.py").write_text(TESTS)
    with Pool(folder / "tests", 1) as made:
        yield made


def run(made: Pool, test: str) -> Outcome:
    """One test, once."""
    made.submit(Job(test, setting()))
    done = made.next(60)
    assert done is not None
    return done[1]


def test_a_test_runs_on_each_of_its_witnesses(here: Pool) -> None:
    """In their order, with fresh fixtures, and passes when it passes on each."""
    assert here.requirements()[0].witnesses == BOTH
    assert run(here, "test_both").verdict is Verdict.PASSED
    assert run(here, "test_which_ran").verdict is Verdict.PASSED
    assert run(here, "test_bochs_alone").witness is Witness.BOCHS


def test_a_failure_on_one_is_a_failure_and_says_on_which(here: Pool) -> None:
    """The second is not asked when the first failed already."""
    outcome = run(here, "test_disagree")
    assert (outcome.verdict, outcome.witness) == (Verdict.FAILED, Witness.BOCHS)
    assert outcome.message.startswith("on Bochs: A limit was not obeyed.")
    assert run(here, "test_neither").message.startswith("on QEMU: ")


def test_without_bochs_its_tests_are_ungradable(elsewhere: Pool) -> None:
    """Never passed, with how to install it, and not tried again; what failed on QEMU is failed all the same."""
    outcome = run(elsewhere, "test_both")
    assert (outcome.verdict, outcome.witness) == (Verdict.UNGRADABLE, Witness.BOCHS)
    assert "Bochs is not installed here" in outcome.message and "install" in outcome.message
    assert elsewhere._retries_left == 8
    assert run(elsewhere, "test_neither").verdict is Verdict.FAILED


def test_without_bochs_others_are_graded_as_ever(elsewhere: Pool) -> None:
    """A test that names QEMU alone asks for nothing else."""
    assert run(elsewhere, "test_which_ran").message == "assert [] == ['qemu', 'bochs']"


def test_how_to_install_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """QEMU's own start tells of QEMU."""
    monkeypatch.setattr(tools, "path_of", lambda _tool: None)
    witnesses.lacking.cache_clear()
    assert "bochs" in witnesses.lacking(Witness.BOCHS)
    assert witnesses.lacking(Witness.QEMU) == ""
    witnesses.lacking.cache_clear()


def graded(verdict: Verdict, witness: Witness, **more: object) -> Graded:
    """A test of two witnesses that came to this verdict on that one."""
    outcome = replace(Outcome("test_a", verdict, "no", witness=witness, boots=1), **more)  # type: ignore[arg-type]
    return Graded(replace(requirement("test_a"), witnesses=BOTH), outcome)


def test_costs_of_both_are_added() -> None:
    """The outcome is the last one's."""
    runs = [Outcome("a", Verdict.PASSED, boots=1, seconds=1), Outcome("a", Verdict.FAILED, "no", boots=2, seconds=2)]
    both = combined(runs)
    assert (both.verdict, both.message, both.boots, both.seconds) == (Verdict.FAILED, "no", 3, 3)


def test_which_machines_a_test_ran_on() -> None:
    """Up to the one it did not pass on; one that is missing saw nothing."""
    assert graded(Verdict.PASSED, Witness.BOCHS).witnessed == BOTH
    assert graded(Verdict.FAILED, Witness.QEMU).witnessed == (Witness.QEMU,)
    missing = graded(Verdict.UNGRADABLE, Witness.BOCHS, lasting=True)
    assert missing.witnessed == (Witness.QEMU,)
    assert grading(missing).machines() == {Witness.QEMU: 1, Witness.BOCHS: 0}


def test_every_form_names_the_witnesses() -> None:
    """result.json and what it is read back to, the board, the page, JUnit."""
    made = grading(graded(Verdict.FAILED, Witness.BOCHS, step=3))
    made.versions |= {"QEMU": "7.2.22", "Bochs": "2.7"}
    data = result.to_json(made)
    result.validate(data)
    test = data["tests"][0]
    assert (test["witnesses"], test["witness"], test["step"]) == (["qemu", "bochs"], "bochs", 3)
    assert result.to_json(result.from_json(data)) == data
    console = Console(file=io.StringIO(), width=120)
    board.show(made, console)
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert "on QEMU and Bochs" in shown
    assert "QEMU 7.2.22: 1 test, Bochs 2.7: 1 test" in shown
    assert "Bochs 2.7: 1 test" in html.to_html(made)
    assert '<property name="witnesses" value="qemu bochs" />' in junit.to_junit(made)


def test_results_of_before_are_still_read() -> None:
    """They lack the new fields, and QEMU was all there was."""
    data = result.to_json(grading(graded(Verdict.FAILED, Witness.QEMU)))
    for name in ("witnesses", "witness", "step"):
        del data["tests"][0][name]
    assert result.from_json(data).tests[0].requirement.witnesses == (Witness.QEMU,)


@pytest.mark.parametrize("named", ["()", "(Witness.QEMU, Witness.QEMU)"])
def test_a_test_names_a_witness_and_none_twice(tmp_path: Path, named: str) -> None:
    """Its author is told."""
    from grader.testing.plugin import graded as mark

    with pytest.raises(ValueError, match="witness"):
        mark(stage=1, points=1, witnesses=eval(named))
