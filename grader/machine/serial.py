"""The first serial port (COM1) as the grader sees it: bytes in, bytes out, never a lost one, never a full one.

The line is two pipes on QEMU's standard input and output. Measured: an unread socket pair blocks the guest after
278 single bytes, and a guest that waits for its transmitter executes a number of instructions that depends on
the host; a pipe of 1 MB packs bytes into pages, so a burst of output takes the same instructions on any host.
What is read is kept in a bounded buffer: the beginning and the end survive a flood, the middle is counted.
"""

from __future__ import annotations

import contextlib
import fcntl
import os

HEAD_BYTES = 64 << 10
"""Bytes kept from the beginning of the output."""

TAIL_BYTES = 256 << 10
"""Bytes kept from the end of the output."""

_PIPE_BYTES = 1 << 20
_SET_PIPE_SIZE = getattr(fcntl, "F_SETPIPE_SZ", None)


def roomy_pipe() -> tuple[int, int]:
    """A pipe (read end, write end) that holds 1 MB where the system allows it."""
    reading, writing = os.pipe()
    if _SET_PIPE_SIZE is not None:
        with contextlib.suppress(OSError):  # this user's pipes are used up: the ordinary 64 KB then
            fcntl.fcntl(writing, _SET_PIPE_SIZE, _PIPE_BYTES)
    return reading, writing


class Bounded:
    """A byte buffer of limited size: it keeps the first HEAD_BYTES and the last TAIL_BYTES.

    Positions count all bytes that ever came, so that a position stays valid when the middle is dropped.
    """

    def __init__(self, head_bytes: int = HEAD_BYTES, tail_bytes: int = TAIL_BYTES) -> None:
        self._head_bytes, self._tail_bytes = head_bytes, tail_bytes
        self._head = bytearray()
        self._tail = bytearray()
        self.total = 0
        """Bytes that came so far."""

    def append(self, data: bytes) -> None:
        """Add bytes at the end; drop from the middle when there are too many."""
        self.total += len(data)
        room = self._head_bytes - len(self._head)
        if room > 0:
            self._head += data[:room]
            data = data[room:]
        self._tail += data
        if len(self._tail) > 2 * self._tail_bytes:  # seldom, so that a flood costs linear time
            del self._tail[: -self._tail_bytes]

    @property
    def dropped(self) -> int:
        """Bytes that are missing between the head and the tail."""
        return self.total - len(self._head) - len(self._tail)

    def __bytes__(self) -> bytes:
        return bytes(self._head) + bytes(self._tail)

    def __len__(self) -> int:
        return len(self._head) + len(self._tail)

    def since(self, position: int) -> bytes:
        """What is kept of the bytes from `position` on."""
        head = bytes(self._head[position:]) if position < len(self._head) else b""
        skip = max(0, position - len(self._head) - self.dropped)
        return head + bytes(self._tail[skip:])


class SerialLine:
    """Our ends of the two pipes of COM1."""

    def __init__(self) -> None:
        self._from_guest, self.guest_output = roomy_pipe()
        self.guest_input, self._to_guest = os.pipe()
        os.set_blocking(self._from_guest, False)
        os.set_blocking(self._to_guest, False)
        self.buffer = Bounded()
        self.ended = False

    def fileno(self) -> int:
        """The descriptor that becomes readable when the guest has said something."""
        return self._from_guest

    def input_fileno(self) -> int:
        """The descriptor that becomes writable when the guest can be sent more."""
        return self._to_guest

    def started(self) -> None:
        """QEMU has its ends: close ours of them, so that its death is seen as the end of the line."""
        os.close(self.guest_output)
        os.close(self.guest_input)

    def drain(self, most: int = 4 << 20) -> int:
        """Take what lies in the pipe, at most `most` bytes at once. Returns how many bytes it was."""
        taken = 0
        while taken < most:
            try:
                data = os.read(self._from_guest, 1 << 16)
            except BlockingIOError:
                break
            if not data:
                self.ended = True
                break
            self.buffer.append(data)
            taken += len(data)
        return taken

    def send(self, data: bytes) -> int:
        """Give bytes to the guest's receiver; returns how many the pipe took (64 KB fit while nobody reads)."""
        try:
            return os.write(self._to_guest, data)
        except BlockingIOError:
            return 0
        except BrokenPipeError:
            return len(data)  # the machine has ended: nobody hears

    def close(self) -> None:
        """Close our ends."""
        for descriptor in (self._from_guest, self._to_guest):
            with contextlib.suppress(OSError):
                os.close(descriptor)
