"""GDB's protocol, against a stub that answers as scripted."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from grader.faults import Ungradable
from grader.machine.gdb_remote import GdbRemote, StubClosed, StubError, stop_reply


@pytest.fixture
def pair() -> Iterator[tuple[GdbRemote, socket.socket]]:
    """Our end, and the stub's."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield GdbRemote(ours, reply_timeout=0.2), theirs


def packet(body: bytes) -> bytes:
    """A packet around a body."""
    return b"$" + body + b"#%02x" % (sum(body) & 255)


def test_a_request_and_its_answer(pair: tuple[GdbRemote, socket.socket]) -> None:
    """With checksum, and acknowledged."""
    remote, stub = pair
    stub.sendall(b"+" + packet(b"OK"))
    assert remote.request("Z0,c0100000,1") == b"OK"
    assert stub.recv(100) == packet(b"Z0,c0100000,1") + b"+"


def test_escapes_and_run_lengths(pair: tuple[GdbRemote, socket.socket]) -> None:
    """`}` escapes a byte, `*` repeats one."""
    remote, stub = pair
    stub.sendall(packet(b"0* x}\x03}]"))
    assert remote.receive() == b"0000x#}"


def test_an_answer_in_pieces(pair: tuple[GdbRemote, socket.socket]) -> None:
    """Half a packet is none yet."""
    remote, stub = pair
    whole = packet(b"T05thread:01;")
    stub.sendall(b"+" + whole[:7])
    remote.fill()
    assert not remote.has_packet()
    stub.sendall(whole[7:])
    remote.fill()
    assert remote.has_packet()
    assert remote.receive() == b"T05thread:01;"


def test_an_error_answer(pair: tuple[GdbRemote, socket.socket]) -> None:
    """An exception that names the request."""
    remote, stub = pair
    stub.sendall(packet(b"E14"))
    with pytest.raises(StubError, match="m10,4"):
        remote.read(0x10, 4)


def test_memory_comes_in_pieces(pair: tuple[GdbRemote, socket.socket]) -> None:
    """A packet carries 2000 bytes at most."""
    remote, stub = pair
    stub.sendall(packet(b"11" * 2000) + packet(b"22" * 500))
    assert remote.read(0x1000, 2500) == b"\x11" * 2000 + b"\x22" * 500


def test_a_stub_that_is_silent(pair: tuple[GdbRemote, socket.socket]) -> None:
    """The grader's fault, after the time that was set."""
    remote, _ = pair
    with pytest.raises(Ungradable, match="does not answer"):
        remote.request("?")


def test_a_stub_that_is_gone(pair: tuple[GdbRemote, socket.socket]) -> None:
    """Told apart, since the guest may have ended its emulator."""
    remote, stub = pair
    stub.close()
    with pytest.raises(StubClosed):
        remote.request("?")


def test_stop_replies() -> None:
    """The signal, and the address of a watchpoint."""
    assert stop_reply(b"T05thread:01;").signal == 5
    assert stop_reply(b"T05thread:01;watch:c0104000;").watched == 0xC0104000
    assert stop_reply(b"T05thread:01;awatch:10;").watched == 0x10
    with pytest.raises(StubError):
        stop_reply(b"OK")
