"""QEMU as a controlled machine: its debugger's stub for running, its monitor for what the stub does not show.

The limit of guest time is ib700, which stops the machine at an exact instruction. A guest can switch that off, so a
second limit looks at the count of instructions and the battery-backed clock now and then.
"""

from __future__ import annotations

import math
import select
import time
from datetime import UTC, datetime

from grader.faults import Ungradable
from grader.machine import keyboard
from grader.machine.control import INSTRUCTIONS_PER_SECOND, LOOK_EVERY, Ending
from grader.machine.diagnosis import LoggedException, parse_log
from grader.machine.disk import DISK_NAME
from grader.machine.emulator import Emulator
from grader.machine.faults import NotOnThisMachine
from grader.machine.gdb_remote import GdbRemote, Point, Signal, StopReply, stop_reply
from grader.machine.interrupts import Interrupter
from grader.machine.preemption import program_timer
from grader.machine.qmp import Qmp
from grader.machine.registers import Registers, parse_registers
from grader.machine.witness import Witness

_LOOKS_WITHOUT_PROGRESS = 10
_WATCHDOG_PORT, _WATCHDOG_OFF_PORT = 0x443, 0x441
_WATCHDOG_OFF = 15
_MARGIN = 1.05  # the second limit lies above the watchdog's, which stops at an exact instruction


