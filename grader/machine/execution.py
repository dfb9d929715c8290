"""Lets the guest run, step by step or until something happens, within limits of guest time and instructions.

The guest executes only inside the calls here. While it does, all its lines are drained. A stop is either one that the
caller asked for (a breakpoint, a watchpoint, a pattern that arrived), or an exception: `MachineStopped` for what the
guest did, `Ungradable` for what the emulator or the host did.
"""

from __future__ import annotations

import contextlib
import select
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from grader import untrusted
from grader.faults import Ungradable
from grader.machine import explain
from grader.machine.control import GENERAL, LOOK_EVERY, Control, Ending, HasDescriptor
from grader.machine.diagnosis import Diagnosis, LoggedException
from grader.machine.faults import (
    EmulatorGone,
    GuestLeft,
    Hang,
    KernelPanic,
    MachineReset,
    MachineStopped,
    ProbeEnded,
    TripleFault,
)
from grader.machine.gdb_remote import Point, Signal, StopReply
from grader.machine.inspection import Inspection
from grader.machine.symbols import SymbolTable

PANIC_FUNCTION = "panic_halt"
"""Where a kernel ends when it panics: there the machine is stopped, without waiting for the limit."""

PROBE_END = "probe_finish"
"""Where a probe ends (grader/probes/probe.h)."""

SERIAL_BYTES_MAX = 1 << 20
"""Bytes on the serial line after which a guest is taken to print without end: each costs the host a microsecond."""

DIED = "the emulator ended by itself"

Awaited = str | Callable[[], str]
"""What a run awaits, as a message has it when it never comes: a noun ("the third message"), or what then gives the
whole clause ("the third message never came").
"""

_LOOK_FOR_KEY = 0.001  # seconds between looks whether the guest took a key's code
_SAMPLES = 120  # instructions followed to see where a guest spins


@dataclass(frozen=True)
class Stop:
    """Why the guest stopped: at a breakpoint's `address`, or because address `watched` was touched."""

    address: int
    watched: int | None = None


