"""Bochs as a controlled machine: see `control.Control` for what its functions do, `bochs_console` for how it is asked.

Bochs counts ticks: instructions, and the time that a halted processor waits, 16 ns each. The limit of guest time is a
breakpoint in ticks, so it stops at an exact instruction; a processor that halts for ever never comes to it, and is
looked at every second.

Its debugger looks for breakpoints after each instruction that was completed, so it passes over one at the very first
instruction of a routine to which an interrupt or an exception leads (not of one to which INT n leads): a test says
`run_to("interrupt_handler")`, not `run_to("isr_14")`. Its watchpoints are physical: ours are translated when they are
set, and an alias of the memory counts too.
"""

from __future__ import annotations

import re
import select
import time
from dataclasses import dataclass

from grader.host.sandbox import Sandbox
from grader.machine import paging
from grader.machine.bochs_console import Console, dump_lines, dumped
from grader.machine.bochs_log import parse_exceptions
from grader.machine.bochs_process import BochsProcess
from grader.machine.bochs_registers import QUESTIONS, parse_registers
from grader.machine.bochs_state import State
from grader.machine.control import INSTRUCTIONS_PER_SECOND, Ending
from grader.machine.diagnosis import LoggedException
from grader.machine.emulator import Setup
from grader.machine.faults import NotOnThisMachine
from grader.machine.gdb_remote import Point, Signal, StopReply, StubError
from grader.machine.registers import Registers
from grader.machine.witness import Witness

_KERNEL_HALF = 0xC0000000  # before paging is on, the kernel lies so far below its addresses
_RESET_VECTOR = 0xFFFFFFF0
_BREAKPOINTS_MAX = 16  # BX_DBG_MAX_LIN_BPOINTS
_GLANCE_EVERY = 0.3  # seconds of the host between looks at a machine that does not stop
_ACCESS_MAX = 8  # bytes
_SLICE_LEAST, _SLICE, _SLICE_MAX = 2_000, 20_000, 2_000_000  # ticks after which COM1 is looked at
_INTERRUPT_AGAIN = 0.5  # seconds of the host after which an interrupt was lost
_TRIES_TO_REST = 10
_REST = 0.002  # seconds of the host, in which an idle guest waits for many interrupts
_SHUTDOWN = 2  # activity_state of a processor after a triple fault

_BREAKPOINT = re.compile(r"^\(0\) Breakpoint \d+,", re.M)
_WATCHPOINT = re.compile(r"^\(0\) Caught (?:read|write) watch point at 0x([0-9a-f]+)", re.M)


@dataclass
class _Watch:
    """A watchpoint: where it was asked for, and where it is."""

    virtual: int
    physical: int
    size: int