class Qemu:
    """See `control.Control` for what its functions do."""

    witness = Witness.QEMU
    _steps_of_gdb = "0x7"

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator
        self.serial = emulator.serial
        self.trace = emulator.trace
        self._gdb = GdbRemote(emulator.gdb)
        self._qmp = Qmp(emulator.monitor)
        self._interrupter = Interrupter(emulator.qtest, self._qmp)
        self._breakpoints: set[int] = set()
        self._points: set[tuple[Point, int, int]] = set()
        self._step_mode = ""
        self._count: int | None = None  # instructions, as long as it stands still
        self._moving = False
        self._seconds = 0
        self._instructions_before = 0
        self._armed = 0.0
        self._clock_before = 0.0
        self._idle = _Idle()

    # The process

    def fileno(self) -> int:
        """The descriptor that becomes readable when the emulator has written a message."""
        return self.emulator.fileno()

    def drain_messages(self) -> bool:
        """Take the messages. False when that line has ended."""
        return self.emulator.drain_messages()

    def messages(self) -> bytes:
        """What was taken: complaints, or the log when it is traced."""
        return bytes(self.emulator.messages)

    def disk(self) -> bytes:
        """The present contents of the guest's disk."""
        return self.emulator.disk()

    def wait(self, seconds: float) -> int | None:
        """The emulator's exit status, or None when it still runs after so long."""
        return self.emulator.wait(seconds)

    def left_by_guest(self, status: int) -> bool:
        """isa-debug-exit's status is odd."""
        return status > 0 and bool(status % 2) and self.emulator.setup.exit_device

    def greet(self, seconds: float) -> None:
        """The first words with it; from now on `seconds` of guest time may pass. Raises EmulatorGone."""
        self._qmp.greet()
        self.arm(seconds)
        self._gdb.request("qXfer:features:read:target.xml:0,ffb")  # only then does the stub answer `p` and take `P`
        self._gdb.physical_addresses(True)

    def close(self) -> None:
        """End it. Nothing of what the guest wrote is lost."""
        self.emulator.close()

    # Looking

    def registers(self) -> Registers:
        """All registers."""
        return parse_registers(self._qmp.human("info registers"))

    def eip(self) -> int:
        """EIP alone, if that is cheaper."""
        return int.from_bytes(bytes.fromhex(self._gdb.request("p8").decode("ascii"))[:4], "little")

    def set_register(self, name: str, value: int) -> None:
        """Set one of `GENERAL`."""
        self._gdb.request(f"P{_GDB_NUMBERS[name]:x}={(value & 0xFFFFFFFF).to_bytes(4, 'little').hex()}")

    def instructions(self) -> int:
        """Instructions executed since power-on."""
        if self._count is not None:
            return self._count
        count = int(self._qmp.command("query-replay")["icount"])
        self._count = None if self._moving else count
        return count

    def read(self, address: int, length: int) -> bytes:
        """Memory. Raises StubError where there is none."""
        return self._gdb.read(address, length)

    def write(self, address: int, data: bytes) -> None:
        """Write memory. Raises StubError where there is none."""
        self._gdb.write(address, data)

    # Running

    def insert(self, point: Point, address: int, size: int) -> None:
        """Set a breakpoint or watchpoint."""
        self._gdb.insert(point, address, size)
        self._points.add((point, address, size))

    def remove(self, point: Point, address: int, size: int) -> None:
        """Remove what `insert` set."""
        self._points.discard((point, address, size))
        self._gdb.remove(point, address, size)

    def leave_breakpoint(self) -> None:
        """Execute one instruction without its breakpoint, as a debugger must when it continues from one."""
        address = self.eip()
        if (Point.BREAKPOINT, address, 1) in self._points:
            self._gdb.remove(Point.BREAKPOINT, address)
            self.step(interrupts=False, wall_cap=math.inf)
            self._gdb.insert(Point.BREAKPOINT, address)

    def step(self, *, interrupts: bool, wall_cap: float) -> bool:
        """Execute one instruction. False when the processor is halted."""
        self._count = None
        mode = "0x1" if interrupts else "0x7"
        if self._step_mode != mode:
            self._gdb.request(f"Qqemu.sstep={mode}")
            self._step_mode = mode
        self._gdb.send("s")
        return self._stepped(wall_cap)

    def _stepped(self, wall_cap: float) -> bool:
        """Wait for a step's end. False when the processor halted instead; then it is stopped."""
        deadline = time.monotonic() + wall_cap
        while not self._gdb.has_packet():
            if select.select([self._gdb], [], [], 0.5)[0]:
                self._gdb.fill()
                continue
            self.emulator.drain_messages()
            self.serial.drain()
            halted = self._halted()
            if halted or time.monotonic() > deadline:
                self._qmp.command("stop")
                stop_reply(self._gdb.receive())
                if not halted:
                    raise Ungradable(f"the emulator took more than {wall_cap:.0f} s for one instruction")
                return False
        stop_reply(self._gdb.receive())
        return True

    def _halted(self) -> bool:
        return "HLT=1" in self._qmp.human("info registers")

    def resume(self) -> None:
        """Let the guest run."""
        self._idle = _Idle()
        self._count, self._moving = None, True
        self._gdb.send("c")

    def line(self) -> GdbRemote:
        """What becomes readable when the guest may have stopped."""
        return self._gdb

    def fill(self) -> None:
        """Often no more than the acknowledgement of our own packet."""
        self._gdb.fill()

    def stopped(self) -> StopReply | None:
        """Why the guest stopped, or None while it runs. A stop that nobody asked for is not told but gone over."""
        reply = stop_reply(self._gdb.receive()) if self._gdb.has_packet() else None
        self._moving = self._moving and reply is None
        if reply is not None and reply.signal == Signal.INTERRUPT and self._has_ended():
            return StopReply(Signal.QUIT)
        return reply

    def stop(self) -> None:
        """Have the guest stopped soon."""
        self._qmp.command("stop")

    def stop_at(self, moment: int) -> None:
        """Only a recording knows what comes."""
        raise NotOnThisMachine("this machine plays no recording")

    def exceptions(self) -> tuple[list[LoggedException], bool]:
        """When it logs them: the exceptions so far, and whether a triple fault was among them."""
        return parse_log(self.messages().decode("utf-8", "replace"))

    def _has_ended(self) -> bool:
        """Whether the guest reset or switched the machine off, perhaps just when it was stopped: then that, which would
        have stopped it, is only told as an event, and it would run on after it.
        """
        self._qmp.command("query-status")  # events come before the answer
        return self._qmp.event("SHUTDOWN") is not None

    def ending(self) -> Ending:
        """After Signal.QUIT: what that was."""
        self._qmp.command("query-status")
        event = self._qmp.event("SHUTDOWN") or {}
        switched_off = event.get("reason") == "guest-shutdown"
        return Ending.SWITCHED_OFF if switched_off else Ending.RESET_OR_TRIPLE_FAULT

    def moment_before_reset(self) -> int | None:
        """None: the machine is stopped at the reset as it was."""
        return None

    def go_to_moment(self, moment: int) -> None:
        """Never asked for."""

    # Limits

    def arm(self, seconds: float) -> None:
        """From now on so much guest time may pass; then it stops with Signal.ALARM."""
        count = watchdog_count(seconds)
        self._seconds = 2 * (_WATCHDOG_OFF - count)
        self._out(_WATCHDOG_PORT, count)
        self._instructions_before = self.instructions()
        self._armed = time.monotonic()
        self._clock_before = self._clock()

    def looks_expired(self) -> bool:
        """The second limit, for guests that switch the first one off."""
        executed, seconds = self._executed(), self._clock() - self._clock_before
        return (
            executed > self._instructions_max()
            or seconds > self._seconds + 2
            or (self._idle.unchanged((executed, seconds)) and self._halted())
        )

    def overran(self) -> bool:
        """Whether the guest came further than it may between two looks at the second limit."""
        return time.monotonic() - self._armed > LOOK_EVERY / 2 and self._executed() > self._instructions_max()

    def limit_in_words(self) -> str:
        """The limit, for a message."""
        return f"{self._seconds} s of guest time ({self.instructions():,} instructions)"

    def _executed(self) -> int:
        """Instructions since the limit was armed."""
        return self.instructions() - self._instructions_before

    def _instructions_max(self) -> float:
        return self._seconds * INSTRUCTIONS_PER_SECOND * _MARGIN

    def _clock(self) -> float:
        """Seconds of guest time, by the battery-backed clock: to a second, and the guest can set it."""
        now = self._qmp.command("qom-get", path="/machine", property="rtc-time")
        try:
            day = 1900 + now["tm_year"], now["tm_mon"] + 1, now["tm_mday"]
            moment = datetime(*day, now["tm_hour"], now["tm_min"], now["tm_sec"], tzinfo=UTC)
        except ValueError:
            return 0.0
        return moment.timestamp()

    # Interference

    def raise_irq(self, number: int) -> None:
        """A pulse on interrupt request line 0 to 15."""
        self._interrupter.raise_line(number)

    def raise_nmi(self) -> None:
        """A non-maskable interrupt."""
        self._qmp.command("inject-nmi")

    def set_timer(self, counts: int) -> None:
        """From now on the timer interrupts after each so many counts of its clock."""
        program_timer(counts, self._out)

    def feed(self, data: bytes) -> int:
        """Bytes for COM1's receiver; returns how many were taken, 0 when no more fit."""
        return self.serial.send(data)

    def put_scan_code(self, code: int) -> None:
        """Put a code into the keyboard controller's output."""
        self._out(keyboard.COMMAND_PORT, keyboard.WRITE_OUTPUT)
        self._out(keyboard.DATA_PORT, code)

    def scan_code_waits(self) -> bool:
        """Whether a code lies there that the guest has not read."""
        said = self._qmp.human(f"i /b {keyboard.STATUS_PORT:#x}")  # "portb[0x0064] = 0x1d"
        return bool(int(said.rpartition("=")[2], 16) & keyboard.OUTPUT_FULL)

    def silence_disk(self) -> None:
        """Let the disk answer one more request, and then stay busy for minutes."""
        limits = dict.fromkeys(("bps_rd", "bps_wr", "iops", "iops_rd", "iops_wr"), 0)
        self._qmp.command("block_set_io_throttle", device=DISK_NAME, bps=1, **limits)

    def release(self) -> None:
        """Make the machine as GDB expects to find one: no points, no limit of time."""
        self._moving = True
        for point, address, size in self._points:
            self._gdb.remove(point, address, size)
        self._points.clear()
        self._gdb.physical_addresses(False)
        self._gdb.request(f"Qqemu.sstep={self._steps_of_gdb}")
        self._out(_WATCHDOG_OFF_PORT, 0)

    def _out(self, port: int, byte: int) -> None:
        """Write a device's port, as the guest would."""
        self._qmp.human(f"o /b {port:#x} {byte:#x}")


_GDB_NAMES = ("eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi", "eip", "eflags")
_GDB_NUMBERS = {name: number for number, name in enumerate(_GDB_NAMES)}


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
    return _WATCHDOG_OFF - min(_WATCHDOG_OFF, max(1, math.ceil(seconds / 2)))
