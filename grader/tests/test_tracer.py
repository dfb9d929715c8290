"""Traces of real runs: a recording, played with stops at every door, must show what the emulator's own log shows."""

from __future__ import annotations

import contextlib
import functools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from grader.builds.build import Build, build_tree
from grader.host.sandbox import Sandbox
from grader.labs.lab_file import load_lab
from grader.labs.tree import Answer, compose
from grader.machine import Machine, tracer
from grader.machine.message_calls import MessageCalls
from grader.machine.tape import Tapes
from grader.machine.timeline import SYSTEM_CALL_VECTOR, Kind, Timeline, calls, spans
from grader.machine.tracer import Tracer
from grader.paths import Project
from grader.testing.boots import Boots

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
