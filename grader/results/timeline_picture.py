"""A timeline as SVG: a lane a process, a row a ring, time from left to right in guest instructions.

A run is long stretches in which nothing happens and short ones in which all does, so the axis is not to scale: between
two events there is room for their labels, and a little more for a longer time. The numbers on it are exact. Rings are
told apart by their row and their pattern, failures by a mark, so that colour is never needed.

Whatever is placed by time has its place at the usual size in a `data-` attribute too: timeline.js moves it to zoom.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from itertools import pairwise
from xml.sax.saxutils import escape

from grader.machine.timeline import Kind, Timeline, calls, spans
from grader.results.timeline_words import in_words, message_in_words

ROW, LANE_GAP, AXIS, SERIAL_ROW = 20, 12, 30, 26
"""Heights in pixels: of a ring's row, between lanes, of the axis above them, of the row for the serial line."""

LETTER, BOLD_LETTER = 6.3, 7.7
"""Mean width of a letter of the labels, in pixels."""

_LEAST, _LONG, _LABEL_MAX, _BESIDE = 7.0, 90.0, 210.0, 10.0
_MARGIN, _END_MARGIN = 14, 70
_GAP_LEAST, _GAP_SHARE = 170.0, 0.06
_BREAK = 20_000  # instructions that are drawn so much too short that it is said


class Scale:
    """From a count of instructions to pixels: between known moments in a straight line, and these far enough apart."""

    def __init__(self, timeline: Timeline) -> None:
        known = {0, timeline.end, *(event.at for event in timeline.events), *(line.at for line in timeline.serial)}
        known |= {moment for gap in timeline.gaps for moment in gap}
        self.moments = sorted(known)
        wanted, hidden = _wanted(timeline), {start for start, _ in timeline.gaps}
        widths = [
            max(min(_LONG, _LEAST + 3 * math.log2(1 + (after - before) / 32)), wanted.get(before, 0.0))
            for before, after in pairwise(self.moments)
        ]
        gap = max(_GAP_LEAST, _GAP_SHARE * sum(widths))  # to be seen in the whole run too
        self.places = [float(_MARGIN)]
        for before, width in zip(self.moments, widths, strict=False):
            self.places.append(self.places[-1] + (gap if before in hidden else width))
        self.width = round(self.places[-1] + _END_MARGIN)

    def __call__(self, moment: int) -> float:
        """Where a moment is, in pixels."""
        index = max(0, min(bisect_right(self.moments, moment) - 1, len(self.moments) - 2))
        if len(self.moments) < 2:
            return self.places[0]
        start, end = self.moments[index], self.moments[index + 1]
        left, right = self.places[index], self.places[index + 1]
        return round(left + (right - left) * (moment - start) / (end - start), 1)


def _wanted(timeline: Timeline) -> dict[int, float]:
    """Room that is wanted to the right of a moment, for the label of what begins there."""
    room: dict[int, float] = {}
    for call in calls(timeline):
        label = _label(call.what, call.result, call.failed)
        room[call.start] = min(_LABEL_MAX, _needs(label, call.failed) + _BESIDE)
    return room


def _needs(label: str, bold: bool = False) -> float:
    return round(len(label) * (BOLD_LETTER if bold else LETTER), 1)


def _label(what: str, result: str, failed: bool) -> str:
    mark = "\u2717 " if failed else ""
    return f"{mark}{what}" + (f" \u2192 {result}" if result else "")


@dataclass(frozen=True)
class Lane:
    """Where a process is drawn. `rows` maps a ring to the top of its row."""

    label: tuple[str, int]
    """Name and pid."""
    top: int
    bottom: int
    rows: dict[int, int]


@dataclass(frozen=True)
class Picture:
    """A timeline drawn: SVG as text, and what is written beside it in HTML."""

    lanes: list[Lane]
    heads: str
    """The lanes' names, a drawing of its own that does not scroll."""
    drawing: str
    width: int
    height: int


HEAD_WIDTH = 142


