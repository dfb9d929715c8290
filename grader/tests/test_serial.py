"""The serial line's buffer and its pipes."""

from __future__ import annotations

import os

import pytest

from grader.machine.serial import Bounded, SerialLine


def test_what_fits_is_kept_whole() -> None:
    """Nothing is lost below the limit."""
    buffer = Bounded(10, 10)
    buffer.append(b"hello ")
    buffer.append(b"world")
    assert bytes(buffer) == b"hello world"
    assert buffer.dropped == 0
    assert buffer.since(6) == b"world"


def test_of_a_flood_the_beginning_and_the_end_are_kept() -> None:
    """The middle is counted, positions stay valid, and memory is bounded."""
    buffer = Bounded(10, 100)
    for number in range(100_000):
        buffer.append(b"%09d\n" % number)
    assert buffer.total == 1_000_000
    assert len(buffer) <= 10 + 200
    assert bytes(buffer).startswith(b"000000000\n")
    assert bytes(buffer).endswith(b"000099999\n")
    assert buffer.total == len(buffer) + buffer.dropped
    assert buffer.since(buffer.total - 10) == b"000099999\n"
    assert buffer.since(500) == bytes(buffer)[10:]


@pytest.fixture
def line() -> SerialLine:
    """A line whose other ends we hold too."""
    return SerialLine()


def test_bytes_go_both_ways(line: SerialLine) -> None:
    """What one side writes the other reads."""
    os.write(line.guest_output, b"\x00\xff\x1b")
    assert line.drain() == 3
    assert bytes(line.buffer) == b"\x00\xff\x1b"
    assert line.send(b"abc") == 3
    assert os.read(line.guest_input, 10) == b"abc"
    line.started()
    line.close()


def test_a_burst_of_single_bytes_never_waits(line: SerialLine) -> None:
    """A socket pair would have stopped the guest after 278 of them."""
    os.set_blocking(line.guest_output, False)
    for _ in range(60_000):
        os.write(line.guest_output, b"x")
    assert line.drain() == 60_000
    line.started()
    line.close()


def test_the_end_is_seen(line: SerialLine) -> None:
    """When the guest's side is closed."""
    os.write(line.guest_output, b"last")
    line.started()
    line.drain()
    assert line.ended
    assert bytes(line.buffer) == b"last"
    assert line.send(b"nobody hears") == len(b"nobody hears")
    line.close()


def test_sending_stops_when_nobody_reads(line: SerialLine) -> None:
    """The rest waits with the caller."""
    assert 0 < line.send(b"x" * 1_000_000) < 1_000_000
    assert line.send(b"y") == 0
    line.started()
    line.close()