class Execution(Inspection):
    """A machine that can be let run. See the module."""

    def __init__(
        self,
        control: Control,
        *,
        symbols: SymbolTable,
        programs: Mapping[str, Path],
        memory_bytes: int,
        guest_seconds: float,
        wall_cap: float,
    ) -> None:
        super().__init__(control, symbols, programs, memory_bytes)
        self._guest_seconds = guest_seconds
        self._wall_cap = wall_cap
        self._points: dict[tuple[Point, int, int], int] = {}
        self._guards: dict[int, str | None] = {}
        self._observers: dict[int, list[Callable[[], None]]] = {}
        self._at_moment: Callable[[], None] | None = None
        self._unsent = b""
        self._scan_codes: list[int] = []
        self._interfered = False
        self._again: Callable[[], Execution] | None = None
        self._closed = False
        self._expired = False
        self._ended = False
        self.diagnosis: Diagnosis | None = None
        """Why it stopped, when it did so otherwise than awaited."""
        self._before_samples: tuple[int, list[str]] = (-1, [])
        """The instructions after which a hang was looked into, and the machine in words before that."""

    def connect(self) -> None:
        """Greet the emulator, arm the limit of guest time, set the breakpoint for panics."""
        try:
            self._control.greet(self._guest_seconds)
        except EmulatorGone as error:
            raise self._died() from error
        if PANIC_FUNCTION in self.symbols:
            self._guard(self.symbols.address(PANIC_FUNCTION), None)

    def guard_probe(self, probe: str) -> None:
        """Stop where this probe ends, even if something else is awaited: that will not come any more."""
        if PROBE_END in self.table(probe):
            self._guard(self.symbol(PROBE_END, probe), probe)

    def _guard(self, address: int, probe: str | None) -> None:
        self._point(Point.BREAKPOINT, address, 1)
        self._guards[address] = probe

    def unguard_probe(self) -> None:
        """The probe has come to its end, which was awaited; from now on it may spin there."""
        for address in [address for address, probe in self._guards.items() if probe is not None]:
            del self._guards[address]
            self._remove_point((Point.BREAKPOINT, address, 1))

    def release(self) -> None:
        """Give the machine out of our hands as a debugger expects to find one: no points of ours, no limit of time."""
        self._control.release()
        self._points.clear()
        self._guards.clear()

    def close(self) -> None:
        """End the machine. May be called twice."""
        if not self._closed:
            self._closed = True
            self._control.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def serial(self) -> bytes:
        """What the guest wrote on COM1 so far: all of it, or of a flood the beginning and the end."""
        if not self._closed:
            self._control.serial.drain()
        return bytes(self._control.serial.buffer)

    @property
    def serial_bytes(self) -> int:
        """How many bytes the guest wrote on COM1 so far, those of a flood that were not kept included."""
        if not self._closed:
            self._control.serial.drain()
        return self._control.serial.buffer.total

    def at_line_start(self) -> bool:
        """Whether the next byte that the guest sends on COM1 begins a line."""
        sent, buffer = self.serial_bytes, self._control.serial.buffer
        return sent == 0 or buffer.since(sent - 1) == b"\n"

    # Step by step

    def step(self, count: int = 1, *, interrupts: bool = False) -> int:
        """Execute `count` instructions, one after the other (0.2 ms each); returns how many were executed.

        Without `interrupts` none is delivered meanwhile. Fewer are executed when the processor halts.
        """
        self._interfered = True
        return self._step(count, interrupts)

    def step_over(self) -> None:
        """Execute the instruction that an observer was called for: for who only looks on."""
        self._step(1)

    def _step(self, count: int, interrupts: bool = False) -> int:
        self._registers = None
        for number in range(count):
            if not self._control.step(interrupts=interrupts, wall_cap=self._wall_cap):
                return number + 1
        return count

    def eip(self) -> int:
        """EIP alone, in a third of the time of `registers`."""
        return self._control.eip()

    def set_register(self, name: str, value: int) -> None:
        """Set eax, ebx, ecx, edx, esi, edi, ebp, esp, eip or eflags. Raises LookupError for another name."""
        if name not in GENERAL:
            raise LookupError(f"there is no register {name!r} to set, but {', '.join(GENERAL)}")
        self._interfered = True
        self._registers = None
        self._control.set_register(name, value & 0xFFFFFFFF)

    # Breakpoints and watchpoints: all at virtual addresses, whatever the address space

    def breakpoint(self, where: str | int, program: str | None = None) -> PointGuard:
        """Stop before `where` is executed. Stays until removed, or for a `with` block."""
        return self._point(Point.BREAKPOINT, self._address(where, program), 1)

    def watch(self, where: str | int, size: int = 4, program: str | None = None, *, reads: bool = False) -> PointGuard:
        """Stop after `size` bytes at `where` are written (with `reads`: read or written)."""
        return self._point(Point.ACCESS if reads else Point.WRITE, self._address(where, program), size)

    def observe(self, where: str | int, seen: Callable[[], None], program: str | None = None) -> PointGuard:
        """Have `seen` called before `where` is executed, whatever a run awaits. It may step over that instruction."""
        address = self._address(where, program)
        self._observers.setdefault(address, []).append(seen)
        return self._point(Point.BREAKPOINT, address, 1, seen)

    def at_moment(self, moment: int, seen: Callable[[], None]) -> None:
        """Have `seen` called when the machine has executed so many instructions, whatever a run awaits. Only while a
        recording is played; elsewhere raises NotOnThisMachine. A second call replaces the first.
        """
        self._control.stop_at(moment)
        self._at_moment = seen

    def _point(self, point: Point, address: int, size: int, seen: Callable[[], None] | None = None) -> PointGuard:
        key = (point, address, size)
        if self._points.get(key, 0) == 0:
            self._control.insert(point, address, size)
        self._points[key] = self._points.get(key, 0) + 1
        return PointGuard(self, key, seen)

    def _remove_point(self, key: tuple[Point, int, int], seen: Callable[[], None] | None = None) -> None:
        if seen is not None:
            self._observers[key[1]].remove(seen)
            if not self._observers[key[1]]:
                del self._observers[key[1]]
        self._points[key] -= 1
        if self._points[key] == 0:
            del self._points[key]
            if not self._closed:
                with contextlib.suppress(Ungradable):
                    self._control.remove(*key)

    def _points_at(self, stop: Stop) -> bool:
        """Whether a point of the caller's own explains a stop."""
        if stop.watched is not None:
            return True
        ours = (stop.address in self._guards) + len(self._observers.get(stop.address, ()))
        return self._points.get((Point.BREAKPOINT, stop.address, 1), 0) > ours

    def _address(self, where: str | int, program: str | None) -> int:
        return where if isinstance(where, int) else self.symbol(where, program)

    # Until something happens

    def run(self, awaited: Awaited = "a breakpoint") -> Stop:
        """Run until a breakpoint or watchpoint: `awaited`, in a message (or what makes a clause of its own). Raises
        MachineStopped when the guest stops otherwise.
        """
        stop = self._go(awaited)
        assert stop is not None
        return stop

    def _go(self, awaited: Awaited, arrived: Callable[[], bool] | None = None) -> Stop | None:
        """Run until a breakpoint or watchpoint of the caller's (then: where), or until `arrived` (then: None).

        Raises MachineStopped when the guest stops otherwise, Ungradable when the emulator or the host is at fault.
        """
        while True:
            if self._ended:
                raise self._reset()
            if self._expired:
                raise self._hang(awaited)
            try:
                self._registers = None
                self._control.leave_breakpoint()
                reply = self._run(arrived)
            except EmulatorGone as error:
                left = self._left()
                if arrived is not None and arrived():
                    return None  # whether the guest left before it could be stopped depends on the host
                raise left from error
            if reply.signal == Signal.MOMENT:
                seen, self._at_moment = self._at_moment, None
                if seen is not None:
                    seen()
                continue
            self._expired = self._expired or reply.signal == Signal.ALARM
            self._ended = reply.signal == Signal.QUIT
            if self._flooded() or self._control.overran():
                raise self._hang(awaited)  # wherever it came meanwhile: the same verdict on a slower host
            stop = Stop(self.eip(), reply.watched) if reply.signal == Signal.TRAP else None
            if stop is not None and self._points_at(stop):
                return stop
            if stop is not None and stop.address in self._observers:
                for seen in tuple(self._observers[stop.address]):
                    seen()
                after = Stop(self.eip())
                if after != stop and self._points_at(after):
                    return after
                continue
            if arrived is not None and arrived():
                return None
            if stop is None and self._takes_next_code(reply):
                continue
            outcome = self._judged(reply, stop, awaited)
            if outcome is not None:
                raise outcome

    def _judged(self, reply: StopReply, stop: Stop | None, awaited: Awaited) -> MachineStopped | None:
        """What a stop means that nobody asked for; None when it means nothing and the guest may go on."""
        if stop is None:
            return self._reset() if reply.signal == Signal.QUIT else self._hang(awaited)
        if stop.address not in self._guards:
            return None
        probe = self._guards[stop.address]
        if probe is None:
            self.diagnosis = explain.panic(self, self.serial)
            return KernelPanic(self.diagnosis)
        if not self.runs_program(probe, stop.address):
            return None  # another program, at the same address
        self.diagnosis = explain.probe_ended(self.serial, probe, awaited if isinstance(awaited, str) else "its end")
        return ProbeEnded(self.diagnosis)

    def _run(self, arrived: Callable[[], bool] | None) -> StopReply:
        """Let the guest run until it stops or must be stopped; drain all its lines meanwhile."""
        self._registers = None
        serial, control, line = self._control.serial, self._control, self._control.line()
        readers: list[HasDescriptor] = [line, serial, control]
        started = time.monotonic()
        look = started + LOOK_EVERY
        typing = self._type()
        control.resume()
        stopping = False
        while True:
            writers = [serial.input_fileno()] if self._unsent else []
            ready, writable, _ = select.select(readers, writers, [], _LOOK_FOR_KEY if typing else LOOK_EVERY)
            if writable:
                self._feed()
            if serial in ready:
                serial.drain()
                if serial.ended:
                    readers.remove(serial)
            if control in ready and not control.drain_messages():
                readers.remove(control)
            if line in ready:
                control.fill()
            reply = control.stopped()
            if reply is not None:
                control.drain_messages()
                serial.drain()
                return reply
            now = time.monotonic()
            if now - started > self._wall_cap:
                raise Ungradable(
                    f"the machine ran for {self._wall_cap:.0f} s of the host's time and did not come to its own limit"
                )
            if stopping:
                continue
            if (arrived is not None and serial in ready and arrived()) or (typing and not self._code_waits()):
                stopping = True
                control.stop()
            elif now >= look and not control.trace:
                look = now + LOOK_EVERY
                stopping = self._look_at_limits()

    def _type(self) -> bool:
        """Hand over the next code of a key, unless one waits. True when more follow, as soon as the guest took it.

        The guest's time begins anew with each: how long an idle guest ran after the last one depends on the host.
        """
        if self._scan_codes and not self._code_waits():
            self._control.put_scan_code(self._scan_codes.pop(0))
            self._new_limit()
        return bool(self._scan_codes)

    def _code_waits(self) -> bool:
        """Whether a key's code is there that the guest has not read."""
        return self._control.scan_code_waits()

    def _takes_next_code(self, reply: StopReply) -> bool:
        """Whether the guest stopped only to be given a key's next code; then its limit does not count."""
        stopped_by_us = reply.signal in (Signal.INTERRUPT, Signal.ALARM)
        ready = stopped_by_us and bool(self._scan_codes) and not self._code_waits()
        self._expired = self._expired and not ready
        return ready

    def _look_at_limits(self) -> bool:
        """True when the guest is beyond a limit, and was stopped."""
        beyond = self._control.looks_expired() or self._flooded()
        if beyond:
            self._control.stop()
            self._expired = True
        return beyond

    def _flooded(self) -> bool:
        return self._control.serial.buffer.total > SERIAL_BYTES_MAX

    def renew_limit(self) -> None:
        """Grant the whole guest time again: for tests that stop it hundreds of times, each of which can cost 10 ms."""
        self._new_limit()

    def _new_limit(self) -> None:
        """Grant the whole guest time again: input makes a guest that was idle begin something new."""
        self._expired = False
        self._control.arm(self._guest_seconds)

    def _feed(self) -> None:
        if self._unsent:
            taken = self._control.feed(self._unsent)
            self._unsent = self._unsent[taken:]

    # What becomes of its stops

    def _hang(self, awaited: Awaited) -> Hang:
        missed = f"{awaited} never came" if isinstance(awaited, str) else awaited()
        limit = self._control.limit_in_words()
        if self._flooded():
            limit = f"{SERIAL_BYTES_MAX >> 20} MB of serial output"
        state = self.state_in_words()
        self.diagnosis = explain.hang(self, self.serial, lambda: self.functions_of(self._visited()), missed, limit)
        self._before_samples = (self.instructions(), state)
        return Hang(self.diagnosis)

    def state_in_words(self) -> list[str]:
        """The machine as it stands, a line each; where it was let go on only to see where it spins, as it was before.

        Empty when it can no longer be asked.
        """
        with contextlib.suppress(Ungradable, ValueError):
            moment, state = self._before_samples
            return state if moment == self.instructions() else explain.state_in_words(self)
        return []

    def _visited(self) -> list[int]:
        """The addresses of the next instructions, without interrupts."""
        addresses = [self.registers().pc]
        for _ in range(_SAMPLES):
            self._step(1)
            addresses.append(self.eip())
            if addresses[-1] == addresses[-2]:
                break  # halted, or a jump to itself
        return addresses

    def _reset(self) -> MachineReset | TripleFault:
        ending = self._control.ending()
        if ending is Ending.SWITCHED_OFF:
            self.diagnosis = explain.switched_off(self, self.serial)
            return MachineReset(self.diagnosis)
        logged = None if ending is Ending.RESET else self._logged()
        if ending is Ending.RESET_OR_TRIPLE_FAULT:
            triple = logged[1] if logged is not None else not explain.stands_behind_output(self)
            ending = Ending.TRIPLE_FAULT if triple else Ending.RESET
        if ending is Ending.TRIPLE_FAULT:
            self.diagnosis = explain.triple_fault(self, self.serial, logged[0] if logged is not None else [])
            return TripleFault(self.diagnosis)
        self._go_before_reset()
        self.diagnosis = explain.reset(self, self.serial)
        return MachineReset(self.diagnosis)

    def _go_before_reset(self) -> None:
        """Where the emulator has forgotten what was before a reset: become another run, stopped just before it."""
        moment = self._control.moment_before_reset()
        if moment is None or self._interfered or self._again is None:
            return
        with contextlib.suppress(Ungradable):
            other = self._again()._control
            other.go_to_moment(moment)
            self._control.close()
            self._control, self._registers = other, None
            for key in self._points:
                other.insert(*key)

    def _logged(self) -> tuple[list[LoggedException], bool] | None:
        """The exceptions of this very run, from its log or from another run of the same image that is logged.

        None when the run cannot be repeated because somebody interfered with it.
        """
        if self._control.trace:
            return self._control.exceptions()
        if self._interfered or self._again is None:
            return None
        try:
            with self._again() as other:
                try:
                    other._run(None)
                except EmulatorGone:
                    return None
                same = other.registers().eip == self.registers().eip
                return other._control.exceptions() if same else None
        except Ungradable:
            return None

    def _left(self) -> Exception:
        """The emulator ended while the guest ran: by isa-debug-exit, or by a fault of its own."""
        status = self._control.wait(5.0)
        self._control.serial.drain()
        if status is not None and self._control.left_by_guest(status):
            self.diagnosis = explain.left(self.serial, status)
            return GuestLeft(self.diagnosis, status)
        return self._died()

    def _died(self) -> Ungradable:
        status = self._control.wait(5.0)
        self._control.drain_messages()
        said = untrusted.excerpt(self._control.messages(), 4) or "it said nothing"
        return Ungradable(f"{DIED} (status {status}): {said}")


class PointGuard:
    """A breakpoint or watchpoint; leaving its `with` block, or `remove`, takes it away."""

    def __init__(self, machine: Execution, key: tuple[Point, int, int], seen: Callable[[], None] | None = None) -> None:
        self._machine = machine
        self._key: tuple[Point, int, int] | None = key
        self._seen = seen

    def remove(self) -> None:
        """Take it away. May be called twice."""
        if self._key is not None:
            key, self._key = self._key, None
            self._machine._remove_point(key, self._seen)

    def __enter__(self) -> PointGuard:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()