def draw(timeline: Timeline, name: str) -> Picture:
    """The picture of a timeline. `name` makes the drawing's ids unique in its page."""
    scale = Scale(timeline)
    lanes = _lanes(timeline)
    bottom = (lanes[-1].bottom if lanes else AXIS) + LANE_GAP
    height = bottom + (SERIAL_ROW if timeline.serial else 0)
    parts = [
        *_backgrounds(lanes, scale.width, bottom, timeline),
        *_gaps(timeline, scale, bottom, name),
        *_axis(timeline, scale, bottom),
        *_switches(timeline, scale, lanes),
        *_calls(timeline, scale, lanes),
        *_spans(timeline, scale, lanes, name),
        *_messages(timeline, scale, lanes, name),
        *_serial(timeline, scale, bottom),
        *_end(timeline, scale, bottom),
    ]
    size = f'width="{scale.width}" height="{height}"'
    drawing = f'<svg class="run" {size} data-width="{scale.width}" aria-hidden="true">{_patterns(name)}'
    return Picture(
        lanes, _heads(lanes, bottom, height, timeline), drawing + "".join(parts) + "</svg>", scale.width, height
    )


def _lanes(timeline: Timeline) -> list[Lane]:
    """One lane for each process that did anything, in the order of the processes; only rings in which it was."""
    rings: dict[int, set[int]] = {}
    for span in spans(timeline):
        if span.process is not None:
            rings.setdefault(span.process, set()).add(span.ring)
    for message in timeline.messages:
        for process in (message.sender, message.receiver):
            rings.setdefault(process, {0})
    lanes, top = [], AXIS + LANE_GAP
    for process in range(len(timeline.processes)):
        order = sorted(rings.get(process, {0}), reverse=True)
        rows = {ring: top + place * ROW for place, ring in enumerate(order)}
        who = timeline.processes[process]
        bottom = top + max(len(order), 2 if who.pid else 1) * ROW
        lanes.append(Lane((who.name, who.pid) if who.pid else ("kernel, idle", 0), top, bottom, rows))
        top = bottom + LANE_GAP
    return lanes


def _heads(lanes: list[Lane], bottom: int, height: int, timeline: Timeline) -> str:
    parts = [f'<text x="4" y="{AXIS - 10}" class="small">instruction</text>']
    for lane in lanes:
        name, pid = lane.label
        parts.append(f'<text x="4" y="{lane.top + 14}">{escape(_cut(name, 14))}</text>')
        if pid:
            parts.append(f'<text x="4" y="{lane.top + ROW + 13}" class="small">pid {pid}</text>')
        for ring, top in lane.rows.items():
            parts.append(
                f'<text x="{HEAD_WIDTH - 4}" y="{top + 14}" class="small" text-anchor="end">ring {ring}</text>'
            )
    if timeline.serial:
        parts.append(f'<text x="4" y="{bottom + 16}">serial line</text>')
    return f'<svg class="heads" width="{HEAD_WIDTH}" height="{height}" aria-hidden="true">{"".join(parts)}</svg>'


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "\u2026"


def _patterns(name: str) -> str:
    return (
        f'<defs><pattern id="{name}-ring2" width="6" height="6" patternUnits="userSpaceOnUse" '
        'patternTransform="rotate(45)"><rect width="6" height="6" class="ring2"/><rect width="2" height="6" '
        f'class="stroke2"/></pattern><pattern id="{name}-gap" width="8" height="8" patternUnits="userSpaceOnUse" '
        'patternTransform="rotate(-45)"><rect width="1.5" height="8" class="hatch"/></pattern>'
        f'<marker id="{name}-arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
        'orient="auto-start-reverse"><path d="M0 0L8 4L0 8z" class="arrow"/></marker></defs>'
    )


def _backgrounds(lanes: list[Lane], width: int, bottom: int, timeline: Timeline) -> list[str]:
    parts = []
    for lane in lanes:
        place = f'x="0" y="{lane.top - 3}" width="{width}" height="{lane.bottom - lane.top + 6}"'
        parts.append(f'<rect class="lane" {place} data-full=""/>')
    if timeline.serial:
        parts.append(f'<rect class="rule" x="0" y="{bottom}" width="{width}" height="1" data-full=""/>')
    return parts


