"""Interrupts at a chosen instruction: raised at the interrupt controllers' inputs through QEMU's qtest line.

The machine is stopped when a line is raised, so the interrupt waits for the very next instruction that may be
interrupted. Source: qtest's `set_irq_in` command; an unnamed GPIO input of an i8259 is its IR line.
"""

from __future__ import annotations

import socket
from typing import Protocol

from grader.faults import Ungradable

LINES_OF_ONE = 8  # inputs of one i8259; the second one is cascaded at line 2 of the first


class Monitor(Protocol):
    """What is needed of QMP here."""

    def command(self, name: str, **arguments: object) -> object:
        """Execute a command."""


class Interrupter:
    """The qtest line of one machine."""

    def __init__(self, connection: socket.socket, monitor: Monitor) -> None:
        self.socket = connection
        self.socket.settimeout(30.0)
        self._monitor = monitor
        self._controllers: list[str] = []

    def raise_line(self, number: int) -> None:
        """A pulse on interrupt request line 0 to 15: an edge, as the timer or the keyboard makes it."""
        path, line = self.controllers()[number // LINES_OF_ONE], number % LINES_OF_ONE
        for level in (0, 1, 0):  # low first: the timer's output rests high, and only a rise is an edge
            self._request(f"set_irq_in {path} unnamed-gpio-in {line} {level}")

    def controllers(self) -> list[str]:
        """Object paths of the two i8259, first the one that the processor sees."""
        if not self._controllers:
            found = self._monitor.command("qom-list", path="/machine/unattached")
            assert isinstance(found, list)
            names = [item["name"] for item in found if item["type"] == "child<isa-i8259>"]
            numbers = sorted(names, key=lambda name: int(name.partition("[")[2].rstrip("]")))
            self._controllers = [f"/machine/unattached/{name}" for name in numbers]
            if len(self._controllers) != 2:
                raise Ungradable(f"the emulator shows {len(numbers)} interrupt controllers instead of 2")
        return self._controllers

    def _request(self, line: str) -> None:
        try:
            self.socket.sendall(line.encode("ascii") + b"\n")
            answer = b""
            while not answer.endswith(b"\n"):
                data = self.socket.recv(4096)
                if not data:
                    raise Ungradable("the emulator's test line was closed")
                answer += data
        except OSError as error:
            raise Ungradable(f"the emulator's test line does not answer: {error}") from error
        if not answer.startswith(b"OK"):
            raise Ungradable(f"the emulator refused {line!r}: {answer.decode('ascii', 'replace').strip()}")
