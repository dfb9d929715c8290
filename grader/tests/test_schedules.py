"""Schedules: drawn from names, exact to the instruction, and the same verdict whoever runs them in whatever order."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from grader.builds.build import Build
from grader.faults import WrongUse
from grader.machine import Machine
from grader.machine.control import INSTRUCTIONS_PER_SECOND
from grader.machine.faults import NotOnThisMachine
from grader.machine.preemption import CLOCK_HZ, Pattern
from grader.machine.witness import Witness
from grader.paths import Project
from grader.testing import grading, schedules
from grader.testing.exploration import Exploration, explore
from grader.testing.plugin import graded
from grader.testing.pool import Job, Pool
from grader.testing.races import Schedules
from grader.testing.setting import Setting
from grader.testing.verdict import Outcome, Requirement, Verdict
from grader.testing.witnesses import lacking
from grader.tests.boot_sectors import boot_sector

HANDLER = 0x7D00
TICKS = 20

IMAGE = boot_sector(
    f"""
        xor ax, ax
        mov ds, ax
        mov ss, ax
        mov sp, 0x7C00
        mov word [0x20 * 4], {HANDLER}
        mov word [0x20 * 4 + 2], 0
        jmp $ + 2                   ; marks the place: EB 00
        mov al, 0x11                ; the interrupt controller anew: the timer is vector 0x20, and no tick waits
        out 0x20, al
        mov al, 0x20
        out 0x21, al
        mov al, 4
        out 0x21, al
        mov al, 1
        out 0x21, al
        mov al, 0xFE
        out 0x21, al
        xor cx, cx
        sti
again:  cmp cx, {TICKS}
        jb again
        jmp $ + 2                   ; marks the end: EB 00
        cli
        hlt
        times {HANDLER - 0x7C00} - ($ - $$) db 0x90
        push ax
        inc cx
        mov al, 0x20
        out 0x20, al
        pop ax
        iret
