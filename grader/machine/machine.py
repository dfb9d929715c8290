"""A machine: an emulator with a booted image, its serial line and its inspector, for tests to drive.

    with Machine.start(image, symbols=kernel, programs=programs) as machine:
        machine.run_to("interrupt_handler")
        assert machine.registers().cpl == 0
        report = machine.finish()

The guest runs only inside the calls that say so (`run`, `run_to`, `wait_for_serial`, `step`, `finish`) and is stopped,
to be looked at, whenever they return. Its limits are in guest time and instructions, so that a verdict never depends on
how busy the host is; only a cap on wall-clock time makes a test ungradable. A guest that stops otherwise than awaited
raises `MachineStopped`, with a diagnosis.
"""

from __future__ import annotations

import contextlib
import math
import re
import select
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from grader import untrusted
from grader.faults import Ungradable
from grader.machine import explain
from grader.machine.diagnosis import Diagnosis, LoggedException, parse_log
from grader.machine.disk import DISK_NAME, Disk
from grader.machine.emulator import INSTRUCTIONS_PER_SECOND, Emulator, Setup
from grader.machine.faults import GuestLeft, Hang, KernelPanic, MachineReset, NotAsRequired, TripleFault
from grader.machine.firmware import option_rom
from grader.machine.gdb_remote import GdbRemote, Point, Signal, StopReply, StubClosed, stop_reply
from grader.machine.inspection import Inspection
from grader.machine.interrupts import Interrupter
from grader.machine.qmp import Qmp, QmpClosed
from grader.machine.report import ENTRY, LOG_MAX, Report, agreed, reports_in_memory, reports_on_console
from grader.machine.symbols import SymbolTable
from grader.sandbox import Sandbox

PANIC_FUNCTION = "panic_halt"
"""Where a kernel ends when it panics: there the machine is stopped, without waiting for the limit."""

WALL_CAP = 60.0
"""Seconds of wall-clock time that one call may run the guest before the test is ungradable."""

_LOOK_EVERY = 0.1  # seconds between looks at the limits while the guest runs
_LOOKS_WITHOUT_PROGRESS = 10
_WATCHDOG_PORT = 0x443
_HOLD_MS = 20  # guest time for which a key is held down
_SAMPLES = 120  # instructions followed to see where a guest spins
_FALSE_ALARMS_MAX = 1000  # other programs that come to the address of probe_finish
_MARGIN = 1.05  # the second limit lies above the watchdog's, which stops at an exact instruction


@dataclass(frozen=True)
class Stop:
    """Why the guest stopped: at a breakpoint's `address`, or because address `watched` was touched."""

    address: int
    watched: int | None = None


