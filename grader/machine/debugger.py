"""Hands a stopped machine over to GDB: its debugging line, which only we hold, appears on a socket in a private folder.

    with Handover(machine) as door:
        subprocess.run(["gdb", ..., "-ex", f"target remote {door.path}"])

While GDB has the machine, nothing limits its guest time, and what the guest prints is drained and given to `output`.
"""

from __future__ import annotations

import contextlib
import select
import shutil
import socket
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from grader.machine.machine import Machine

_CHUNK = 1 << 16


class Handover:
    """A door through which one GDB at a time can come in. `path` is the socket's."""

    def __init__(self, machine: Machine, output: Callable[[bytes], None] | None = None) -> None:
        self._machine = machine
        self._output = output
        self._folder = Path(tempfile.mkdtemp(prefix="kernelist-"))
        self.path = self._folder / "gdb"
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(self.path))
        self._listener.listen(1)
        self._ours, self._signal = socket.socketpair()
        self.left = threading.Event()
        """Set when a GDB came in and has left again, or the emulator has ended."""
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Handover:
        self._machine.release()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._signal.close()
        self._thread.join(5.0)
        self._listener.close()
        self._ours.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _serve(self) -> None:
        """Carry bytes between GDB and the emulator, and drain the guest's output, until the door is closed."""
        emulator = self._machine.emulator
        client: socket.socket | None = None
        with contextlib.suppress(OSError):
            while True:
                door: socket.socket = client or self._listener
                # Nobody reads the emulator's packets while no GDB is there: they wait.
                waiting = [self._ours, door, emulator.serial, *([emulator.gdb] if client else []), emulator]
                ready = select.select(waiting, [], [])[0]
                if self._ours in ready:
                    break
                if emulator.serial in ready and not self._drain_serial():
                    break
                if emulator in ready and not emulator.drain_messages():
                    break
                if client is None and self._listener in ready:
                    client = self._listener.accept()[0]
                elif client is not None and client in ready:
                    client = self._carry(client, emulator.gdb, client)
                if client is not None and emulator.gdb in ready:
                    client = self._carry(emulator.gdb, client, client)
        if client is not None:
            client.close()
        self.left.set()

    def _carry(self, source: socket.socket, target: socket.socket, client: socket.socket) -> socket.socket | None:
        """Carry what `source` has; None when GDB has left."""
        data = source.recv(_CHUNK)
        if data:
            target.sendall(data)
            return client
        client.close()
        self.left.set()
        if source is not client:
            raise OSError("the emulator has ended")
        return None

    def _drain_serial(self) -> bool:
        line = self._machine.emulator.serial
        before = line.buffer.total
        line.drain()
        if self._output is not None and line.buffer.total > before:
            self._output(line.buffer.since(before))
        return not line.ended