"""
)
BEGIN = 0x7C00 + IMAGE.index(b"\xeb\x00")
DONE = 0x7C00 + IMAGE.rindex(b"\xeb\x00")
HANDLER_LENGTH = 6


def ticks_end(counts: int) -> int:
    """Instructions that the guest executes from when the timer is programmed until it has seen all its ticks."""
    with Machine.start(IMAGE) as machine:
        machine.run_to(BEGIN)
        machine._control.set_timer(counts)
        before = machine.instructions()
        machine.run_to(DONE)
        return machine.instructions() - before


def test_the_timer_obeys_to_the_instruction() -> None:
    """Each period ends in one interrupt, the first as well as the last; the same pattern is the same run."""
    for counts in (100, 101, 305):
        took = ticks_end(counts)
        last = (TICKS * counts + 1) * INSTRUCTIONS_PER_SECOND / CLOCK_HZ
        assert 0 <= took - last <= HANDLER_LENGTH + 4, "the last tick, what its handler does, and the loop's end"
        assert took == ticks_end(counts)


@pytest.mark.skipif(bool(lacking(Witness.BOCHS)), reason="Bochs is not installed")
def test_bochs_has_no_schedules() -> None:
    """It is not asked for them, and says so if it is."""
    with Machine.start(IMAGE, witness=Witness.BOCHS) as machine, pytest.raises(NotOnThisMachine, match="QEMU's alone"):
        machine._control.set_timer(100)
    with pytest.raises(ValueError, match="schedules are QEMU's"):
        graded(stage=1, points=1, witnesses=(Witness.BOCHS,), schedules=True)


def test_a_pattern_in_words() -> None:
    """As a message has it."""
    assert str(Pattern(12, 80)) == "timer every 4,190 instructions from the 4,255th on"
    words = {Pattern(delay, 2).first: str(Pattern(delay, 2)).split()[-2] for delay in range(52)}
    assert words[157] == "157th" and (words[161], words[162], words[163]) == ("161st", "162nd", "163rd")
    elevens = {Pattern(delay, 3).first: str(Pattern(delay, 3)).split()[-2] for delay in range(52)}
    assert (elevens[211], elevens[212], elevens[213]) == ("211th", "212th", "213th")
    with pytest.raises(ValueError, match="no pattern"):
        Pattern(52, 100)


def test_names_are_drawn_and_name_patterns() -> None:
    """The same seed gives the same names, another or another test gives others; no name twice; all within bounds."""
    drawn = schedules.names("seed", "test_a", 1000)
    assert drawn == schedules.names("seed", "test_a", 1000) and drawn[:50] == schedules.names("seed", "test_a", 50)
    assert len(set(drawn)) == 1000
    assert not set(drawn[:20]) & set(schedules.names("seed", "test_b", 20))
    assert not set(drawn[:20]) & set(schedules.names("other", "test_a", 20))
    patterns = [schedules.pattern_of(name) for name in drawn]
    periods = [pattern.period for pattern in patterns if pattern is not None]
    assert len(periods) == 1000
    assert min(periods) >= schedules.SHORTEST - 52 and max(periods) <= schedules.LONGEST + 52
    assert {pattern.delay for pattern in patterns if pattern is not None} == set(range(52))
    halfway = (schedules.SHORTEST * schedules.LONGEST) ** 0.5
    assert 400 < sum(period < halfway for period in periods) < 600  # as many short ones as long ones


def test_what_a_person_calls_a_schedule() -> None:
    """Four hexadecimal digits; 0 is the ordinary run."""
    assert schedules.parse("7F3A") == "7f3a" and schedules.parse("0") == schedules.ORDINARY
    assert schedules.pattern_of(schedules.ORDINARY) is None
    for wrong in ("7f3", "7f3a1", "xyzw", "-1", ""):
        with pytest.raises(WrongUse, match="four hexadecimal digits"):
            schedules.parse(wrong)


PASS = Outcome("test_a", Verdict.PASSED, guest_instructions=100, boots=1)
FAIL = replace(PASS, verdict=Verdict.FAILED, message="lost")


@pytest.mark.parametrize("order", [[0, 1, 2, 3], [3, 2, 1, 0], [3, 1, 0, 2]])
def test_the_first_failure_counts_whoever_came_first(order: list[int]) -> None:
    """By its number: the report is the same on one worker and on eight."""
    exploration = Exploration("test_a", PASS, ["aaaa", "bbbb", "cccc", "dddd", "eeee"])
    jobs = [exploration.next() for _ in range(4)]
    assert jobs == [(0, "aaaa"), (1, "bbbb"), (2, "cccc"), (3, "dddd")]
    for number in order:
        exploration.came(number, FAIL if number in (2, 3) else PASS)
    assert exploration.next() is None
    outcome = exploration.outcome
    assert (outcome.verdict, outcome.schedules) == (Verdict.FAILED, 3)
    assert (outcome.guest_instructions, outcome.boots) == (400, 4)
    assert exploration.failure is not None and exploration.left == 0


def test_a_test_that_passes_says_under_how_many() -> None:
    """Also while runs are still awaited: those that came without a gap."""
    exploration = Exploration("test_a", PASS, ["aaaa", "bbbb", "cccc"])
    for _ in range(3):
        exploration.next()
    exploration.came(2, PASS)
    assert (exploration.outcome.schedules, exploration.left) == (0, 3)
    exploration.came(0, PASS)
    assert (exploration.outcome.schedules, exploration.left) == (1, 2)
    exploration.came(1, PASS)
    assert (exploration.outcome.schedules, exploration.left) == (3, 0)
    assert exploration.outcome.verdict is Verdict.PASSED
    exploration.give_up("too late")
    assert exploration.outcome.verdict is Verdict.PASSED


def test_what_takes_too_long_is_nobodys_failure() -> None:
    """It is ungradable; a failure that is known stays one."""
    exploration = Exploration("test_a", PASS, ["aaaa", "bbbb", "cccc"])
    exploration.came(0, PASS)
    exploration.came(2, PASS)
    exploration.give_up("its schedules were not through after 1200 s")
    assert exploration.outcome.verdict is Verdict.UNGRADABLE
    assert "not through" in exploration.outcome.message


class Ready:
    """A pool whose one worker is done at once with whatever it is given, if it is ever done."""

    workers = 1

    def __init__(self, outcome: Outcome | None) -> None:
        self.jobs: list[Job] = []
        self._outcome = outcome

    @property
    def outstanding(self) -> int:
        """Jobs of which nobody has heard yet."""
        return len(self.jobs)

    def submit(self, job: Job) -> None:
        """Queue it."""
        self.jobs.append(job)

    def cancel(self) -> None:
        """Forget them all."""
        self.jobs.clear()

    def next(self, timeout: float) -> tuple[Job, Outcome] | None:
        """The first of them."""
        return (self.jobs.pop(0), self._outcome) if self._outcome is not None else None


NOWHERE = Path("/nowhere")
SETTING = Setting(Build(NOWHERE, NOWHERE, NOWHERE, NOWHERE, NOWHERE, {}, {}), "seed")


@pytest.mark.parametrize("outcome", [PASS, None])
def test_who_gives_up_leaves_no_run_behind(outcome: Outcome | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pool is used again, for drawings: what came of a run would be taken for one."""
    pool = Ready(outcome)
    exploration = Exploration("test_a", PASS, ["aaaa", "bbbb", "cccc"])
    assert list(explore(cast(Pool, pool), [exploration], SETTING, 0)) and not pool.jobs
    assert exploration.outcome.verdict is Verdict.UNGRADABLE

    monkeypatch.setattr(grading, "GRADING_SECONDS_MAX", 0.0)
    outcomes: dict[str, Outcome] = {}
    pool = Ready(None)
    grading._once(cast(Pool, pool), [Requirement("test_a", 1, 5, "it holds")], SETTING, outcomes, lambda: None)
    assert outcomes["test_a"].verdict is Verdict.UNGRADABLE and not pool.jobs