class Machine(Inspection):
    """One machine. A context manager; leaving it ends the emulator. See the module for how it runs."""

    def __init__(
        self,
        emulator: Emulator,
        *,
        symbols: SymbolTable,
        programs: Mapping[str, Path],
        guest_seconds: float,
        wall_cap: float,
    ) -> None:
        """Use `Machine.start`."""
        super().__init__(GdbRemote(emulator.gdb), Qmp(emulator.monitor), symbols, programs)
        self._emulator = emulator
        self._interrupter = Interrupter(emulator.qtest, self._qmp)
        self._guest_seconds = guest_seconds
        self._wall_cap = wall_cap
        self._points: dict[tuple[Point, int, int], int] = {}
        self._serial_seen = 0
        self._unsent = b""
        self._step_mode = ""
        self._interfered = False
        self._again: Callable[[], Machine] | None = None
        self._keys: list[str] = []
        self._closed = False
        self._expired = False
        self._instructions_before = 0
        self._clock_before = 0.0
        self._trace_file: Path | None = None
        self.nonce = 0
        """The value drawn for this machine, if it was given one."""
        self.probe: str | None = None
        """The program whose end `finish` awaits; any probe of the programs when None."""
        self.diagnosis: Diagnosis | None = None
        """Why it stopped, when it did so otherwise than awaited."""

    @staticmethod
    def start(
        image: bytes,
        *,
        symbols: SymbolTable | None = None,
        programs: Mapping[str, Path] | None = None,
        probe: str | None = None,
        memory_mb: int = 32,
        sandbox: Sandbox | None = None,
        guest_seconds: float = 2.0,
        wall_cap: float = WALL_CAP,
        screen: bool = False,
        exit_device: bool = False,
        disk: Disk = Disk.SOUND,
        trace: Path | None = None,
    ) -> Machine:
        """Start a machine with a disk image, stopped before its first instruction.

        `guest_seconds` (2 to 30, rounded up to an even number) of guest time may pass in all; `wall_cap` is in seconds
        of the host. `trace` is a file that gets the end of the emulator's log of interrupts when the machine ends.
        Raises Ungradable when there is no emulator or it does not start.
        """
        setup = Setup(memory_mb, screen, exit_device, trace is not None, disk)
        known = symbols if symbols is not None else SymbolTable.empty()
        machine = _started(image, setup, sandbox, known, programs or {}, guest_seconds, wall_cap)
        machine.probe = probe
        machine._trace_file = trace
        traced = replace(setup, trace=True)
        machine._again = lambda: _started(image, traced, sandbox, known, {}, guest_seconds, wall_cap)
        return machine

    def __enter__(self) -> Machine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the machine. May be called twice."""
        if self._closed:
            return
        self._closed = True
        if self._trace_file is not None:
            with contextlib.suppress(OSError):
                self._emulator.drain_messages()
                self._trace_file.write_bytes(bytes(self._emulator.messages))
        self._emulator.close()

    # The serial line

    @property
    def serial(self) -> bytes:
        """What the guest wrote on COM1 so far: all of it, or of a flood the beginning and the end."""
        if not self._closed:
            self._emulator.serial.drain()
        return bytes(self._emulator.serial.buffer)

    @property
    def serial_bytes(self) -> int:
        """How many bytes the guest wrote on COM1 so far, those of a flood that were not kept included."""
        return self._emulator.serial.buffer.total

    def serial_text(self) -> str:
        """The serial output as text that can be shown anywhere."""
        return untrusted.plain(self.serial)

    def send(self, data: bytes) -> None:
        """Bytes for the guest's COM1; it gets them as it runs. From then on runs are no longer exact repetitions."""
        self._interfered = True
        self._unsent += data
        self._feed()
        self._new_limit()

    def send_keys(self, *keys: str) -> None:
        """Press keys of the PC's keyboard one after the other, by QEMU's names: `a`, `ret`, `shift-1`.

        They are pressed when the guest runs next, for a stopped machine has no keyboard.
        """
        self._interfered = True
        self._keys += keys
        self._new_limit()

    def wait_for_serial(self, pattern: bytes | re.Pattern[bytes], *, start: int | None = None) -> re.Match[bytes]:
        """Run until the pattern comes on COM1, after what the last call found, or after the first `start` bytes.

        The pattern is a literal or a compiled expression.

        The guest then stops somewhere after it printed that: not at an exact instruction.
        """
        expression = pattern if isinstance(pattern, re.Pattern) else re.compile(re.escape(pattern), re.S)
        found: list[re.Match[bytes]] = []

        def arrived() -> bool:
            match = None if found else self._search(expression)
            if match is not None:
                found.append(match)
            return bool(found)

        self._emulator.serial.drain()
        self._serial_seen = self._serial_seen if start is None else start
        shown = untrusted.plain(pattern.pattern if isinstance(pattern, re.Pattern) else pattern)
        while not arrived():
            stop = self._go(f"{shown!r} on the serial line", arrived)
            if stop is None:
                break
            if not found:
                self._unexpected(stop)
        return found[0]

    def _search(self, expression: re.Pattern[bytes]) -> re.Match[bytes] | None:
        buffer = self._emulator.serial.buffer
        data = buffer.since(self._serial_seen)
        match = expression.search(data)
        if match is not None:
            # Counted from the end, since the middle of a flood is not kept.
            self._serial_seen = buffer.total - (len(data) - match.end())
        return match

    # Running

    def run(self) -> Stop:
        """Run until a breakpoint or watchpoint. Raises MachineStopped when the guest stops otherwise."""
        stop = self._go("a breakpoint")
        assert stop is not None
        if not self._points_at(stop):
            self._unexpected(stop)
        return stop

    def run_to(self, where: str | int, program: str | None = None, *, times: int = 1) -> None:
        """Run until the processor is about to execute `where`: a symbol or address, of the kernel or of a program.

        With a program, other programs at the same address do not count. `times`: stop when it comes for the n-th time.
        """
        address = self._address(where, program)
        name = where if isinstance(where, str) else f"{where:#010x}"
        with self.breakpoint(address):
            left = times
            while left:
                stop = self._go(f"{name}{f' of {program}' if program else ''}")
                assert stop is not None
                if stop.address != address or stop.watched is not None:
                    if self._points_at(stop):
                        continue
                    self._unexpected(stop)
                elif program is None or self.runs_program(program, address):
                    left -= 1

    def finish(self) -> Report:
        """Run until the probe calls probe_finish; returns what it reported.

        The stop counts only if ring 3 executes the probe's own code bytes, and a report only if the log in the probe's
        memory and the serial line agree on it. Raises MachineStopped when the probe does not come that far, and
        NotAsRequired when the witnesses disagree.
        """
        wanted = self._finishes()
        awaited = f"the end of the probe {' or '.join(wanted.values())}"
        with contextlib.ExitStack() as stack:
            for address in wanted:
                stack.enter_context(self.breakpoint(address))
            for _ in range(_FALSE_ALARMS_MAX):
                stop = self._go(awaited)
                assert stop is not None
                if stop.address not in wanted or stop.watched is not None:
                    if not self._points_at(stop):
                        self._unexpected(stop)
                    continue
                probe = wanted[stop.address]
                if self.runs_program(probe, stop.address):
                    return self._report(probe)
        raise NotAsRequired(f"other code than the probe's came {_FALSE_ALARMS_MAX} times to the address of its end")

    def _finishes(self) -> dict[int, str]:
        """Addresses of probe_finish, with whose they are."""
        names = [self.probe] if self.probe is not None else list(self.programs)
        found = {self.table(name).address("probe_finish"): name for name in names if "probe_finish" in self.table(name)}
        if not found:
            raise LookupError(f"no program with a probe_finish among {', '.join(names) or 'none'}")
        return found

    def _report(self, probe: str) -> Report:
        registers = self.registers()
        if registers.cpl != 3:
            raise NotAsRequired(f"the probe {probe} runs in ring {registers.cpl}, not in ring 3")
        count = self.read_u32(self.symbol("probe_log_count", probe))
        size = min(count, LOG_MAX) * ENTRY.size
        log = reports_in_memory(count, self.read_virtual(self.symbol("probe_log", probe), size))
        return agreed(log, reports_on_console(self.serial))

    def step(self, count: int = 1, *, interrupts: bool = False) -> int:
        """Execute `count` instructions, one after the other (0.2 ms each); returns how many were executed.

        Without `interrupts` none is delivered meanwhile. Fewer are executed when the processor halts.
        """
        self._interfered = True
        self._changed()
        mode = "0x1" if interrupts else "0x7"
        if self._step_mode != mode:
            self._gdb.request(f"Qqemu.sstep={mode}")
            self._step_mode = mode
        for number in range(count):
            self._gdb.send("s")
            if not self._stepped():
                return number + 1
        return count

    def _stepped(self) -> bool:
        """Wait for a step's end. False when the processor halted instead; then it is stopped."""
        deadline = time.monotonic() + self._wall_cap
        while not self._gdb.has_packet() and not select.select([self._gdb], [], [], 0.5)[0]:
            self._emulator.drain_messages()
            self._emulator.serial.drain()
            halted = "HLT=1" in self._qmp.human("info registers")
            if halted or time.monotonic() > deadline:
                self._qmp.command("stop")
                stop_reply(self._gdb.receive())
                if not halted:
                    raise Ungradable(f"the emulator took more than {self._wall_cap:.0f} s for one instruction")
                return False
        stop_reply(self._gdb.receive())
        return True

    def eip(self) -> int:
        """EIP alone, in a third of the time of `registers`."""
        return int.from_bytes(bytes.fromhex(self._gdb.request("p8").decode("ascii"))[:4], "little")

    # Breakpoints and watchpoints: all at virtual addresses, whatever the address space

    def breakpoint(self, where: str | int, program: str | None = None) -> PointGuard:
        """Stop before `where` is executed. Stays until removed, or for a `with` block."""
        return self._point(Point.BREAKPOINT, self._address(where, program), 1)

    def watch(self, where: str | int, size: int = 4, program: str | None = None, *, reads: bool = False) -> PointGuard:
        """Stop after `size` bytes at `where` are written (with `reads`: read or written)."""
        return self._point(Point.ACCESS if reads else Point.WRITE, self._address(where, program), size)

    def _point(self, point: Point, address: int, size: int) -> PointGuard:
        key = (point, address, size)
        if self._points.get(key, 0) == 0:
            self._gdb.insert(point, address, size)
        self._points[key] = self._points.get(key, 0) + 1
        return PointGuard(self, key)

    def _remove_point(self, key: tuple[Point, int, int]) -> None:
        self._points[key] -= 1
        if self._points[key] == 0:
            del self._points[key]
            if not self._closed:
                with contextlib.suppress(Ungradable):
                    self._gdb.remove(*key)

    def _points_at(self, stop: Stop) -> bool:
        """Whether a point of the caller's own explains a stop."""
        if stop.watched is not None:
            return True
        return self._points.get((Point.BREAKPOINT, stop.address, 1), 0) > self._own_points(stop.address)

    def _own_points(self, address: int) -> int:
        return 1 if address == self._panic_address() else 0

    def _panic_address(self) -> int | None:
        symbol = self.symbols.symbols.get(PANIC_FUNCTION)
        return symbol.address if symbol is not None else None

    def _address(self, where: str | int, program: str | None) -> int:
        return where if isinstance(where, int) else self.symbol(where, program)

    # Interference

    def inject_irq(self, number: int) -> None:
        """Raise interrupt request line 0 (timer) to 15, to be delivered before the next instruction that allows it."""
        self._interfered = True
        self._interrupter.raise_line(number)

    def inject_nmi(self) -> None:
        """A non-maskable interrupt, before the next instruction."""
        self._interfered = True
        self._qmp.command("inject-nmi")

    def write_physical(self, address: int, data: bytes) -> None:
        """Write physical memory."""
        self._interfered = True
        super().write_physical(address, data)

    def silence_disk(self) -> None:
        """From now on the disk answers one more request, and then stays busy for minutes."""
        self._interfered = True
        limits = dict.fromkeys(("bps_rd", "bps_wr", "iops", "iops_rd", "iops_wr"), 0)
        self._qmp.command("block_set_io_throttle", device=DISK_NAME, bps=1, **limits)

    def disk(self) -> bytes:
        """The present contents of the guest's disk."""
        return self._emulator.disk()

    # What it is now

    def describe(self) -> str:
        """The machine at this moment in some lines; what the diagnosis adds to its headline comes first."""
        lines = list(self.diagnosis.sentences[1:]) if self.diagnosis is not None else []
        with contextlib.suppress(Ungradable, ValueError):
            lines += explain.state_in_words(self)
        return "\n".join(lines)

    # How it runs, and what becomes of its stops

    def _connect(self) -> None:
        """Greet the emulator, arm the limit of guest time, set the breakpoint for panics."""
        try:
            self._qmp.greet()
            self._arm()
            self._gdb.request("qXfer:features:read:target.xml:0,ffb")  # only then does the stub answer `p`
            self._gdb.physical_addresses(True)
            address = self._panic_address()
            if address is not None:
                self._point(Point.BREAKPOINT, address, 1)
        except (QmpClosed, StubClosed) as error:
            raise self._died() from error

    def _changed(self) -> None:
        self._registers = None

    def _go(self, awaited: str, arrived: Callable[[], bool] | None = None) -> Stop | None:
        """Run until a breakpoint or watchpoint (then: where), or until `arrived` (then: None).

        Raises MachineStopped when the guest stops otherwise, Ungradable when the emulator or the host is at fault.
        """
        if self._expired:
            raise self._hang(awaited)
        try:
            self._leave_breakpoint()
            reply = self._run(arrived)
        except (StubClosed, QmpClosed) as error:
            raise self._left() from error
        if reply.signal == Signal.TRAP:
            return Stop(self.eip(), reply.watched)
        self._expired = reply.signal == Signal.ALARM
        if arrived is not None and arrived():
            return None
        if reply.signal == Signal.QUIT:
            self._raise_reset()
        raise self._hang(awaited)

    def _leave_breakpoint(self) -> None:
        """Execute one instruction without its breakpoint, as a debugger must when it continues from one."""
        key = (Point.BREAKPOINT, self.eip(), 1)
        if self._points.get(key, 0):
            self._gdb.remove(*key)
            interfered, self._interfered = self._interfered, True
            self.step()
            self._interfered = interfered
            self._gdb.insert(*key)

    def _run(self, arrived: Callable[[], bool] | None) -> StopReply:
        """Let the guest run until it stops or must be stopped; drain all its lines meanwhile."""
        self._changed()
        serial, emulator = self._emulator.serial, self._emulator
        readers: list[object] = [self._gdb, serial, emulator]
        started = time.monotonic()
        look = started + _LOOK_EVERY
        idle = _Idle()
        self._resume()
        stopping = False
        while True:
            writers = [serial.input_fileno()] if self._unsent else []
            ready, writable, _ = select.select(readers, writers, [], _LOOK_EVERY)
            if writable:
                self._feed()
            if serial in ready:
                serial.drain()
                if serial.ended:
                    readers.remove(serial)
            if emulator in ready and not emulator.drain_messages():
                readers.remove(emulator)
            if self._gdb in ready:
                self._gdb.fill()  # often no more than the acknowledgement of our own packet
            if self._gdb.has_packet():
                reply = stop_reply(self._gdb.receive())
                emulator.drain_messages()
                serial.drain()
                return reply
            now = time.monotonic()
            if stopping:
                continue
            if arrived is not None and serial in ready and arrived():
                stopping = True
                self._qmp.command("stop")
            elif now >= look and not emulator.trace:
                look = now + _LOOK_EVERY
                stopping = self._look_at_limits(idle)
            if not stopping and now - started > self._wall_cap:
                raise Ungradable(
                    f"the machine ran for {self._wall_cap:.0f} s of the host's time and did not come to its own limit"
                )

    def _resume(self) -> None:
        if not self._keys:
            self._gdb.send("c")
            return
        # In one go, so that a guest that is idle does not spend its time before the keys come.
        pressed = [[{"type": "qcode", "data": name} for name in key.split("-")] for key in self._keys]
        self._keys = []
        strokes = [("send-key", {"keys": names, "hold-time": _HOLD_MS}) for names in pressed]
        self._qmp.batch([("cont", {}), *strokes])

    def _look_at_limits(self, idle: _Idle) -> bool:
        """The second limit, for guests that switch the first one off. True when the guest was stopped."""
        executed, seconds = self.instructions() - self._instructions_before, self._guest_clock() - self._clock_before
        beyond = (
            executed > self._guest_seconds * INSTRUCTIONS_PER_SECOND * _MARGIN
            or seconds > self._guest_seconds + 2
            or (idle.unchanged((executed, seconds)) and "HLT=1" in self._qmp.human("info registers"))
        )
        if beyond:
            self._qmp.command("stop")
            self._expired = True
        return beyond

    def _guest_clock(self) -> float:
        """Seconds of guest time, by the battery-backed clock: to a second, and the guest can set it."""
        now = self._qmp.command("qom-get", path="/machine", property="rtc-time")
        try:
            day = 1900 + now["tm_year"], now["tm_mon"] + 1, now["tm_mday"]
            moment = datetime(*day, now["tm_hour"], now["tm_min"], now["tm_sec"], tzinfo=UTC)
        except ValueError:
            return 0.0
        return moment.timestamp()

    def _new_limit(self) -> None:
        """Grant the whole guest time again: input makes a guest that was idle begin something new."""
        self._expired = False
        self._arm()

    def _arm(self) -> None:
        self._qmp.human(f"o /b {_WATCHDOG_PORT:#x} {watchdog_count(self._guest_seconds):#x}")
        self._instructions_before = self.instructions()
        self._clock_before = self._guest_clock()

    def _feed(self) -> None:
        if self._unsent:
            taken = self._emulator.serial.send(self._unsent)
            self._unsent = self._unsent[taken:]

    def _unexpected(self, stop: Stop) -> None:
        """A stop at a breakpoint of our own: the kernel panicked."""
        self.diagnosis = explain.panic(self, self.serial)
        raise KernelPanic(self.diagnosis)

    def _hang(self, awaited: str) -> Hang:
        limit = f"{self._guest_seconds:g} s of guest time ({self.instructions():,} instructions)"
        visited = [] if self.registers().halted else self._visited()
        self.diagnosis = explain.hang(self, self.serial, visited, awaited, limit)
        return Hang(self.diagnosis)

    def _visited(self) -> list[str]:
        """The functions that the next instructions belong to, in the order of their first appearance."""
        seen: dict[str, str] = {}
        for _ in range(_SAMPLES):
            place = self.place()
            seen.setdefault(place.split(" ")[0], place)
            if self.step() == 0 or self.registers().halted:
                break
        return list(seen.values())

    def _raise_reset(self) -> None:
        event = self._qmp_shutdown()
        if event.get("reason") == "guest-shutdown":
            self.diagnosis = explain.switched_off(self, self.serial)
            raise MachineReset(self.diagnosis)
        logged = self._logged()
        if logged is not None and logged[1]:
            self.diagnosis = explain.triple_fault(self, self.serial, logged[0])
            raise TripleFault(self.diagnosis)
        self.diagnosis = explain.reset(self, self.serial, logged[0] if logged is not None else None)
        raise MachineReset(self.diagnosis)

    def _qmp_shutdown(self) -> dict[str, object]:
        self._qmp.command("query-status")  # events come before the answer
        return self._qmp.event("SHUTDOWN") or {}

    def _logged(self) -> tuple[list[LoggedException], bool] | None:
        """The exceptions of this very run, from its log or from another run of the same image that is logged.

        None when the run cannot be repeated because somebody interfered with it.
        """
        if self._emulator.trace:
            return parse_log(bytes(self._emulator.messages).decode("utf-8", "replace"))
        if self._interfered or self._again is None:
            return None
        try:
            with self._again() as other:
                try:
                    other._run(None)
                except (StubClosed, QmpClosed):
                    return None
                same = other.registers().eip == self.registers().eip
                return parse_log(bytes(other._emulator.messages).decode("utf-8", "replace")) if same else None
        except Ungradable:
            return None

    def _left(self) -> Exception:
        """The emulator ended while the guest ran: by isa-debug-exit, or by a fault of its own."""
        status = self._emulator.wait(5.0)
        self._emulator.serial.drain()
        if status is not None and status > 0 and status % 2 and self._emulator.setup.exit_device:
            self.diagnosis = explain.left(self.serial, status)
            return GuestLeft(self.diagnosis, status)
        return self._died()

    def _died(self) -> Ungradable:
        status = self._emulator.wait(5.0)
        self._emulator.drain_messages()
        said = untrusted.excerpt(bytes(self._emulator.messages), 4) or "it said nothing"
        return Ungradable(f"the emulator ended by itself (status {status}): {said}")


