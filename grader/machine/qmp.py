"""QMP, QEMU's control protocol, over an inherited socket: one JSON object a line.

Source: "QEMU Machine Protocol Specification". Commands answer in 0.3 to 0.6 ms, also while the guest runs.
"""

from __future__ import annotations

import json
import socket
from typing import Any

from grader.faults import Ungradable
from grader.machine.faults import EmulatorGone


class QmpClosed(EmulatorGone):
    """The emulator has gone, and its monitor with it."""


class QmpError(Exception):
    """QEMU refused a command."""


class Qmp:
    """A connection to the monitor. `reply_timeout` is in seconds of wall-clock time."""

    def __init__(self, connection: socket.socket, reply_timeout: float = 30.0) -> None:
        self.socket = connection
        self.socket.settimeout(reply_timeout)
        self._received = b""
        self.events: list[dict[str, Any]] = []
        """Events that came between answers, oldest first; the oldest of more than 1000 are dropped."""

    def greet(self) -> None:
        """Read the greeting and leave the negotiation mode. Raises QmpClosed when the emulator did not start."""
        self._line()
        self.command("qmp_capabilities")

    def command(self, name: str, **arguments: Any) -> Any:
        """Execute a command and return what it returns. Raises QmpError when it is refused."""
        self._send(_message(name, arguments))
        return self._answer(name)

    def _send(self, data: bytes) -> None:
        try:
            self.socket.sendall(data)
        except OSError as error:
            raise QmpClosed() from error

    def _answer(self, name: str) -> Any:
        while True:
            answer = json.loads(self._line())
            if "event" in answer:
                self.events = [*self.events[-999:], answer]
            elif "error" in answer:
                raise QmpError(f"{name}: {answer['error'].get('desc', answer['error'])}")
            elif "return" in answer:
                return answer["return"]

    def human(self, line: str) -> str:
        """Execute a command of the human monitor and return its output."""
        return str(self.command("human-monitor-command", **{"command-line": line}))

    def event(self, name: str) -> dict[str, Any] | None:
        """The data of the last event of that name, or None when there was none so far."""
        for event in reversed(self.events):
            if event["event"] == name:
                return dict(event.get("data", {}))
        return None

    def _line(self) -> bytes:
        while b"\n" not in self._received:
            try:
                data = self.socket.recv(1 << 16)
            except TimeoutError as error:
                raise Ungradable("the emulator's monitor does not answer") from error
            except OSError as error:
                raise QmpClosed() from error
            if not data:
                raise QmpClosed()
            self._received += data
        line, self._received = self._received.split(b"\n", 1)
        return line


def _message(name: str, arguments: dict[str, Any]) -> bytes:
    message: dict[str, Any] = {"execute": name}
    if arguments:
        message["arguments"] = arguments
    return json.dumps(message).encode() + b"\n"
