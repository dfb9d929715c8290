"""A run as a list of moments: who ran, in which ring, what interrupted it, which calls were made, what became of them.

Made by `tracer` from a run that is played again, drawn by `grader.results.timeline_picture`. All that is here is data
and functions of it. Time is counted in instructions since power-on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from grader.machine.diagnosis import EXCEPTIONS

SYSTEM_CALL_VECTOR = 0x80
FIRST_DEVICE, DEVICES = 32, ("timer", "keyboard", "cascade", "COM2", "COM1", "LPT2", "floppy disk", "LPT1")
"""Where the baseline lets the interrupt controllers' lines begin, and what is at the first of them."""
LATER_DEVICES = {40: "clock", 44: "mouse", 46: "disk", 47: "second disk"}

_ERRORS_FROM = -4095


class Kind(StrEnum):
    """What happened."""

    ENTRY = "entry"
    """An interrupt, exception or system call: the kernel was entered through a gate of the IDT."""
    RETURN = "return"
    """IRET: back to what was interrupted, in the ring of the event."""
    SWITCH = "switch"
    """Another address space was loaded, for the process of the event."""
    FAR_CALL = "far call"
    """A call gate was passed, to the ring of the event."""
    FAR_RETURN = "far return"
    """Back from it, in the ring of the event."""


@dataclass(frozen=True)
class Process:
    """A lane of the picture."""

    pid: int
    name: str

    @property
    def label(self) -> str:
        """How it is called: the kernel's own thread has pid 0."""
        return f"{self.name or 'unnamed'} ({self.pid})" if self.pid else "kernel, idle"


@dataclass(frozen=True)
class Event:
    """One moment. Texts are harmless to show."""

    at: int
    kind: Kind
    process: int
    """Place among the timeline's processes: whom it happened to; for a switch, who runs from now on."""
    ring: int
    """The ring before an entry; the ring after everything else."""
    what: str = ""
    """`write`, `page fault`, `timer`; of a return the result of what it ends."""
    vector: int | None = None
    details: str = ""
    place: str = ""
    """Where it was, in words."""
    begun: int | None = None
    """Of a return: the place of the event that it ends, if that is known."""
    failed: bool = False
    """The result is an error, or the event an exception."""


@dataclass(frozen=True)
class Message:
    """A message from one process to another: when the sender asked for it, and when the receiver had it."""

    sent: int
    sender: int
    received: int
    receiver: int
    what: str


@dataclass(frozen=True)
class Line:
    """A line of the serial line, with the moment at which its first byte was sent."""

    at: int
    text: str
    exact: bool = True
    """False: nobody watched, and that byte had been sent by that moment."""


@dataclass
class Timeline:
    """The traced run of one machine."""

    processes: list[Process] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    serial: list[Line] = field(default_factory=list)
    gaps: list[tuple[int, int]] = field(default_factory=list)
    """Stretches in which nobody looked, because there is too much to show."""
    end: int = 0
    ending: str = ""
    """What the run came to, in words."""
    notes: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """As result.json has it: what an event does not have is left out."""
        data = asdict(self)
        usual = {key: value for key, value in asdict(Event(0, Kind.ENTRY, 0, 0)).items() if key not in _ALWAYS}
        data["events"] = [
            {key: value for key, value in event.items() if key in _ALWAYS or value != usual[key]}
            for event in data["events"]
        ]
        data["gaps"] = [list(gap) for gap in self.gaps]
        return data

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Timeline:
        """The inverse of `to_dict`. Raises ValueError when what refers to something refers to nothing."""
        made = cls(
            [Process(**item) for item in data["processes"]],
            [Event(**{**item, "kind": Kind(item["kind"])}) for item in data["events"]],
            [Message(**item) for item in data["messages"]],
            [Line(**item) for item in data["serial"]],
            [(start, end) for start, end in data["gaps"]],
            data["end"],
            data["ending"],
            list(data["notes"]),
        )
        lanes = [event.process for event in made.events]
        lanes += [lane for message in made.messages for lane in (message.sender, message.receiver)]
        if any(not 0 <= lane < len(made.processes) for lane in lanes):
            raise ValueError("a timeline names a process that it does not have")
        if any(event.begun is not None and not 0 <= event.begun < place for place, event in enumerate(made.events)):
            raise ValueError("an event of a timeline ends one that is not before it")
        return made


