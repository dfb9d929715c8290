"""Takes the pictures of a failed test: runs it twice more, on the emulator that it did not pass on.

Once the run is recorded, and once the recording is played, which can be stopped at every door of the kernel without
disturbing it. The tests' own code runs both times, as it does when it is graded.
"""

from __future__ import annotations

import contextlib
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from grader.faults import ProjectFault, Ungradable
from grader.machine import address_space
from grader.machine.address_space import AddressSpace
from grader.machine.message_calls import MessageCalls
from grader.machine.tape import Tapes
from grader.machine.timeline import Timeline
from grader.machine.tracer import Tracer, untraceable
from grader.machine.witness import Witness
from grader.testing import plugin, worker
from grader.testing.message import sentence
from grader.testing.pictures import Pictures
from grader.testing.recording import record
from grader.testing.setting import Setting
from grader.testing.verdict import Outcome, Verdict
from grader.untrusted import opening

if TYPE_CHECKING:
    from grader.machine.machine import Machine
    from grader.testing.boots import Boots

_MEMORY = re.compile(r"\b(pages?|memory|mapp|unmapp|buffers?|pointers?|address)", re.IGNORECASE)
"""What a requirement speaks of when page tables matter to it."""

_TELLING = ("general protection", "stack-segment fault", "memory_map", "memory_unmap", "E_FAULT")
"""What makes an address space worth a look when it happened."""


def taken(item: pytest.Item, setting: Setting, messages: MessageCalls) -> Pictures:
    """Pictures of a test that fails in `setting`, whose witness is the one it fails on."""
    if setting.witness is not Witness.QEMU:
        camera = _Camera(None, messages, item)
        item.config.stash[plugin.SETTING] = replace(setting, on_failure=camera.failed)
        worker.run_item(item)
        label = setting.witness.label if setting.witness else "this machine"
        return Pictures(None, camera.memory, f"There is no timeline of a run on {label}: it records none.")
    with record(item, setting) as recording:
        if not recording.same:
            return Pictures(note=f"There is no timeline: {_why_not(recording.outcome, 'while it was recorded')}")
        for tape in recording.tapes.tapes:
            tape.goes_back = False
        camera = _Camera(recording.tapes, messages, item)
        played = recording.play(item, replace(setting, on_boot=camera.booted, on_failure=camera.failed))
        if camera.timeline is None:
            if camera.why_not:
                return Pictures(None, camera.memory, f"There is no timeline: {camera.why_not}")
            return Pictures(note=f"There is no timeline: {_why_not(played, 'when its recording was played')}")
        other = played.message != recording.outcome.message
    note = f"When its recording was played, the test failed otherwise: {played.message}" if other else ""
    return Pictures(camera.timeline, camera.memory, note)


def _why_not(outcome: Outcome, when: str) -> str:
    if outcome.verdict is Verdict.PASSED:
        return f"{when}, the test passed. Its failure depends on when the disk or the console answers."
    if outcome.verdict is Verdict.UNGRADABLE:
        return f"{when}: {outcome.message}"
    return f"{when}, the test failed otherwise: {outcome.message}"


class _Camera:
    """Traces the last machine that a test starts, and looks at it when the test fails."""

    def __init__(self, tapes: Tapes | None, messages: MessageCalls, item: pytest.Item) -> None:
        self.timeline: Timeline | None = None
        self.memory: AddressSpace | None = None
        self.why_not = ""
        """Why the run is not traced, in words."""
        self._tapes = tapes
        self._messages = messages
        requirement = plugin.requirement_of(item)
        self._about_memory = requirement is not None and _MEMORY.search(requirement.required) is not None
        self._tracer: Tracer | None = None

    def booted(self, boots: Boots, machine: Machine) -> None:
        """A machine has been started: if it is the last one, look over its shoulder from now on."""
        tapes = self._tapes.tapes if self._tapes else []
        if len(boots.machines) == len(tapes):
            self.why_not = untraceable(machine)
            if not self.why_not:
                self._tracer = Tracer(machine, self._messages, end=tapes[-1].end, jump=machine.at_moment)

    def failed(self, boots: Boots, failure: BaseException) -> None:
        """The test failed, and its machines still live."""
        if not boots.machines:
            return
        machine = boots.machines[-1]
        with contextlib.suppress(Ungradable, ProjectFault, AssertionError, ValueError, LookupError):
            if self._tracer is not None:
                self.timeline = self._tracer.finish(sentence(opening(str(failure), 1)))
                self.memory = self._tracer.memory
            telling = self._about_memory or self.timeline is None or is_about_memory(self.timeline)
            if self.memory is None and telling:
                self.memory = address_space.seen_in(machine, "where the run ended")


def is_about_memory(timeline: Timeline) -> bool:
    """Whether anything happened for which the page tables matter."""
    return any(event.what in _TELLING for event in timeline.events)
