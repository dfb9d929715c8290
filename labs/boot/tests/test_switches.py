"""Stage 1: the kernel knows how often it has switched. The grader counts from outside and compares."""

import random

from switch_counter import SwitchCounter

from grader.machine import Machine
from grader.testing.boots import Boots
from grader.testing.plugin import graded
from grader.testing.reported import must_report

PROBE = "count_switches"
HANDOUT = "a-first-change-count-the-switches"


def switches(machine: Machine, seed: int) -> tuple[int, int]:
    """How many switches the kernel counted between the probe's two calls, and how many there were."""
    machine.run_to("main", program=PROBE, awaited="the start of a program that asks for the count of switches")
    counter = SwitchCounter(machine, seed)
    happened = 0
    for call in ("first", "second"):
        # Interrupts are off from here to the call's end, so the kernel is asked at this very moment.
        machine.run_to("lab_system_call", awaited=f"a program's {call} system call 32, the count of switches,")
        happened = counter.take()
    report = must_report(
        machine,
        before=(range(1 << 31), "the system call 32, the count of switches, returned"),
        after=(range(1 << 31), "the system call 32, the count of switches, returned later"),
    )
    return report["after"] - report["before"], happened


def right(counted: int, happened: int, when: str) -> None:
    """Check the kernel's count of switches between two moments against the grader's own."""
    assert counted == happened, f"{when}, the stacks were switched {happened} times, but the kernel counted {counted:,}"


@graded(
    stage=1, points=10, handout=HANDOUT, usually="the count is too small a number, or is kept elsewhere", schedules=True
)
def test_yields_between_two_processes_are_counted(boot: Boots, seed: int) -> None:
    """Two processes that give each other the processor some 300 times: each time counts."""
    yields = random.Random(seed).randint(140, 180)
    counted, happened = switches(boot(PROBE, beside="yields", yields=yields), seed)
    when = f"while two processes gave each other the processor, {yields} times each"
    assert happened >= 2 * yields, f"{when}, the stacks were switched {happened} times only"
    right(counted, happened, when)


@graded(
    stage=1,
    points=6,
    handout=HANDOUT,
    usually="the scheduler's decisions are counted, not the switches",
    schedules=True,
)
def test_a_yield_without_another_process_is_no_switch(boot: Boots, seed: int) -> None:
    """A process that is alone keeps the processor, when it yields and at every tick: no switch, and none counted."""
    counted, happened = switches(boot(PROBE, yields=random.Random(seed).randint(5, 50), spins=3), seed)
    when = "while a process that was alone yielded, and was met by the timer"
    assert happened == 0, f"{when}, the stacks were switched {happened} times: it must keep the processor"
    right(counted, happened, when)


@graded(stage=1, points=7, handout=HANDOUT, usually="switches to the idle process are left out", schedules=True)
def test_switches_to_the_idle_process_and_back_are_counted(boot: Boots, seed: int) -> None:
    """A process that sleeps alone gives the processor to the idle process and gets it back: two switches a sleep."""
    sleeps = random.Random(seed).randint(10, 30)
    counted, happened = switches(boot(PROBE, sleeps=sleeps), seed)
    when = f"while a process that was alone slept {sleeps} times"
    assert happened == 2 * sleeps, f"{when}, the stacks were switched {happened} times, not {2 * sleeps}"
    right(counted, happened, when)


@graded(
    stage=1, points=7, handout=HANDOUT, usually="only the switches that a process asks for are counted", schedules=True
)
def test_preemptions_are_counted(boot: Boots, seed: int) -> None:
    """A process that never gives the processor back loses it to the timer: these switches count as well."""
    ticks = random.Random(seed).randint(10, 30)
    counted, happened = switches(boot(PROBE, beside="spins", yields=3, spins=ticks), seed)
    when = f"while two processes that never give the processor back computed for {ticks} ticks"
    assert happened >= ticks, f"{when}, the stacks were switched {happened} times only"
    right(counted, happened, when)
