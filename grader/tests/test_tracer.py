"""Traces of real runs: a recording, played with stops at every door, must show what the emulator's own log shows."""

from __future__ import annotations

import contextlib
import functools
import re
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from grader.builds.build import Build, build_tree
from grader.host.sandbox import Sandbox
from grader.labs.lab_file import load_lab
from grader.labs.tree import Answer, compose
from grader.machine import Machine, tracer
from grader.machine.execution import Execution
from grader.machine.message_calls import MessageCalls
from grader.machine.symbols import Place, SymbolMissing
from grader.machine.tape import Tapes
from grader.machine.timeline import SYSTEM_CALL_VECTOR, Kind, Timeline, calls, spans
from grader.machine.tracer import Tracer
from grader.paths import Project
from grader.testing.boots import Boots
from grader.testing.camera import _Camera
from grader.tests.samples import ATTACK, FORBIDDEN

GENERAL_PROTECTION = 13
DEVICES = range(32, 48)

_LOGGED = re.compile(r"^ *\d+: v=([0-9a-f]+) e=[0-9a-f]+ i=(\d) cpl=(\d)", re.M)


@pytest.fixture(scope="module")
def build() -> Build:
    """The baseline with its lab's probes."""
    project = Project.here()
    tree = compose(project, load_lab(project, "baseline"), Answer("none"))
    return build_tree(project, tree, Sandbox.detect())


@pytest.fixture(scope="module")
def tapes(build: Build) -> Iterator[Tapes]:
    """A recorded run in which a program after the other makes a mistake, to the probe's end."""
    made = Tapes()
    with started(build, made) as machine:
        machine.finish()
    made.tapes[0].goes_back = False
    yield made
    made.close()


@contextlib.contextmanager
def started(build: Build, tapes: Tapes | None) -> Iterator[Machine]:
    """A machine with the probe."""
    with Boots(build, seed="t", test="t", sandbox=Sandbox.detect(), tapes=tapes) as boot:
        yield boot("faults", guest_seconds=4)


def traced(build: Build, tapes: Tapes) -> tuple[Timeline, Machine]:
    """The recording, played with a tracer, and the machine that played it."""
    tapes.rewind()
    with started(build, tapes) as machine:
        looking = Tracer(machine, MessageCalls(), end=tapes.tapes[0].end, jump=machine.at_moment)
        machine.finish()
        made = looking.finish("the end")
        assert looking.memory is not None and any(mark.fault for mark in looking.memory.marks)
        return made, machine


def entered(log: str) -> list[tuple[int, int]]:
    """(vector, ring before) of a log, without devices, whose moments depend on how long the kernel's start waited for
    its disk. A log has an INT n that the gate's DPL forbids too, followed by what came of it.
    """
    found = [(int(vector, 16), software == "1", int(ring)) for vector, software, ring in _LOGGED.findall(log)]
    after = [vector for vector, _, _ in found[1:]] + [0]
    return [
        (vector, ring)
        for (vector, software, ring), following in zip(found, after, strict=True)
        if vector not in DEVICES and not (software and vector != SYSTEM_CALL_VECTOR and following == GENERAL_PROTECTION)
    ]


