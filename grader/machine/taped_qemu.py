"""QEMU as a machine whose run is recorded, or plays a recording: see `tape`.

Its debugger's stub steps otherwise in both modes: it cannot hold interrupts back. So they are held back where they come
from, at the interrupt controllers' masks. While a recording plays, that is not even needed: interrupts come when the
log says so.
"""

from __future__ import annotations

import contextlib
import select
from collections.abc import Iterator

from grader.faults import Ungradable
from grader.machine.emulator import Emulator
from grader.machine.gdb_remote import Signal, StopReply, StubError
from grader.machine.qemu import Qemu
from grader.machine.qmp import QmpError
from grader.machine.tape import Tape

RUN_OUT_SECONDS = 0.02
"""How long a recording goes on after its end, in seconds of the host: a million instructions or so."""

_MASK_PORTS = (0x21, 0xA1)  # of the two 8259
_SNAPSHOT_DISTANCES = tuple(10**power for power in range(3, 10))
"""Instructions between snapshots and the recording's end: a step back plays again from the last one before it."""


class TapedQemu(Qemu):
    """See `control.Control` for what its functions do."""

    _steps_of_gdb = "0x1"

    def __init__(self, emulator: Emulator, tape: Tape) -> None:
        super().__init__(emulator)
        self._tape = tape
        self._interventions = 0
        self._stops = list(tape.stops)
        self._snapshots = 0
        self._moment: int | None = None
        """What `stop_at` asked for."""
        self._due: list[int] = []
        """Where snapshots are still to be taken on the way, the next one first."""
        self._break: int | None = None

    def greet(self, seconds: float) -> None:
        """What is done before the first instruction is done on every way: it counts for nothing."""
        super().greet(seconds)
        self._interventions = 0

    def close(self) -> None:
        """A recorder must end by itself: otherwise the log has no end."""
        if not self._tape.playing and self._tape.end == 0:
            self._tape.interventions = self._interventions
            with contextlib.suppress(Ungradable, QmpError, StubError):
                self._tape.end = self.instructions()
                if self._qmp.event("SHUTDOWN") is None:  # unless the guest's own end is there already
                    self._run_out()
                self._qmp.command("quit")
                self.emulator.wait(10.0)
        super().close()

    def _run_out(self) -> None:
        """Record some more than was asked for: a player that comes to the log's end switches off, and must not do so at
        the very instruction that somebody wants to look at. Nor may an interrupt come just there, which a player, other
        than a recorder that was stopped, would deliver first.
        """
        for point, address, size in list(self._points):
            self.remove(point, address, size)
        if not self.registers().halted:
            self.step(interrupts=False, wall_cap=1.0)
        self._gdb.send("c")
        select.select([self._gdb], [], [], RUN_OUT_SECONDS)
        self._qmp.command("stop")

    # Running

    def step(self, *, interrupts: bool, wall_cap: float) -> bool:
        """As QEMU without a tape does it."""
        self._before_it_runs()
        if interrupts or self._tape.playing:
            return super().step(interrupts=True, wall_cap=wall_cap)
        with self._interrupts_held_back():
            return super().step(interrupts=True, wall_cap=wall_cap)

    @contextlib.contextmanager
    def _interrupts_held_back(self) -> Iterator[None]:
        """Both controllers remember meanwhile what was raised."""
        masks = [int(self._qmp.human(f"i /b {port:#x}").rpartition("=")[2], 16) for port in _MASK_PORTS]
        for port in _MASK_PORTS:
            self._qmp.human(f"o /b {port:#x} 0xff")
        try:
            yield
        finally:
            for port, mask in zip(_MASK_PORTS, masks, strict=True):
                self._qmp.human(f"o /b {port:#x} {mask:#x}")

    def resume(self) -> None:
        """Let the guest run, a player no further than to the next moment that its tape knows of."""
        self._before_it_runs()
        super().resume()

    def stop(self) -> None:
        """The host's clock decides when a recorder stops, and the tape when a player does."""
        if not self._tape.playing:
            super().stop()

    def stop_at(self, moment: int) -> None:
        """Of a player: a moment more that it must stop at."""
        if not self._tape.playing:
            super().stop_at(moment)
        self._moment = moment

    def stopped(self) -> StopReply | None:
        """Why the guest stopped; stops for snapshots are not told."""
        reply = super().stopped()
        if reply is None or reply.signal != Signal.INTERRUPT:
            return reply
        now = self.instructions()
        if not self._tape.playing:
            self._tape.stops.append(now)
            return reply
        self._break = None
        if self._moment is not None and now >= self._moment:
            self._moment = None
            return StopReply(Signal.MOMENT)
        if self._stops and now >= self._stops[0]:
            self._stops.pop(0)
            return reply
        self.resume()
        return None

    def _before_it_runs(self) -> None:
        """Of a player: take the snapshots that are due, and set where it must stop next."""
        if not self._tape.playing:
            return
        now = self.instructions()
        if self._tape.goes_back and not self._snapshots and self._interventions == self._tape.interventions:
            self._take_snapshot()
            ahead = [self._tape.end - distance for distance in _SNAPSHOT_DISTANCES]
            self._due = sorted(moment for moment in ahead if moment > now)
        if self._due and now >= self._due[0]:
            self._due = [moment for moment in self._due if moment > now]
            self._take_snapshot()
        moment = [self._moment] if self._moment is not None else []
        wanted = min([*self._stops[:1], *self._due[:1], *moment], default=None)
        if wanted is not None and wanted != self._break:
            if self._break is not None:
                self._qmp.command("replay-delete-break")
            self._qmp.command("replay-break", icount=max(wanted, now))
            self._break = wanted

    def _take_snapshot(self) -> None:
        """Not while the disk is at work: then the next moment must do."""
        complaint = self._qmp.human(f"savevm moment{self._snapshots}").strip()
        self._snapshots += not complaint

    def release(self) -> None:
        """Make the machine as GDB expects to find one. The last snapshot tells where a recording ends."""
        if self._break is not None:
            self._qmp.command("replay-delete-break")
        if self._tape.playing:
            self._take_snapshot()
        super().release()

    # Limits

    def looks_expired(self) -> bool:
        """Of a player, the tape knows that too."""
        return not self._tape.playing and super().looks_expired()

    def arm(self, seconds: float) -> None:
        """From now on so much guest time may pass."""
        self._interventions += 1
        super().arm(seconds)

    # Interference: what is not in the log

    def set_register(self, name: str, value: int) -> None:
        """Set one of `GENERAL`."""
        self._interventions += 1
        super().set_register(name, value)

    def write(self, address: int, data: bytes) -> None:
        """Write memory. Raises StubError where there is none."""
        self._interventions += 1
        super().write(address, data)

    def raise_irq(self, number: int) -> None:
        """A pulse on interrupt request line 0 to 15."""
        self._interventions += 1
        super().raise_irq(number)

    def raise_nmi(self) -> None:
        """A non-maskable interrupt."""
        self._interventions += 1
        super().raise_nmi()

    def set_timer(self, counts: int) -> None:
        """From now on the timer interrupts after each so many counts of its clock."""
        self._interventions += 1
        super().set_timer(counts)

    def put_scan_code(self, code: int) -> None:
        """Put a code into the keyboard controller's output."""
        self._interventions += 1
        super().put_scan_code(code)

    def feed(self, data: bytes) -> int:
        """Bytes for COM1's receiver: a player has them in its log."""
        return len(data) if self._tape.playing else super().feed(data)

    def silence_disk(self) -> None:
        """Not on a tape: the log knows of the disk's answers, not of a disk that gives none."""
        raise Ungradable("a run in which the disk falls silent cannot be recorded")
