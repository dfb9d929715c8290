"""When each line of the serial line began, in instructions.

A line begins when its first byte goes through OUT to COM1. To stop at every OUT would cost a millisecond a byte, so the
instruction that sends is found out once, and from then on watched only while a line is about to begin.
"""

from __future__ import annotations

import re
from bisect import bisect_left

from grader import untrusted
from grader.machine.execution import Execution, PointGuard
from grader.machine.timeline import Line

LINES_MAX, LINE_LIMIT = 120, 200
"""Lines that are kept (the last ones), and characters of each."""

OUT_DX_AL = re.compile(rb"\xee")
"""What could be the instruction that sends."""


class LineClock:
    """Watches one machine's COM1 between `start` and `stop`."""

    def __init__(self, machine: Execution) -> None:
        self._machine = machine
        self._begins: dict[int, int] = {}  # position on the line: the moment at which that byte was sent
        self._looks: list[tuple[int, int]] = []  # (bytes sent by a moment, that moment)
        self._sender: int | None = None  # the address of the OUT that sends
        self._points: dict[int, PointGuard] = {}
        self._last: tuple[int, int] | None = None  # address of the last OUT, and what had been sent before it

    def start(self) -> None:
        """Begin to watch."""
        places = self._machine.symbols.code_places(OUT_DX_AL) if self._sender is None else [self._sender]
        for place in places:
            self._watch(place)

    def stop(self) -> None:
        """Watch no more, until `start`."""
        for point in self._points.values():
            point.remove()
        self._points.clear()
        self._begins.pop(self._machine.serial_bytes, None)  # not sent yet, and nobody will see it sent
        self._last = None

    def look(self, now: int) -> None:
        """The machine is stopped for another reason: what had been sent by now?"""
        self._looks.append((self._machine.serial_bytes, now))
        if self._sender is not None and not self._points and self._machine.at_line_start():
            self._watch(self._sender)

    def _watch(self, place: int) -> None:
        self._points[place] = self._machine.observe(place, lambda: self._sending(place))

    def _sending(self, place: int) -> None:
        """Before an OUT, perhaps to another port: then a later one corrects what is noted here."""
        sent = self._machine.serial_bytes
        if self._sender is None and self._last is not None and sent > self._last[1]:
            self._sender = self._last[0]
            self.stop()
        if self._machine.at_line_start():
            self._begins[sent] = self._machine.instructions()
        if self._sender is None:
            self._last = place, sent
        elif place in self._points:
            self._points.pop(place).remove()

    def lines(self, end: int) -> list[Line]:
        """The last lines of what was sent, empty ones left out. `end` is the moment of now."""
        looks = [*self._looks, (self._machine.serial_bytes, end)]
        position, found = 0, []
        for line in self._machine.serial.split(b"\n"):
            text = untrusted.plain(line.rstrip(b"\r"))[:LINE_LIMIT]
            at = self._begins.get(position)
            if at is None:
                later = looks[min(bisect_left(looks, (position + 1, 0)), len(looks) - 1)][1]
            if text:
                found.append(Line(later, text, exact=False) if at is None else Line(at, text))
            position += len(line) + 1
        return found[-LINES_MAX:]