class Bochs:
    """See the module."""

    witness = Witness.BOCHS

    def __init__(self, process: BochsProcess) -> None:
        self.process = process
        self.serial = process.serial
        self.trace = process.setup.trace
        assert process.process.stdin is not None and process.process.stdout is not None
        self._console = Console(process.process.stdin.fileno(), process.process.stdout.fileno())
        self._memory_bytes = process.setup.memory_mb << 20
        self._breakpoints: dict[int, int] = {}
        self._next_breakpoint = 1
        self._watches: dict[tuple[Point, int, int], _Watch] = {}
        self._limit = 0
        self._time_breakpoint = 0
        self._seconds = 0.0
        self._state = State(self._console, process.state, process.folder)
        self._input = bytearray()
        self._slice = 0
        self._asked_to_stop = False
        self._resumed = 0.0
        self._interrupted = 0.0
        """When an interrupt was sent that is not answered yet; 0: none."""
        self._ending: Ending | None = None
        self._reset_at = 0

    @classmethod
    def started(cls, image: bytes, setup: Setup, sandbox: Sandbox | None) -> Bochs:
        """A new machine. Raises Ungradable when Bochs is not there, NotOnThisMachine for what it has not."""
        return cls(BochsProcess(image, setup, sandbox))

    # The process

    def fileno(self) -> int:
        """The descriptor that becomes readable when the emulator has written a message."""
        return self.process.fileno()

    def drain_messages(self) -> bool:
        """Take the messages. False when that line has ended."""
        return self.process.drain_messages()

    def messages(self) -> bytes:
        """What was taken: complaints, or the log when it is traced."""
        return bytes(self.process.messages)

    def disk(self) -> bytes:
        """The present contents of the guest's disk."""
        return self.process.disk()

    def wait(self, seconds: float) -> int | None:
        """The emulator's exit status, or None when it still runs after so long."""
        return self.process.wait(seconds)

    def left_by_guest(self, status: int) -> bool:
        """Whether that exit status is the guest's doing."""
        return False

    def greet(self, seconds: float) -> None:
        """The first words with it; from now on `seconds` of guest time may pass. Raises EmulatorGone."""
        self._console.greet()
        self._console.ask("set u off")
        self._set_breakpoint(_RESET_VECTOR)
        self.arm(seconds)

    def close(self) -> None:
        """End it. Nothing of what the guest wrote is lost."""
        self.process.close()

    def tell(self, line: str) -> str:
        """The answer of its own debugger to a line that a person typed."""
        return self._console.ask(line)[0]

    # Looking

    def registers(self) -> Registers:
        """All registers."""
        return parse_registers(self._console.ask(*QUESTIONS))

    def eip(self) -> int:
        """EIP alone, if that is cheaper."""
        return self._state.value("cpu0.RIP")

    def set_register(self, name: str, value: int) -> None:
        """Set one of `GENERAL`."""
        if name == "eflags":
            self._state.restore("cpu0", {"EFLAGS": hex(value)})
        else:
            self._console.ask(f"set {name} = {value:#x}")

    def instructions(self) -> int:
        """Instructions executed since power-on."""
        return self._state.value("cpu0.icount")

    def _ticks(self) -> int:
        return int(self._console.ask("ptime")[0].split()[-1])

    def read(self, address: int, length: int) -> bytes:
        """Memory. Raises StubError where there is none."""
        start = address & ~7
        rounded = (address + length + 7 & ~7) - start
        data = b"".join(dumped(answer) for answer in self._console.ask(*dump_lines(start, rounded)))
        if len(data) != rounded:
            raise StubError(f"memory at {address:#x}")
        return data[address - start :][:length]

    def write(self, address: int, data: bytes) -> None:
        """Write memory. Raises StubError where there is none."""
        if address + len(data) > self._memory_bytes:
            raise StubError(f"memory at {address:#x}")
        lines = []
        position = 0
        while position < len(data):
            size = 4 if len(data) - position >= 4 else 1
            value = int.from_bytes(data[position : position + size], "little")
            lines.append(f"setpmem {address + position:#x} {size} {value:#x}")
            position += size
        self._console.ask(*lines)

    # Running

    def insert(self, point: Point, address: int, size: int) -> None:
        """Set a breakpoint or watchpoint."""
        if point is Point.BREAKPOINT:
            self._set_breakpoint(address)
        else:
            self._set_watch(point, address, size)

    def _set_breakpoint(self, address: int) -> None:
        if len(self._breakpoints) == _BREAKPOINTS_MAX:
            raise NotOnThisMachine(f"Bochs has no more than {_BREAKPOINTS_MAX - 1} breakpoints")
        self._console.ask(f"lb {address:#x}")
        self._breakpoints[address] = self._next_breakpoint
        self._next_breakpoint += 1

    def _set_watch(self, point: Point, address: int, size: int) -> None:
        watch = _Watch(address, self._physical(address), size)
        self._watches[point, address, size] = watch
        lines = [f"watch w {watch.physical:#x} {size}"]
        if point is not Point.WRITE:
            lines.append(f"watch r {watch.physical:#x} {size}")
        self._console.ask(*lines)

    def _physical(self, address: int) -> int:
        registers = self.registers()
        if not registers.paging:
            return address - _KERNEL_HALF if address >= _KERNEL_HALF else address
        large = paging.large_pages_enabled(registers.cr4)
        found = paging.walk(self.read, registers.cr3, address, large_pages=large)
        if found.physical is None:
            raise NotOnThisMachine(f"Bochs watches only memory that is mapped: {found}")
        return found.physical

    def remove(self, point: Point, address: int, size: int) -> None:
        """Remove what `insert` set."""
        if point is Point.BREAKPOINT:
            self._console.ask(f"d {self._breakpoints.pop(address)}")
        else:
            self._console.ask(f"unwatch {self._watches.pop((point, address, size)).physical:#x}")

    def leave_breakpoint(self) -> None:
        """Bochs gets past it by itself."""

    def step(self, *, interrupts: bool, wall_cap: float) -> bool:
        """Execute one instruction. False when the processor is halted."""
        if self._state.value("cpu0.activity_state"):
            return False
        if not interrupts and self._state.interrupt_waits():
            self._state.inhibit_interrupts()
        self._console.ask("s")
        return not self._state.value("cpu0.activity_state")

    def resume(self) -> None:
        """Let the guest run."""
        self._asked_to_stop = False
        self._go_on()

    def _go_on(self) -> None:
        self._state.quicken_serial()
        self._give_input()
        now = self._ticks()
        if now >= self._slice:  # else the last one is still to come
            self._slice = now + (_SLICE if self._input else min(_SLICE_MAX, max(_SLICE_LEAST, now)))
            self._console.ask(f"sba {self._slice}")
        self._resumed = time.monotonic()
        self._console.send("c")

    def _give_input(self) -> None:
        if self._input and self._state.receiver_is_free():
            self._state.receive(self._input.pop(0))

    def line(self) -> Console:
        """What becomes readable when the guest may have stopped."""
        return self._console

    def fill(self) -> None:
        """Take in what came on `line`. Raises EmulatorGone."""
        self._console.fill()

    def stopped(self) -> StopReply | None:
        """Why the guest stopped, or None while it runs. A stop that nobody asked for is not told but gone over."""
        said = self._answer()
        if said is None:
            return None
        reply = self._reply(said)
        if reply is None:
            self._go_on()
        return reply

    def _answer(self) -> str | None:
        """What Bochs said when it stopped; None when it has not."""
        if not self._interrupted:
            return self._console.answer()
        said = self._console.answer_before_mark()
        if said is not None:
            self._interrupted = 0.0
        elif time.monotonic() - self._interrupted > _INTERRUPT_AGAIN:
            self._halt()
        return said

    def _halt(self) -> None:
        """Interrupt the guest. It may have stopped by itself just now, or not have begun: `_answer` copes with both."""
        self.process.interrupt()
        self._console.mark()
        self._interrupted = time.monotonic()

    def _reply(self, said: str) -> StopReply | None:
        """What a stop was; None when it means nothing."""
        watched = _WATCHPOINT.search(said)
        if watched:
            physical = int(watched[1], 16)
            return StopReply(Signal.TRAP, self._watched(physical))
        if _BREAKPOINT.search(said):
            return self._at_breakpoint()
        if self._state.value("cpu0.activity_state") == _SHUTDOWN:
            self._ending = Ending.TRIPLE_FAULT
            return StopReply(Signal.QUIT)
        ticks = self._ticks()
        if ticks >= self._limit or self._halted_for_good():
            if ticks > self._limit:
                self._come_to_rest()
            return StopReply(Signal.ALARM)
        if ticks >= self._time_breakpoint:
            self._time_breakpoint = 0
            self._set_time_breakpoint()
        return StopReply(Signal.INTERRUPT) if self._asked_to_stop else None

    def _come_to_rest(self) -> None:
        """A guest that idled is stopped by its limit only when an interrupt has woken it: let it halt again."""
        for _ in range(_TRIES_TO_REST):
            if self._state.value("cpu0.activity_state"):
                return
            self._console.send("c")
            time.sleep(_REST)
            self._halt()
            while self._answer() is None:
                if select.select([self._console], [], [], _INTERRUPT_AGAIN)[0]:
                    self._console.fill()

    def _halted_for_good(self) -> bool:
        """Whether the processor is halted and no interrupt can end that."""
        now = self.registers()
        return now.halted and not now.interrupts_enabled

    def _watched(self, physical: int) -> int:
        """The virtual address of an access that begins at a physical one."""
        for watch in self._watches.values():
            if -_ACCESS_MAX < physical - watch.physical < watch.size:
                return watch.virtual + max(0, physical - watch.physical)
        return physical

    def _at_breakpoint(self) -> StopReply:
        registers = self.registers()
        if registers.pc == _RESET_VECTOR and not registers.protected:
            self._ending = Ending.RESET
            self._reset_at = self._ticks()
            return StopReply(Signal.QUIT)
        return StopReply(Signal.TRAP)

    def stop(self) -> None:
        """Have the guest stopped soon."""
        self._asked_to_stop = True
        if not self._interrupted:
            self._halt()

    def stop_at(self, moment: int) -> None:
        """Bochs plays no recordings."""
        raise NotOnThisMachine(f"{self.witness.label} plays no recordings")

    def exceptions(self) -> tuple[list[LoggedException], bool]:
        """When it logs them: the exceptions so far, and whether a triple fault was among them."""
        found = parse_exceptions(self.messages().decode("utf-8", "replace"), self.registers())
        return found, self._ending is Ending.TRIPLE_FAULT

    def ending(self) -> Ending:
        """After Signal.QUIT: what that was."""
        assert self._ending is not None
        return self._ending

    def moment_before_reset(self) -> int | None:
        """After a reset that made the emulator forget where it came from: the moment before, for `go_to_moment`."""
        return self._reset_at - 1 if self._reset_at else None

    def go_to_moment(self, moment: int) -> None:
        """Run a machine that has just been started until then, whatever else might stop it."""
        self._console.ask(f"sba {moment}")
        while self._ticks() < moment:
            self._console.ask("c")
            self.serial.drain()

    # Limits

    def arm(self, seconds: float) -> None:
        """From now on so much guest time may pass; then it stops with Signal.ALARM."""
        self._seconds = seconds
        self._limit = self._ticks() + int(seconds * INSTRUCTIONS_PER_SECOND)
        self._set_time_breakpoint()

    def _set_time_breakpoint(self) -> None:
        """Unless there is an earlier one: Bochs can have five of them, and none can be removed."""
        if not self._time_breakpoint:
            self._console.ask(f"sba {self._limit}")
            self._time_breakpoint = self._limit

    def looks_expired(self) -> bool:
        """Never, but a machine that did not stop for a second is stopped and looked at (`_reply`)."""
        if not self._interrupted and time.monotonic() - self._resumed > _GLANCE_EVERY:
            self._halt()
        return False

    def overran(self) -> bool:
        """Now that it is stopped: whether it is beyond its limit."""
        return False

    def limit_in_words(self) -> str:
        """The limit, for a message."""
        return f"{self._seconds:g} s of guest time ({self.instructions():,} instructions)"

    # Interference

    def raise_irq(self, number: int) -> None:
        """A pulse on interrupt request line 0 to 15."""
        self._state.raise_line(number, stays=False)

    def raise_nmi(self) -> None:
        """A non-maskable interrupt."""
        self._state.raise_nmi()

    def set_timer(self, counts: int) -> None:
        """From now on the timer interrupts after each so many counts of its clock."""
        raise NotOnThisMachine("schedules are QEMU's alone: Bochs's timer is the one that the guest programs")

    def feed(self, data: bytes) -> int:
        """Bytes for COM1's receiver, each given when the guest has taken the one before; how many were taken over."""
        self._input += data
        return len(data)

    def put_scan_code(self, code: int) -> None:
        """Put a code into the keyboard controller's output."""
        raise NotOnThisMachine("Bochs is driven without a keyboard: this test must name QEMU alone")

    def scan_code_waits(self) -> bool:
        """Whether a code lies there that the guest has not read."""
        return False

    def silence_disk(self) -> None:
        """Let the disk answer one more request, and then stay busy for minutes."""
        raise NotOnThisMachine("Bochs's disk cannot be silenced: this test must name QEMU alone")

    def release(self) -> None:
        """Make the machine as GDB expects to find one: no points, no limit of time."""
        raise NotOnThisMachine("Bochs cannot be handed over to GDB")
