"""Stage 3: a server in ring 3 decides who runs, the kernel only switches; and a bad server cannot stop the machine."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from grader.machine import Machine
from grader.machine.report import Report
from grader.testing.boots import Boots
from grader.testing.kernel_error import KernelError
from grader.testing.plugin import graded

Start = Callable[..., Machine]

FALLBACK = "scheduler: fallback to round robin"

PATIENCE = 10
"""Ticks that a scheduler server may go without an answer."""


@pytest.fixture
def boot_scheduled(boot: Boots) -> Start:
    """Like `boot`, and makes sure that the scheduler server decides something, in ring 3."""

    def start(probe: str, **parameters: Any) -> Machine:
        machine = boot(probe, **parameters)
        assert "scheduler" in machine.table("scheduler_server")
        machine.run_to("scheduler", program="scheduler_server")
        assert machine.registers().cpl == 3
        return machine

    return start


@pytest.fixture
def boot_policy(boot: Boots) -> Start:
    """Boots with the probe `scheduling` in the scheduler server's place, with one of its policies, and sees it
    asked.
    """

    def start(policy: str, role: str, **parameters: Any) -> Machine:
        programs = {"scheduler_server": "scheduling"}
        machine = boot("scheduling", programs=programs, policy=policy, role=role, **parameters)
        if policy != "deaf":
            machine.run_to("decide", program="scheduling")
            assert machine.registers().cpl == 3
        return machine

    return start


def said(machine: Machine, line: str) -> bool:
    """Whether the kernel printed exactly that line."""
    return re.search(rf"^{re.escape(line)}\s*$", machine.serial_text(), re.MULTILINE) is not None


@graded(
    stage=3,
    points=4,
    handout="scheduler-server",
    usually="the kernel still chooses by itself, or the server is asked and not obeyed",
)
def test_the_scheduler_decides_in_ring_3_and_the_kernel_switches_in_ring_0(boot_scheduled: Start) -> None:
    """At the end of each quantum isr_32 (CPL 0) leads to scheduler (CPL 3, in the server) and that to
    run_next_process (CPL 0).
    """
    machine = boot_scheduled("scheduling", role="shares", b=12)
    for policy in ("scheduler", "get_next_process"):
        assert policy not in machine.symbols
    server = machine.registers().cr3
    machine.run_to("spinner", program="scheduling")
    for _ in range(2):
        for symbol, program, ring in (
            ("isr_32", None, 0),
            ("scheduler", "scheduler_server", 3),
            ("run_next_process", None, 0),
        ):
            machine.run_to(symbol, program=program)
            assert machine.registers().cpl == ring
            assert ring == 0 or machine.registers().cr3 == server
    report = machine.finish()
    assert min(report["first"], report["second"], report["third"]) > 0


@graded(
    stage=3, points=3, handout="scheduler-server", usually="the ready slots in the message are not those at that moment"
)
def test_the_kernels_question_says_who_is_ready(boot_policy: Start) -> None:
    """The kernel's message: who used up its quantum, the tick, the ready slots, among them no sleeper and not the
    server itself.
    """
    report = boot_policy("witness", "questions").finish()
    for wrong in ("wrong_sender", "wrong_type", "wrong_tick", "itself_ready", "sleeper_ready", "spinner_unready"):
        assert report[wrong] == 0
    assert report["spinner_ended"] >= 8
    assert report["foreign_reply"] == 1


@graded(
    stage=3, points=3, handout="scheduler-server", usually="the server answers with the same slot again, or forgets one"
)
def test_equal_processes_get_equal_shares(boot_scheduled: Start) -> None:
    """Three processes that compute all the time get about a third of the processor each."""
    report = boot_scheduled("scheduling", role="shares", b=12).finish()
    shares = sorted((report["first"], report["second"], report["third"]))
    assert 0 < shares[2] < 2 * shares[0]
    assert report["service"] // 64 >= 1


@graded(
    stage=3, points=3, handout="scheduler-server", usually="the kernel asks the server, and then runs whom it likes"
)
def test_another_policy_in_the_server_changes_the_shares(boot_policy: Start) -> None:
    """With a server that favours one slot, the process in that slot gets most of the processor: the policy is the
    server's, and nobody else's answer is taken.
    """
    report = boot_policy("favour", "favourite", b=12).finish()
    assert report["favourite_0"] > 2 * report["other_0"] > 0
    assert report["favourite_1"] > 2 * report["other_1"] > 0
    assert report["usurper"] in (KernelError.E_INVALID, KernelError.E_DEAD, KernelError.E_PERMISSION)


def refused(machine: Machine) -> None:
    """Check what follows from an answer that names a slot which cannot run."""
    report = machine.finish()
    assert said(machine, f"scheduler: refused slot {report['slot']}")
    assert report["first"] > 0
    assert report["second"] > 0


@graded(
    stage=3,
    points=2,
    handout="scheduler-server",
    usually="the kernel runs the slot it is told, ready or not",
    schedules=True,
)
def test_a_blocked_process_is_not_run(boot_policy: Start) -> None:
    """An answer that names a process which sleeps is refused, by name, and the next ready one runs instead."""
    refused(boot_policy("lie", "lied_to", a=0, b=9))


@graded(
    stage=3,
    points=2,
    handout="scheduler-server",
    usually="the slot's process is used without a look whether there is one",
    schedules=True,
)
def test_a_dead_process_is_not_run(boot_policy: Start) -> None:
    """An answer that names the slot of a process which has ended is refused, by name, and the next ready one runs
    instead.
    """
    refused(boot_policy("lie", "lied_to", a=1, b=9))


@graded(
    stage=3, points=2, handout="scheduler-server", usually="the slot is an index that nobody checks", schedules=True
)
def test_a_slot_that_does_not_exist_is_not_run(boot_policy: Start) -> None:
    """An answer that names a slot beyond the table is refused, by name, and the next ready one runs instead."""
    refused(boot_policy("lie", "lied_to", a=2, b=9))


def survived(machine: Machine) -> Report:
    """Check what follows from a server that no longer answers."""
    report = machine.finish()
    assert said(machine, FALLBACK)
    assert report["first"] > 0
    assert report["second"] > 0
    assert report["later"] == 1
    assert report["dead_serves"] == 0
    return report


@graded(
    stage=3,
    points=3,
    handout="survival",
    usually="the kernel waits for the answer, or for its scheduler to listen, without a limit",
)
def test_a_scheduler_that_hangs_is_survived(boot_policy: Start) -> None:
    """A server that spins, sleeps, or never listens at all is given 10 ticks; then the kernel says so and goes on
    by round robin.
    """
    hung = survived(boot_policy("hang", "forsaken", b=14))
    assert hung["longest"] <= PATIENCE + 3
    survived(boot_policy("doze", "forsaken", b=14))
    report = boot_policy("deaf", "shares", b=4).finish()
    assert min(report["first"], report["second"], report["third"]) > 0


@graded(
    stage=3,
    points=3,
    handout="survival",
    usually="the server's death is noticed by nobody, or takes the kernel with it",
)
def test_a_scheduler_that_dies_is_survived(boot_policy: Start) -> None:
    """A server that faults, or is killed, is replaced by the kernel's round robin, the kernel says so, and from then on
    it serves no more.
    """
    survived(boot_policy("crash", "forsaken", b=5))
    survived(boot_policy("round_robin", "forsaken", a=1, b=5))
