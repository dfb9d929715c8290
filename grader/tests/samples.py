"""Gradings made up for the tests of the forms that results take."""

from __future__ import annotations

from dataclasses import replace

from grader.labs.lab_file import Stage
from grader.machine.address_space import AddressSpace, Mark, Region
from grader.machine.timeline import Event, Kind, Line, Message, Process, Timeline
from grader.testing.pictures import Pictures
from grader.testing.verdict import Graded, Grading, Outcome, Requirement, Verdict

ATTACK = (
    "\x1b[2J\x1b]0;title\x07\x9b31m\u202e</pre><script>alert(1)</script>\n::error::forged\n  ::set-output name=x::1\n"
    "##vso[task.complete result=Succeeded;]\n]]>&amp;\x00\ud800\ufffe"
)
"""What a hostile kernel prints: escapes of the terminal, markup, and commands of CI systems."""

FORBIDDEN = ("\x1b", "\x9b", "\x07", "\x00", "\u202e", "\ud800", "\ufffe")
"""Characters that may appear in no form of a result."""


def requirement(name: str, stage: int = 1, points: float = 10) -> Requirement:
    """A requirement with all its texts."""
    return Requirement(name, stage, points, f"{name} must hold, because.", "labs/demo/README.md#rules", "a wrong sign")


def passed(name: str, stage: int = 1, points: float = 10) -> Graded:
    """A test that passed."""
    return Graded(requirement(name, stage, points), Outcome(name, Verdict.PASSED, boots=1, guest_instructions=1000))


def failed(name: str, stage: int = 1, points: float = 10, said: str = "539kernel\nprobe a=0x1") -> Graded:
    """A test that failed, with a machine that said something."""
    outcome = Outcome(
        name,
        Verdict.FAILED,
        "assert 1 == 2",
        expected="2",
        seen=f"test_demo.py:3: assert a == b\n{said}",
        serial=said,
        machine=f"CPL 0 at kernel_main (main.c:10)\n{said}",
        nonce="0x539",
        boots=1,
        guest_instructions=5,
        seconds=0.1,
    )
    return Graded(requirement(name, stage, points), outcome, f"./lab debug demo {name}")


def raced(name: str) -> Graded:
    """A test that passed the ordinary run, and failed under its third schedule."""
    test = failed(name)
    message = "under schedule 7f3a (timer every 4,190 instructions from the 4,255th on): assert 1 == 2"
    outcome = replace(test.outcome, message=message, schedule="7f3a", schedules=3)
    requirement = replace(test.requirement, schedules=True)
    return Graded(requirement, outcome, f"./lab debug demo {name} --schedule 7f3a")


def grading(*tests: Graded) -> Grading:
    """A grading of a lab with two stages."""
    return Grading(
        "demo",
        "A lab for tests",
        "starter",
        stages=[Stage(1, "The first", 20), Stage(2, "The second", 20)],
        tests=list(tests),
        seed="abc",
        started="2024-01-01T00:00:00+00:00",
        seconds=1.25,
        versions={"kernelist": "0"},
        hashes={"tree": "00"},
    )


def timeline(said: str = "539kernel\nprobe a=0x1") -> Timeline:
    """A run of three processes in three rings, with calls, messages, interrupts, a fault, and a stretch left out. What
    a guest decides about (names, the serial line) is `said`.
    """
    events = [Event(400_000, Kind.SWITCH, 1, 0), Event(400_030, Kind.RETURN, 1, 3)]
    for number in range(16):
        at, place = 401_000 + 700 * number, len(events)
        events.append(Event(at, Kind.ENTRY, 1, 3, "write", 0x80, "ebx=0x1", "write (library.c:9)"))
        events.append(Event(at + 300, Kind.RETURN, 1, 3, "29", begun=place))
    asked = len(events)
    events += [
        Event(2_000_000, Kind.ENTRY, 1, 3, "ipc_call", 0x80, "ebx=0x41"),
        Event(2_000_400, Kind.SWITCH, 2, 0),
        Event(2_000_430, Kind.RETURN, 2, 3),
        Event(2_000_500, Kind.FAR_CALL, 2, 2, "privuser_entry"),
        Event(2_000_700, Kind.ENTRY, 2, 2, "timer", 32),
        Event(2_000_900, Kind.RETURN, 2, 2, begun=asked + 4),
        Event(2_001_000, Kind.FAR_RETURN, 2, 3, "E_FAULT", begun=asked + 3, failed=True),
        Event(2_001_100, Kind.ENTRY, 2, 3, "page fault", 14, "a write of 0xa0000000", said[:60], failed=True),
    ]
    lines = [Line(30_000 + 700 * number, text) for number, text in enumerate(said.split("\n"))]
    return Timeline(
        [Process(0, ""), Process(1, "client"), Process(2, said[:32])],
        events,
        [Message(2_000_000, 1, 2_000_430, 2, "type 16"), Message(2_000_430, 0, 2_000_430, 2, "type 2")],
        [*lines, Line(2_001_200, said.split("\n")[0], exact=False)],
        [(413_000, 2_000_000)],
        2_001_300,
        said.split("\n")[0],
    )


def address_space(said: str = "server") -> AddressSpace:
    """A program, its stack, supervisor's pages below the kernel, and the kernel; the fault is about a hole."""
    regions = [
        Region(0x10000000, 0x10002000, False, True, ".text"),
        Region(0x10002000, 0x10003000, True, True, said[:60]),
        Region(0xA0000000, 0xA0001000, False, False, ".privuser_code"),
        Region(0xBFFFA000, 0xBFFFE000, True, True, "stack"),
        Region(0xC0000000, 0xC2000000, True, False, "kernel"),
    ]
    marks = [Mark(0xBFFFD000, "stack pointer"), Mark(0x20000000, "last page fault (CR2)", fault=True)]
    return AddressSpace(0x4F5000, said[:32], 2_001_100, "when the last page fault came", regions, marks)


def drawn(name: str, stage: int = 1, said: str = "539kernel\nprobe a=0x1") -> Graded:
    """A test that failed, with pictures."""
    test = failed(name, stage, said=said)
    pictures = Pictures(timeline(said), address_space(said.split("\n")[0]), "")
    return replace(test, outcome=replace(test.outcome, pictures=pictures))