def _rect(kind: str, x: float, y: float, width: float, height: float, more: str = "") -> str:
    place = f'x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" data-x="{x:g}" data-w="{width:g}"'
    return f'<rect class="{kind}" {place}{more}/>'


def _at(x: float, inner: str, kind: str = "") -> str:
    named = f' class="{kind}"' if kind else ""
    return f'<g{named} data-x="{x:g}" transform="translate({x:g} 0)">{inner}</g>'


def _text(x: float, y: float, label: str, room: float, kind: str = "", more: str = "", beside: int = 3) -> str:
    """A label, so many pixels `beside` its moment, that is shown where there is room for it."""
    needs = _needs(label, "bad" in kind) + beside
    hidden = ' display="none"' if needs > room else ""
    named = f' class="{kind}"' if kind else ""
    facts = f'data-x="{x:g}" data-room="{room:g}" data-needs="{needs:g}"{more}'
    return f'<text{named} x="{x:g}" dx="{beside}" y="{y:g}" {facts}{hidden}>{escape(label)}</text>'


def _gaps(timeline: Timeline, scale: Scale, bottom: int, name: str) -> list[str]:
    parts = []
    for start, end in timeline.gaps:
        x, width = scale(start), round(scale(end) - scale(start), 1)
        parts.append(_rect("gap", x, AXIS, width, bottom - AXIS, f' style="fill:url(#{name}-gap)"'))
        parts.append(_text(x, AXIS + 10, f"{end - start:,} not traced", width, "small"))
    return parts


def _axis(timeline: Timeline, scale: Scale, bottom: int) -> list[str]:
    """Numbers where there is an event and room, and a break where much time is drawn short."""
    parts, free = [], 0.0
    for moment, x in zip(scale.moments, scale.places, strict=True):
        needs = _needs(f"{moment:,}") + 16
        if x >= free and (moment == 0 or moment == timeline.end or x + needs < scale(timeline.end)):
            text = f'<text class="small" x="2" y="{AXIS - 10}">{moment:,}</text>'
            parts.append(_at(x, f'<path class="tick" d="M0 {AXIS - 6}V{bottom}"/>{text}', "axis"))
            free = x + needs
    hidden = {start for start, _ in timeline.gaps}
    for before, after in pairwise(scale.moments):
        if after - before >= _BREAK and before not in hidden:
            middle = (scale(before) + scale(after)) / 2
            inner = f'<path class="break" d="M-3 {AXIS + 3}l3 -7l3 7l3 -7"/>'
            parts.append(_at(round(middle, 1), f"<title>{after - before:,} instructions</title>{inner}"))
    return parts


def _row(lane: Lane, ring: int) -> int:
    return lane.rows.get(ring, lane.bottom - ROW)


def _switches(timeline: Timeline, scale: Scale, lanes: list[Lane]) -> list[str]:
    """A line from who ran to who runs."""
    parts = []
    for before, after in pairwise(spans(timeline)):
        if before.process is None or after.process is None or before.process == after.process:
            continue
        start, end = (_row(lanes[span.process or 0], span.ring) + ROW / 2 for span in (before, after))
        parts.append(_at(scale(after.start), f'<path class="switch" d="M0 {start:g}V{end:g}"/>'))
    return parts


def _spans(timeline: Timeline, scale: Scale, lanes: list[Lane], name: str) -> list[str]:
    parts = []
    for span in spans(timeline):
        if span.process is None:
            continue
        x, y = scale(span.start), _row(lanes[span.process], span.ring)
        width = max(1.0, round(scale(span.end) - x, 1))
        # Ring 3 is a full bar; ring 2, hatched, and ring 0 leave room for the names of calls.
        top, height = (y + 3, ROW - 6) if span.ring == 3 else (y + 12, 4 if span.ring == 0 else 6)
        filled = f' style="fill:url(#{name}-ring2)"' if span.ring == 2 else ""
        parts.append(_rect(f"ring{span.ring}", x, top, width, height, filled))
    return parts


