"""QMP, against a monitor that answers as scripted."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator

import pytest

from grader.machine.qmp import Qmp, QmpClosed, QmpError


@pytest.fixture
def pair() -> Iterator[tuple[Qmp, socket.socket]]:
    """Our end, and the monitor's."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield Qmp(ours, reply_timeout=0.2), theirs


def say(monitor: socket.socket, *messages: object) -> None:
    """Write messages, a line each."""
    monitor.sendall(b"".join(json.dumps(message).encode() + b"\r\n" for message in messages))


def test_the_greeting(pair: tuple[Qmp, socket.socket]) -> None:
    """It is read before anything is asked."""
    qmp, monitor = pair
    say(monitor, {"QMP": {}}, {"return": {}})
    qmp.greet()
    assert json.loads(monitor.recv(1000)) == {"execute": "qmp_capabilities"}


def test_events_between_answers_are_kept(pair: tuple[Qmp, socket.socket]) -> None:
    """And the last of a name is found."""
    qmp, monitor = pair
    say(monitor, {"event": "SHUTDOWN", "data": {"reason": "guest-reset"}}, {"event": "STOP"}, {"return": 7})
    assert qmp.command("query-status") == 7
    assert qmp.event("SHUTDOWN") == {"reason": "guest-reset"}
    assert qmp.event("WATCHDOG") is None


def test_a_refusal(pair: tuple[Qmp, socket.socket]) -> None:
    """With the monitor's reason."""
    qmp, monitor = pair
    say(monitor, {"error": {"class": "GenericError", "desc": "no such device"}})
    with pytest.raises(QmpError, match="eject: no such device"):
        qmp.command("eject", device="x")


def test_a_monitor_that_is_gone(pair: tuple[Qmp, socket.socket]) -> None:
    """An exception of its own."""
    qmp, monitor = pair
    monitor.close()
    with pytest.raises(QmpClosed):
        qmp.command("stop")
