"""GDB's remote protocol, the part that the grader speaks with QEMU's stub over an inherited socket.

Source: "Remote Serial Protocol" in the GDB manual, and QEMU's gdbstub. Addresses and sizes are in bytes.
A request takes about 0.1 ms. The stub answers only while the machine is stopped; while it runs, the next
packet from the stub is the reply that says why it stopped.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from enum import IntEnum

from grader.faults import Ungradable
from grader.machine.faults import EmulatorGone

_READ_MAX = 2000  # bytes of memory in one packet; the stub's limit is 2048
_ESCAPED = frozenset(b"$#}*")


class Point(IntEnum):
    """Kinds of breakpoints, as numbered in the protocol."""

    BREAKPOINT = 0
    WRITE = 2
    READ = 3
    ACCESS = 4


class Signal(IntEnum):
    """Why the machine stopped, as QEMU's stub says it (gdb_vm_state_change)."""

    INTERRUPT = 2
    """Stopped by a command of ours."""
    QUIT = 3
    """The guest reset or switched off the machine, which then was paused."""
    TRAP = 5
    """A breakpoint, watchpoint or step."""
    ALARM = 14
    """The watchdog."""
    MOMENT = 64
    """Not the stub's: a recording that is played came to a moment that was asked for (`Control.stop_at`)."""


class StubClosed(EmulatorGone):
    """The emulator has gone, and its stub with it."""


class StubError(Exception):
    """The stub refused a request: no memory there, no such register."""


@dataclass(frozen=True)
class StopReply:
    """A stop: the signal, and for a watchpoint which address was touched."""

    signal: int
    watched: int | None = None


class GdbRemote:
    """A connection to the stub. `reply_timeout` is in seconds of wall-clock time."""

    def __init__(self, connection: socket.socket, reply_timeout: float = 30.0) -> None:
        self.socket = connection
        self.socket.settimeout(reply_timeout)
        self._received = bytearray()

    def fileno(self) -> int:
        """The descriptor that becomes readable when a packet comes."""
        return self.socket.fileno()

    def request(self, text: str) -> bytes:
        """Send a packet and return the answer. Raises StubError on an error answer."""
        self.send(text)
        answer = self.receive()
        if len(answer) == 3 and answer.startswith(b"E"):
            raise StubError(f"{text}: {answer.decode('ascii', 'replace')}")
        return answer

    def send(self, text: str) -> None:
        """Send a packet."""
        body = bytearray()
        for byte in text.encode("ascii"):
            body += bytes((0x7D, byte ^ 0x20)) if byte in _ESCAPED else bytes((byte,))
        try:
            self.socket.sendall(b"$" + body + b"#%02x" % (sum(body) & 255))
        except OSError as error:
            raise StubClosed() from error

    def receive(self) -> bytes:
        """The next packet's content, acknowledged. Waits for it."""
        while True:
            packet = self._take()
            if packet is not None:
                return packet
            self.fill()

    def has_packet(self) -> bool:
        """Whether `receive` would return at once."""
        start = self._received.find(b"$")
        end = self._received.find(b"#", start)
        return start >= 0 and end >= 0 and len(self._received) >= end + 3

    def _take(self) -> bytes | None:
        if not self.has_packet():
            return None
        start = self._received.find(b"$")
        end = self._received.find(b"#", start)
        body = bytes(self._received[start + 1 : end])
        del self._received[: end + 3]
        try:
            self.socket.sendall(b"+")
        except OSError as error:
            raise StubClosed() from error
        return _decoded(body)

    def fill(self) -> None:
        """Take in what the stub sent: at least a byte of it, which may be less than a packet. Waits for it."""
        try:
            data = self.socket.recv(1 << 16)
        except TimeoutError as error:
            raise Ungradable("the emulator's debugging interface does not answer") from error
        except OSError as error:
            raise StubClosed() from error
        if not data:
            raise StubClosed()
        self._received += data

    def read(self, address: int, length: int) -> bytes:
        """Memory at `address`, physical or virtual as `physical_addresses` last said."""
        parts = []
        while length > 0:
            size = min(length, _READ_MAX)
            parts.append(bytes.fromhex(self.request(f"m{address:x},{size:x}").decode("ascii")))
            address += size
            length -= size
        return b"".join(parts)

    def write(self, address: int, data: bytes) -> None:
        """Write memory at `address`."""
        for offset in range(0, len(data), 1000):
            part = data[offset : offset + 1000]
            self.request(f"M{address + offset:x},{len(part):x}:{part.hex()}")

    def physical_addresses(self, physical: bool) -> None:
        """Let `read` and `write` take physical addresses, or virtual ones through the guest's tables."""
        self.request(f"Qqemu.PhyMemMode:{int(physical)}")

    def insert(self, point: Point, address: int, size: int = 1) -> None:
        """Set a breakpoint or watchpoint at a virtual address. The guest's memory stays as it is."""
        self.request(f"Z{point.value},{address:x},{size:x}")

    def remove(self, point: Point, address: int, size: int = 1) -> None:
        """Remove what `insert` set."""
        self.request(f"z{point.value},{address:x},{size:x}")


def stop_reply(packet: bytes) -> StopReply:
    """Decode a stop reply such as `T05thread:01;watch:c0104000;`."""
    text = packet.decode("ascii", "replace")
    if len(text) < 3 or text[0] not in "TS":
        raise StubError(f"not a stop reply: {text!r}")
    watched = None
    for field in text[3:].split(";"):
        name, _, value = field.partition(":")
        if name in ("watch", "rwatch", "awatch"):
            watched = int(value, 16)
    return StopReply(int(text[1:3], 16), watched)


def _decoded(body: bytes) -> bytes:
    """Undo the protocol's escapes (`}`) and run lengths (`*`)."""
    if b"}" not in body and b"*" not in body:
        return body
    plain = bytearray()
    index = 0
    while index < len(body):
        byte = body[index]
        if byte == 0x7D:
            plain.append(body[index + 1] ^ 0x20)
            index += 1
        elif byte == 0x2A:
            plain += plain[-1:] * (body[index + 1] - 29)
            index += 1
        else:
            plain.append(byte)
        index += 1
    return bytes(plain)