_ALWAYS = ("at", "kind", "process", "ring")


@dataclass(frozen=True)
class Span:
    """A stretch in which one process ran in one ring. `process` is None where nobody looked."""

    start: int
    end: int
    process: int | None
    ring: int


@dataclass(frozen=True)
class Call:
    """A system call, an interrupt's handling or a call through a gate, from its entry to its return."""

    event: int
    """The place of the entry among the events."""
    start: int
    end: int | None
    """None: it was not seen to return."""
    until: int
    """Up to when it is known to last: its end, where nobody looked any more, or the end of the run."""
    process: int
    what: str
    result: str = ""
    failed: bool = False


def spans(timeline: Timeline) -> list[Span]:
    """Who ran when, in which ring, without holes from the first moment to the last."""
    found: list[Span] = []
    process: int | None = 0 if timeline.processes else None
    ring, start = 0, 0
    gaps = list(timeline.gaps)
    for event in timeline.events:
        while gaps and gaps[0][1] <= event.at:
            _add(found, start, gaps[0][0], process, ring)
            start = max(start, gaps[0][0])
            _add(found, start, gaps[0][1], None, 0)
            start, process = gaps.pop(0)[1], None
        if event.kind is Kind.ENTRY:  # what ran before it is known for certain here
            _add(found, start, event.at, event.process, event.ring)
            process, ring = event.process, 0
        else:
            _add(found, start, event.at, process if process is not None else event.process, ring)
            process, ring = event.process, event.ring
        start = event.at
    for first, last in gaps:
        _add(found, start, first, process, ring)
        _add(found, first, last, None, 0)
        start, process = last, None
    if process is not None:
        _add(found, start, timeline.end, process, ring)
    return found


def _add(found: list[Span], start: int, end: int, process: int | None, ring: int) -> None:
    if end <= start:
        return
    if found and (found[-1].process, found[-1].ring, found[-1].end) == (process, ring, start):
        start = found.pop().start
    found.append(Span(start, end, process, ring))


def calls(timeline: Timeline) -> list[Call]:
    """Everything that was entered, with its return if it came."""
    ends = {event.begun: event for event in timeline.events if event.begun is not None}
    found = []
    for place, event in enumerate(timeline.events):
        if event.kind not in (Kind.ENTRY, Kind.FAR_CALL):
            continue
        last = ends.get(place)
        result, failed = (last.what, last.failed) if last else ("", False)
        ended = last.at if last else None
        unseen = next((start for start, _ in timeline.gaps if start >= event.at), timeline.end)
        until = unseen if ended is None else ended
        found.append(Call(place, event.at, ended, until, event.process, event.what, result, failed or event.failed))
    return found


def vector_name(vector: int) -> str:
    """`page fault`, `timer`, `system call`, `vector 77`."""
    if vector in EXCEPTIONS:
        return EXCEPTIONS[vector]
    if 0 <= vector - FIRST_DEVICE < len(DEVICES):
        return DEVICES[vector - FIRST_DEVICE]
    if vector in LATER_DEVICES:
        return LATER_DEVICES[vector]
    return "system call" if vector == SYSTEM_CALL_VECTOR else f"vector {vector}"


def result_in_words(value: int, errors: Mapping[int, str]) -> tuple[str, bool]:
    """A system call's result (EAX), and whether it is an error: `E_FAULT`, `12`, `0x80500000`."""
    signed = value - (1 << 32) if value >> 31 else value
    if signed in errors and signed < 0:
        return errors[signed], True
    if _ERRORS_FROM <= signed < 0:
        return str(signed), True
    return number(value), False


def number(value: int) -> str:
    """A number as one reads it: small ones in decimal, addresses in hexadecimal, small negative ones with a sign."""
    if value >= 1 << 32 - 1 and value - (1 << 32) >= _ERRORS_FROM:
        return str(value - (1 << 32))
    return str(value) if value < 0x10000 else f"{value:#x}"