def test_a_trace_shows_what_the_emulators_log_shows(
    build: Build, tapes: Tapes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every exception and system call in the same order and from the same ring; calls by name, with their
    results; each line of the serial line with the moment at which it began.
    """
    monkeypatch.setattr(tracer, "FIRST_EVENTS", 2000)
    made, machine = traced(build, tapes)
    seen = [
        (event.vector, event.ring) for event in made.events if event.kind is Kind.ENTRY and event.vector not in DEVICES
    ]

    log = tmp_path / "log"
    monkeypatch.setattr(Machine, "start", staticmethod(functools.partial(Machine.start, trace=log)))
    with started(build, None) as logging:
        logging.finish()
    logged = entered(log.read_text(errors="replace"))
    assert len(seen) > 100 and seen[-80:] == logged[-80:], "of the log the end is kept for certain"

    assert made.end == tapes.tapes[0].end and not made.gaps
    moments = [event.at for event in made.events]
    assert moments == sorted(moments)
    named = {call.what: call.result for call in calls(made)}
    assert {"spawn", "wait", "write", "invalid opcode", "general protection", "page fault"} <= set(named)
    assert sum(span.end - span.start for span in spans(made)) == made.end
    assert [line.text for line in made.serial] == machine.serial.decode().splitlines()[-len(made.serial) :]
    began = [line.at for line in made.serial]
    assert began == sorted(began) and all(line.exact for line in made.serial)
    fault = next(event for event in made.events if "0xc0100004" in event.details)
    assert fault.failed and fault.what == "page fault" and fault.place == "fault_kernel_write"
    assert fault.details.startswith("a write of 0xc0100004 by ring 3, whose page is present but forbids it")


def test_the_middle_of_a_long_run_is_left_out(build: Build, tapes: Tapes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beginning and end are traced, and the stretch between them is told: a long run takes no minutes."""
    monkeypatch.setattr(tracer, "FIRST_EVENTS", 20)
    monkeypatch.setattr(tracer, "LATER_EVENTS", 60)
    monkeypatch.setattr(tracer, "AIMED_AT", 30)
    made, machine = traced(build, tapes)
    assert made.gaps and made.end == tapes.tapes[0].end and 20 < len(made.events) <= 20 + 3 * 60
    assert not any(start < event.at < end for start, end in made.gaps for event in made.events)
    assert made.events[-1].at > made.gaps[-1][1], "the end is what matters"
    assert made.serial[-1].text == machine.serial.decode().splitlines()[-1]


LIDT, IRET, CR3, HANDLER, GATES, VARIABLE = 0x100, 0x200, 0x300, 0x400, 0x1000, 0x6000


class Puppet:
    """A machine that is moved by hand: `at` has it come to a place, 100 instructions later. Its memory is all zeroes
    but for what a test puts into `words`, mapped as `frames` says.
    """

    serial, serial_bytes = b"", 0

    def __init__(self, irets: int = 1, gates: int = 0, function: str = "handler") -> None:
        self.now = 0
        self.observers: dict[int, list[Callable[[], None]]] = {}
        self.jumps: list[tuple[int, Callable[[], None]]] = []
        self.frames: dict[int, int] = {}
        self.words: dict[int, bytes] = {}
        self.process = (0, "")
        places = {tracer._LOAD_IDT: [LIDT], tracer._IRET: [IRET] * irets, tracer._LOAD_CR3: [CR3]}
        self.symbols = SimpleNamespace(
            code_places=lambda pattern: places.get(pattern, []),
            place=lambda address: Place(address, function, 0, "", 0),
            types=SimpleNamespace(enumerators=list),
        )
        self.gates = gates

    def tracer(self, end: int) -> Tracer:
        """One that knows that the run ends there, and can jump."""
        return Tracer(
            cast(Execution, self), MessageCalls(), end=end, jump=lambda moment, seen: self.jumps.append((moment, seen))
        )

    def at(self, *places: int) -> None:
        """Come to places, one after the other."""
        for place in places:
            self.now += 100
            for seen in tuple(self.observers.get(place, [])):
                seen()

    def jump(self) -> None:
        """To where the tracer wanted."""
        self.now, seen = self.jumps.pop()
        seen()

    def observe(self, where: int, seen: Callable[[], None]) -> SimpleNamespace:
        """As a machine has it."""
        self.observers.setdefault(where, []).append(seen)
        return SimpleNamespace(remove=lambda: self.observers[where].remove(seen))

    def step_over(self) -> None:
        """Nothing is to be stepped over."""

    def instructions(self) -> int:
        """So many since power-on."""
        return self.now

    def at_line_start(self) -> bool:
        """Nothing is printed."""
        return False

    def idt(self) -> list[SimpleNamespace]:
        """The timer's gate."""
        return [SimpleNamespace(present=True, offset=HANDLER, index=32)]

    def ldt(self) -> list[SimpleNamespace]:
        """As many call gates as there are."""
        return [SimpleNamespace(present=True, type=12, offset=GATES + number) for number in range(self.gates)]

    def registers(self) -> SimpleNamespace:
        """In ring 0."""
        general = dict.fromkeys(("eax", "ebx", "ecx", "edx", "esi", "edi", "cpl", "cr2", "cr3"), 0)
        ldtr = SimpleNamespace(selector=8, base=0)
        return SimpleNamespace(ss=SimpleNamespace(base=0), esp=0x5000, ldtr=ldtr, **general)

    def walk(self, address: int) -> SimpleNamespace:
        """Where a page lies now."""
        return SimpleNamespace(physical=self.frames.get(address, address))

    def read_physical(self, address: int, length: int) -> bytes:
        """Zeroes, or what a test has put there."""
        return self.words.get(address, bytes(length))[:length]

    def types(self) -> Any:
        """There is one variable, which points to the running process."""
        if not self.process[0]:
            raise SymbolMissing("there is none")
        pid, name = self.process
        return SimpleNamespace(
            variable=lambda _: (VARIABLE, "pointer"),
            target=lambda _: "process_t",
            size=lambda _: 4,
            decode=lambda *_: {"pid": pid, "name": name},
        )

    def table(self, name: str) -> Any:
        """No program has symbols."""
        raise SymbolMissing(name)


def test_a_kernel_full_of_possible_doors_is_not_traced(request: pytest.FixtureRequest) -> None:
    """Each place costs time whenever a look begins: a hand-in's bytes cannot make the drawing take minutes."""
    assert tracer.untraceable(cast(Execution, Puppet(irets=100))) == ""
    why = tracer.untraceable(cast(Execution, Puppet(irets=150_000)))
    assert why.startswith("in 150,002 places the kernel's code has bytes that could be an IRET") and "2,000" in why

    camera = _Camera(cast(Tapes, SimpleNamespace(tapes=[SimpleNamespace(end=1)])), MessageCalls(), request.node)
    machine = Puppet(irets=150_000)
    camera.booted(cast(Boots, SimpleNamespace(machines=[machine])), cast(Machine, machine))
    assert camera.why_not == why and not machine.observers


def test_of_call_gates_beyond_number_the_first_are_watched() -> None:
    """An LDT may hold 8,191 of them, and a kernel may load one after the other."""
    machine = Puppet(gates=5000)
    looking = machine.tracer(end=1_000_000)
    machine.at(LIDT, HANDLER, IRET)
    assert sum(len(seen) for seen in machine.observers.values()) <= tracer.PLACES_MAX + 1
    made = looking.finish("the end")
    assert any("call gates" in note for note in made.notes)
    assert not any(machine.observers.values())


def in_a_gap(machine: Puppet) -> Tracer:
    """Somebody who has seen enough of the machine's beginning, and waits for its end."""
    looking = machine.tracer(end=1_000_000)
    machine.at(LIDT)
    while not machine.jumps:
        machine.at(HANDLER, IRET)
    return looking


def test_nothing_begins_a_look_in_a_gap() -> None:
    """A kernel may load its IDT again there: what follows is neither seen nor, after the gap, seen twice."""
    machine = Puppet(gates=3)
    looking = in_a_gap(machine)
    assert not [place for place, seen in machine.observers.items() if seen and place != LIDT]
    machine.now = 500_000
    machine.at(LIDT, HANDLER, IRET)
    machine.jump()
    machine.at(HANDLER, IRET, HANDLER, IRET)
    made = looking.finish("the end")
    ((start, stop),) = made.gaps
    assert not any(start < event.at < stop for event in made.events)
    assert [(event.kind, event.begun is not None) for event in made.events if event.at > stop] == [
        (Kind.ENTRY, False),
        (Kind.RETURN, True),
    ] * 2


def test_a_gap_ends_where_the_run_ends() -> None:
    """Played, a run may end before the moment up to which nobody looks."""
    machine = Puppet()
    looking = in_a_gap(machine)
    machine.now = 500_000
    made = looking.finish("the end")
    assert [stop for _, stop in made.gaps] == [500_000] == [made.end]
    assert sum(span.end - span.start for span in spans(made)) == made.end


def test_names_of_functions_are_harmless_and_short() -> None:
    """A hand-in may call them anything, at any length."""
    machine = Puppet(gates=1, function=ATTACK + "A" * 100_000)
    looking = machine.tracer(end=1_000_000)
    machine.at(LIDT, HANDLER, IRET, GATES)
    made = looking.finish("the end")
    assert made.events[-1].kind is Kind.FAR_CALL
    for text in (made.events[-1].what, *(event.place for event in made.events)):
        assert 0 < len(text) < 1000 and not any(character in text for character in FORBIDDEN)


def test_a_note_says_that_processes_have_no_lane_only_if_one_has_none() -> None:
    """The kernel and 23 processes have lanes of their own."""
    for count, told in ((tracer.PROCESSES_MAX - 1, False), (tracer.PROCESSES_MAX, True)):
        machine = Puppet()
        machine.words = {VARIABLE: struct.pack("<I", VARIABLE + 4)}
        looking = machine.tracer(end=1_000_000)
        machine.at(LIDT)
        for pid in range(1, count + 1):
            machine.process = pid, "p"
            machine.at(HANDLER, IRET)
        made = looking.finish("the end")
        assert len(made.processes) == tracer.PROCESSES_MAX
        assert any("have a lane" in note for note in made.notes) is told


def test_where_a_page_lies_is_looked_up_again_after_a_load_of_cr3() -> None:
    """The page directory of a process that has ended, and so the same CR3, may be another's now."""
    machine = Puppet()
    looking = machine.tracer(end=1_000_000)
    machine.words = {0x5000: struct.pack("<3I", 0x111, 0x1B, 0), 0x9000: struct.pack("<3I", 0x222, 0x18, 0)}
    machine.at(LIDT, HANDLER, IRET)
    machine.frames = {0x5000: 0x9000}
    machine.at(CR3, HANDLER)
    made = looking.finish("the end")
    entries = [event.ring for event in made.events if event.kind is Kind.ENTRY]
    assert entries == [3, 0]