def _calls(timeline: Timeline, scale: Scale, lanes: list[Lane]) -> list[str]:
    """System calls as boxes, interrupts and exceptions as marks, each with its label where there is room."""
    parts = []
    limits = _next_starts(timeline)
    for call in calls(timeline):
        event = timeline.events[call.event]
        lane = lanes[call.process]
        x, end = scale(call.start), scale(call.until)
        y = _row(lane, event.ring if event.kind is Kind.FAR_CALL else 0)
        label = _label(call.what, call.result, call.failed)
        inner = [f"<title>{escape(in_words(timeline, call.event))}</title>"]
        stays = ""
        bad = " bad" if call.failed else ""
        if event.vector == 0x80 or event.kind is Kind.FAR_CALL:
            width = max(2.0, round(end - x, 1))
            inner.append(_rect(f"call{bad}", x, y + 1, width, ROW - 4))
            stays = f' data-stays="{width:g}"'
            room = width if call.end is not None and limits.get(call.event, call.end) >= call.end else 0.0
            room = max(room, round(scale(limits.get(call.event, timeline.end)) - x, 1))
        else:
            shape = "M0 -5L5 0L0 5L-5 0z" if bad else "M-4 -4H4L0 3z"
            mark = f'<path class="mark{bad}" d="{shape}" transform="translate(0 {y + 6})"/>'
            inner.append(_at(x, f'<path class="tick{bad}" d="M0 {lane.top}V{lane.bottom}"/>{mark}'))
            room = round(scale(limits.get(call.event, timeline.end)) - x, 1)
        inner.append(_text(x, y + 11, label, room, f"label{bad}", stays, beside=3 if stays else 8))
        parts.append(f'<g class="event" data-event="{call.event}">{"".join(inner)}</g>')
    return parts


def _next_starts(timeline: Timeline) -> dict[int, int]:
    """For each entry the moment of the same process's next one: so far its label may reach."""
    limits: dict[int, int] = {}
    last: dict[int, int] = {}
    for place, event in enumerate(timeline.events):
        if event.kind in (Kind.ENTRY, Kind.FAR_CALL):
            if event.process in last:
                limits[last[event.process]] = event.at
            last[event.process] = place
    return limits


def _messages(timeline: Timeline, scale: Scale, lanes: list[Lane], name: str) -> list[str]:
    parts = []
    for message in timeline.messages:
        x1, x2 = scale(message.sent), scale(message.received)
        sender, receiver = lanes[message.sender], lanes[message.receiver]
        down = receiver.top > sender.top
        y1, y2 = (sender.bottom, receiver.top - 1) if down else (sender.top, receiver.bottom + 1)
        words = f"{message_in_words(timeline, message.sender, message.receiver, message.what)}"
        points = f"{x1:g} {y1} {x2:g} {y2}"
        bend = (y2 - y1) * 0.45
        path = f"M{x1:g} {y1}C{x1:g} {y1 + bend:g} {x2:g} {y2 - bend:g} {x2:g} {y2}"
        parts.append(
            f'<g class="message"><title>{escape(words)}</title><path d="{path}" data-curve="{points}" '
            f'marker-end="url(#{name}-arrow)"/></g>'
        )
    return parts


def _serial(timeline: Timeline, scale: Scale, bottom: int) -> list[str]:
    parts = []
    for place, line in enumerate(timeline.serial):
        x = scale(line.at)
        later = timeline.serial[place + 1].at if place + 1 < len(timeline.serial) else timeline.end
        room = round(scale(later) - x - 8, 1)
        flag = f'<path class="flag" d="M0 {bottom + 4}V{bottom + 22}M0 {bottom + 4}h6l-2 3l2 3h-6"/>'
        text = _cut(line.text, max(1, int(room / LETTER))) if room > 4 * LETTER else ""
        title = f"<title>{escape(f'{line.at:,}: {line.text}')}</title>"
        label = _text(x, bottom + 18, text, room, "small", beside=9) if text else ""
        parts.append(f'<g class="said">{title}{_at(x, flag)}{label}</g>')
    return parts


def _end(timeline: Timeline, scale: Scale, bottom: int) -> list[str]:
    inner = f'<title>{escape(timeline.ending)}</title><path class="end" d="M0 {AXIS - 4}V{bottom}"/>'
    cross = f'<path class="end" d="M-5 {AXIS - 9}l10 10m0 -10l-10 10"/>'
    return [_at(scale(timeline.end), inner + cross)]