class _Idle:
    """Notices that a guest makes no progress at all: neither instructions nor time."""

    def __init__(self) -> None:
        self._last: object = None
        self._times = 0

    def unchanged(self, now: object) -> bool:
        """Whether it was the same at the last looks too."""
        self._times = self._times + 1 if now == self._last else 0
        self._last = now
        return self._times >= _LOOKS_WITHOUT_PROGRESS


def watchdog_count(seconds: float) -> int:
    """What ib700 is given for a limit of so many seconds: 15 means 0, 14 means 2, ... 0 means 30."""
    return 15 - min(15, max(1, math.ceil(seconds / 2)))


def _started(
    image: bytes,
    setup: Setup,
    sandbox: Sandbox | None,
    symbols: SymbolTable,
    programs: Mapping[str, Path],
    guest_seconds: float,
    wall_cap: float,
) -> Machine:
    emulator = Emulator(image, option_rom(), setup, sandbox)
    machine = Machine(emulator, symbols=symbols, programs=programs, guest_seconds=guest_seconds, wall_cap=wall_cap)
    try:
        machine._connect()
    except BaseException:
        machine.close()
        raise
    return machine


class PointGuard:
    """A breakpoint or watchpoint; leaving its `with` block, or `remove`, takes it away."""

    def __init__(self, machine: Machine, key: tuple[Point, int, int]) -> None:
        self._machine = machine
        self._key: tuple[Point, int, int] | None = key

    def remove(self) -> None:
        """Take it away. May be called twice."""
        if self._key is not None:
            key, self._key = self._key, None
            self._machine._remove_point(key)

    def __enter__(self) -> PointGuard:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()