@pytest.mark.parametrize(("verdict", "runs"), [(Verdict.FAILED, 2), (Verdict.UNGRADABLE, 0)])
def test_failures_alone_are_run_once_more(verdict: Verdict, runs: int) -> None:
    """A run that was ungradable has no schedule to run again, and says only that."""
    outcome = replace(FAIL, verdict=verdict, schedule="aaaa" if verdict is Verdict.FAILED else "")
    proof = Schedules()
    list(proof.run(cast(Pool, Ready(outcome)), [Exploration("test_a", PASS, ["aaaa"])], SETTING))
    assert len(proof.failures.get("test_a", [])) == runs
    (problem,) = proof.problems()
    assert problem.startswith(f"test_a must pass under every schedule, but it is {verdict}")


def lab(*words: str) -> subprocess.CompletedProcess[str]:
    """Run ./lab."""
    environment = {**os.environ, "COLUMNS": "200"}
    command = [sys.executable, "-m", "grader", *words]
    return subprocess.run(command, capture_output=True, text=True, cwd=Project.here().root, env=environment)


TEST = "test_yields_between_two_processes_are_counted"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--schedules", "0"], "from 1 to 10,000"),
        (["--schedule", "7f3a"], "name it with --only"),
        (["--only", TEST, "--schedule", "7f3"], "four hexadecimal digits"),
        (["--only", TEST, "--schedule", "7f3a", "--schedules", "5"], "exclude one another"),
        (["--only", TEST, "--schedules", "5", "--step", "3"], "exclude one another"),
        (["--only", "test_an_unmapped*", "--schedules", "5"], "does not run under schedules"),
    ],
)
def test_wrong_use_is_told(words: list[str], said: str) -> None:
    """What cannot be meant."""
    done = lab("grade", "boot", *words)
    assert done.returncode == 2 and said in done.stderr, done.stderr


def test_a_race_is_found_named_and_replayed(tmp_path: Path) -> None:
    """The ordinary run passes, a schedule does not; its name alone gives the same failure, to the instruction."""
    answer = ["--answer", "mutant:chooses_with_interrupts_on", "--only", TEST]
    found = graded_json(tmp_path / "found.json", *answer, "--schedules", "50")
    test = found["tests"][0]
    assert found["schedules"] == 50 and test["verdict"] == "failed" and 1 <= test["schedules"] < 50
    assert test["message"].startswith(f"under schedule {test['schedule']} (timer every ")
    assert f"{TEST} --schedule {test['schedule']}" in test["command"]
    again = graded_json(tmp_path / "again.json", *answer, "--schedule", test["schedule"])["tests"][0]
    same = ("message", "schedule", "seen", "serial", "machine", "command", "verdict", "nonce")
    assert {key: again[key] for key in same} == {key: test[key] for key in same}
    assert again["schedules"] == 0


def graded_json(file: Path, *words: str) -> dict[str, Any]:
    """The result of grading the boot lab."""
    done = lab("grade", "boot", *words, "--json", str(file))
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(file.read_text())
    return result
