"""A timeline in words: each event as a sentence, and all of them as a table, for tooltips and for who cannot see."""

from __future__ import annotations

from dataclasses import dataclass

from grader.machine.timeline import SYSTEM_CALL_VECTOR, Event, Kind, Timeline


def message_in_words(timeline: Timeline, sender: int, receiver: int, what: str) -> str:
    """`message (type 16) from rendezvous (4) to process_server (1)`."""
    return f"message ({what}) from {timeline.processes[sender].label} to {timeline.processes[receiver].label}"


def in_words(timeline: Timeline, place: int) -> str:
    """One event in a sentence, as tooltips and screen readers have it."""
    event = timeline.events[place]
    who = timeline.processes[event.process].label
    parts = [f"{event.at:,}", f"{_what(event)} in {who}, {_ring(event)}"]
    if event.place:
        parts[-1] += f" at {event.place}"
    if event.details:
        parts.append(event.details)
    ends = [other for other in timeline.events if other.begun == place]
    if ends:
        result = f"returns {ends[0].what}" if ends[0].what else "returns"
        parts.append(f"{result} at {ends[0].at:,}")
    return ": ".join(parts[:2]) + "".join(f"; {part}" for part in parts[2:])


def _what(event: Event) -> str:
    match event.kind:
        case Kind.ENTRY:
            if event.vector == SYSTEM_CALL_VECTOR:
                return f"system call {event.what}"
            return f"{'exception' if event.failed else 'interrupt'} {event.what}"
        case Kind.RETURN:
            return f"return {event.what}".strip()
        case Kind.FAR_CALL:
            return f"call through a gate to {event.what}"
        case Kind.FAR_RETURN:
            return f"return through the gate {event.what}".strip()
    return "address space loaded"


def _ring(event: Event) -> str:
    return f"from ring {event.ring}" if event.kind is Kind.ENTRY else f"in ring {event.ring}"


@dataclass(frozen=True)
class Row:
    """One row of the table that says the same as the picture."""

    at: int
    process: str
    ring: str
    what: str
    details: str
    failed: bool


def table(timeline: Timeline) -> list[Row]:
    """The picture as a table: events and messages, in the order of time."""
    rows = [
        Row(
            event.at,
            timeline.processes[event.process].label,
            f"{event.ring}",
            _what(event),
            "; ".join(part for part in (event.place, event.details) if part),
            event.failed,
        )
        for event in timeline.events
    ]
    rows += [
        Row(
            message.received,
            timeline.processes[message.receiver].label,
            "",
            message_in_words(timeline, message.sender, message.receiver, message.what),
            f"sent at {message.sent:,}",
            False,
        )
        for message in timeline.messages
    ]
    return sorted(rows, key=lambda row: row.at)
