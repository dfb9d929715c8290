"""Stage 1: the kernel knows how often it has switched. The grader counts from outside and compares."""

import random

from grader.boots import Boots
from grader.machine import Machine
from grader.plugin import graded

PROBE = "count_switches"
HANDOUT = "a-first-change-count-the-switches"
# The probe asks just after one mark and just before the other: a tick may fall into each of the two gaps.
GAPS = 2


def switches(machine: Machine) -> tuple[int, int]:
    """What the kernel counted in the measured part of the probe, and how often run_next_process was called in it."""
    machine.run_to("count_from_here", program=PROBE)
    calls = calls_until(machine, "count_to_here")
    report = machine.finish()
    assert report.signed("before") >= 0, "the system call must exist"
    return report["after"] - report["before"], calls


def calls_until(machine: Machine, symbol: str) -> int:
    """How often run_next_process is called before the probe reaches `symbol`."""
    end = machine.symbol(symbol, PROBE)
    calls = 0
    with machine.breakpoint("run_next_process"), machine.breakpoint(end):
        while machine.run().address != end:
            calls += 1
    return calls


@graded(stage=1, points=10, handout=HANDOUT, usually="the count is kept too small, or is not kept where switches happen")
def test_yields_between_two_processes_are_counted(boot: Boots, seed: int) -> None:
    """Two processes that give each other the processor some 300 times: each time counts."""
    counted, called = switches(boot(PROBE, **{"with": "yields"}, yields=random.Random(seed).randint(140, 180)))
    assert called >= 260
    assert called - GAPS <= counted <= called


@graded(stage=1, points=6, handout=HANDOUT, usually="the scheduler's decisions are counted, not the switches")
def test_a_yield_without_another_process_is_no_switch(boot: Boots, seed: int) -> None:
    """A process that is alone keeps the processor when it yields: nothing is switched, and nothing counted."""
    counted, called = switches(boot(PROBE, yields=random.Random(seed).randint(5, 50)))
    assert called - GAPS <= counted <= called


@graded(stage=1, points=7, handout=HANDOUT, usually="switches to the idle process are left out")
def test_switches_to_the_idle_process_and_back_are_counted(boot: Boots, seed: int) -> None:
    """A process that sleeps alone gives the processor to the idle process and gets it back: two switches a sleep."""
    sleeps = random.Random(seed).randint(10, 30)
    counted, called = switches(boot(PROBE, sleeps=sleeps))
    assert called >= 2 * sleeps - GAPS
    assert called - GAPS <= counted <= called


@graded(stage=1, points=7, handout=HANDOUT, usually="only the switches that a process asks for are counted")
def test_preemptions_are_counted(boot: Boots, seed: int) -> None:
    """Two processes that never give the processor back are switched by the timer: that counts as well."""
    ticks = random.Random(seed).randint(10, 30)
    counted, called = switches(boot(PROBE, **{"with": "spins"}, spins=ticks))
    assert called >= ticks - GAPS
    assert called - GAPS <= counted <= called
