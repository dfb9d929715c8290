"""Stage 3: a server in ring 3 decides who runs, the kernel only switches; and a bad server cannot stop the machine."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from crew import ENDPOINTS, GAVE_UP, played

from grader.machine import Machine
from grader.machine.report import Report
from grader.testing.boots import Boots
from grader.testing.kernel_error import KernelError
from grader.testing.message import at_least, must
from grader.testing.plugin import graded
from grader.testing.reported import Wanted, come_to

Start = Callable[..., Machine]

FALLBACK = "scheduler: fallback to round robin"

PATIENCE = 10
"""Ticks that a scheduler server may go without an answer."""


@pytest.fixture
def boot_scheduled(boot: Boots) -> Start:
    """Like `boot`, and makes sure that the scheduler server decides something, in ring 3."""

    def start(probe: str, **parameters: Any) -> Machine:
        machine = boot(probe, **parameters)
        assert "scheduler" in machine.table("scheduler_server"), (
            "the program scheduler_server has no function scheduler (or the compiler has inlined it)"
        )
        awaited = "the first decision: scheduler, in the program scheduler_server,"
        machine.run_to("scheduler", program="scheduler_server", awaited=awaited)
        must(machine.registers().cpl, 3, "scheduler, in the program scheduler_server, ran in ring")
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
            awaited = "a question of the kernel to the test's own scheduler server, at the end of a quantum,"
            come_to(machine, "decide", "scheduling", awaited, **GAVE_UP)
            must(machine.registers().cpl, 3, "the test's own scheduler server decided in ring")
        return machine

    return start


def counted(*keys: str, when: str, least: int = 0) -> dict[str, Wanted]:
    """For the reports of how far processes got that compute, each under a key, while `when` holds."""
    rounds, never = (
        f"{when}: rounds of its loop that one of them did were",
        f"{when}: one of them never came to its end",
    )
    return {key: (at_least(least), rounds, {None: never}) for key in keys}


def progress(*keys: str, when: str) -> dict[str, Wanted]:
    """The same; each must have come forward."""
    return counted(*keys, when=when, least=1)


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
        assert policy not in machine.symbols, f"{policy} is still in the kernel's image"
    server = machine.registers().cr3

    def follow_two_quanta(machine: Machine) -> None:
        machine.run_to("spinner", program="scheduling", awaited="the start of a process that computes")
        for _ in range(2):
            for symbol, program, ring in (
                ("isr_32", None, 0),
                ("scheduler", "scheduler_server", 3),
                ("run_next_process", None, 0),
            ):
                awaited = f"{symbol}, at its turn in the end of a quantum (isr_32, scheduler, run_next_process),"
                machine.run_to(symbol, program=program, awaited=awaited)
                must(machine.registers().cpl, ring, f"at the end of a quantum {symbol} ran in ring")
                if ring == 3:
                    must(machine.registers().cr3, server, "at the end of a quantum scheduler ran with the CR3")

    played(machine, follow_two_quanta, **progress("first", "second", "third", when="three processes compute"))


@graded(
    stage=3, points=3, handout="scheduler-server", usually="the ready slots in the message are not those at that moment"
)
def test_the_kernels_question_says_who_is_ready(boot_policy: Start) -> None:
    """The kernel's message: who used up its quantum, the tick, the ready slots, among them no sleeper and not the
    server itself.
    """
    of_all = "of the kernel's questions to the scheduler server, while one process computes and another sleeps, those"
    never = "while a process in a slot above 31 computed, 12 questions of the kernel about ended quanta never came"
    accepted = "a reply of the scheduler server to a process that had not called it returned no error"
    played(
        boot_policy("witness", "questions"),
        wrong_sender=(0, f"{of_all} with another sender than ENDPOINT_KERNEL were", {None: never}),
        wrong_type=(0, f"{of_all} of another type than MESSAGE_SCHEDULE were"),
        wrong_tick=(0, f"{of_all} whose tick count went back, or was more than 10 ticks old, were"),
        itself_ready=(0, f"{of_all} that called the server itself ready were"),
        sleeper_ready=(0, f"{of_all} that called the sleeping process ready were"),
        spinner_unready=(0, f"{of_all} that did not call the computing process ready, whose quantum had ended, were"),
        spinner_ended=(at_least(8), f"{of_all} that said it was the computing process's quantum that had ended were"),
        foreign_reply=(1, "a reply of the scheduler server to a stranger returned", {0: accepted}),
    )


@graded(
    stage=3, points=3, handout="scheduler-server", usually="the server answers with the same slot again, or forgets one"
)
def test_equal_processes_get_equal_shares(boot_scheduled: Start) -> None:
    """Three processes that compute all the time get about a third of the processor each."""
    report = played(
        boot_scheduled("scheduling", role="shares", b=12),
        **counted("first", "second", "third", when="three processes compute for 12 ticks"),
        service=(ENDPOINTS, "ipc_service(2), which asks for the scheduler server's endpoint, returned"),
    )
    shares = [report[key] for key in ("first", "second", "third")]
    rounds = "{}, {} and {} rounds of the same loop".format(*shares)
    assert 0 < max(shares) < 2 * min(shares), f"three processes that compute for 12 ticks got unequal shares: {rounds}"


@graded(
    stage=3, points=3, handout="scheduler-server", usually="the kernel asks the server, and then runs whom it likes"
)
def test_another_policy_in_the_server_changes_the_shares(boot_policy: Start) -> None:
    """With a server that favours one slot, the process in that slot gets most of the processor: the policy is the
    server's, and nobody else's answer is taken.
    """
    usurped = "a process that is no scheduler server answered the kernel in its stead, and was told"
    report = played(
        boot_policy("favour", "favourite", b=12),
        **counted("favourite_0", "other_0", "favourite_1", "other_1", when="the scheduler server favours one process"),
        usurper=((KernelError.E_INVALID, KernelError.E_DEAD, KernelError.E_PERMISSION), usurped),
    )
    for pair in (0, 1):
        favourite, other = report[f"favourite_{pair}"], report[f"other_{pair}"]
        assert favourite > 2 * other > 0, (
            f"the scheduler server gives three quanta of four to one of two processes: that one did {favourite} rounds "
            f"of its loop, the other {other}"
        )


def refused(machine: Machine, slot: str) -> None:
    """Check what follows from an answer that names a slot which cannot run."""
    answered = f"the scheduler server answers with {slot}"
    report = played(
        machine,
        slot=(range(1 << 32), f"{answered}: its number is"),
        **progress("first", "second", when=f"{answered}, and two others compute"),
    )
    number = report["slot"]
    assert said(machine, f"scheduler: refused slot {number}"), (
        f"{answered} ({number:#x}), and the kernel did not print the line that it refused that"
    )


@graded(
    stage=3,
    points=2,
    handout="scheduler-server",
    usually="the kernel runs the slot it is told, ready or not",
    schedules=True,
)
def test_a_blocked_process_is_not_run(boot_policy: Start) -> None:
    """An answer that names a process which sleeps is refused, by name, and the next ready one runs instead."""
    refused(boot_policy("lie", "lied_to", a=0, b=9), "the slot of a process that sleeps")


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
    refused(boot_policy("lie", "lied_to", a=1, b=9), "the slot of a process that has ended")


@graded(
    stage=3, points=2, handout="scheduler-server", usually="the slot is an index that nobody checks", schedules=True
)
def test_a_slot_that_does_not_exist_is_not_run(boot_policy: Start) -> None:
    """An answer that names a slot beyond the table is refused, by name, and the next ready one runs instead."""
    refused(boot_policy("lie", "lied_to", a=2, b=9), "a slot beyond the table")


def survived(machine: Machine, ticks: int, how: str) -> Report:
    """Check what follows from a server that no longer answers: `how` that came."""
    still = f"{how}, and ipc_service(2) still names it when it has ended"
    stuck = f"{how}, and a process that was started to compute afterwards did no round of its loop"
    report = played(
        machine,
        **progress("first", "second", when=f"{how}, and two processes compute for the next {ticks} ticks"),
        longest=(range(1 << 32), f"{how}, and two processes compute, which were kept from running for ticks:"),
        dead_serves=(0, "a server that ended was named as the one that serves", {1: still}),
        later=(1, f"{how}, and a process that was started to compute afterwards did rounds of its loop:", {0: stuck}),
    )
    assert said(machine, FALLBACK), f"{how}, and the kernel did not print the line '{FALLBACK}'"
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
    hung = survived(boot_policy("hang", "forsaken", b=14), 14, "the scheduler server spins and answers no more")
    longest = hung["longest"]
    assert longest <= PATIENCE + 3, (
        f"the scheduler server spins, and for {longest} ticks no process ran: it is given 10"
    )
    survived(boot_policy("doze", "forsaken", b=14), 14, "the scheduler server sleeps and answers no more")
    deaf = boot_policy("deaf", "shares", b=4)
    played(deaf, **progress("first", "second", "third", when="the scheduler server never listens, and three compute"))


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
    survived(boot_policy("crash", "forsaken", b=5), 5, "the scheduler server executed CLI, which ends it")
    survived(boot_policy("round_robin", "forsaken", a=1, b=5), 5, "the scheduler server was killed")
