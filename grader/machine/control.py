"""What the grader needs of an emulator: the few primitives that `execution` and `inspection` are written on.

`qemu` and `bochs` implement them, each in the emulator's own language. All that a test sees is written once, above
them. A machine is stopped except between `resume` and the answer of `stopped`.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Protocol

from grader.machine.diagnosis import LoggedException
from grader.machine.gdb_remote import Point, StopReply
from grader.machine.registers import Registers
from grader.machine.serial import SerialLine
from grader.machine.witness import Witness

INSTRUCTIONS_PER_SECOND = 62_500_000
"""Instructions in a second of guest time, if the guest is never idle: on every emulator the same."""

LOOK_EVERY = 0.1
"""Seconds between looks at the limits while the guest runs."""

GENERAL = ("eax", "ebx", "ecx", "edx", "esi", "edi", "ebp", "esp", "eip", "eflags")
"""The registers that can be set."""


class Ending(Enum):
    """How a machine ended, as far as its emulator knows."""

    SWITCHED_OFF = auto()
    RESET = auto()
    TRIPLE_FAULT = auto()
    RESET_OR_TRIPLE_FAULT = auto()
    """The emulator does not tell them apart, except in its log."""


class HasDescriptor(Protocol):
    """Something to `select`."""

    def fileno(self) -> int:
        """The descriptor."""


class Control(Protocol):
    """A started emulator. Addresses of memory are physical, those of points virtual; sizes are in bytes."""

    witness: Witness
    serial: SerialLine
    trace: bool
    """Whether it logs exceptions."""

    # The process

    def fileno(self) -> int:
        """The descriptor that becomes readable when the emulator has written a message."""

    def drain_messages(self) -> bool:
        """Take the messages. False when that line has ended."""

    def messages(self) -> bytes:
        """What was taken: complaints, or the log when it is traced."""

    def disk(self) -> bytes:
        """The present contents of the guest's disk."""

    def wait(self, seconds: float) -> int | None:
        """The emulator's exit status, or None when it still runs after so long."""

    def left_by_guest(self, status: int) -> bool:
        """Whether that exit status is the guest's doing."""

    def greet(self, seconds: float) -> None:
        """The first words with it; from now on `seconds` of guest time may pass. Raises EmulatorGone."""

    def close(self) -> None:
        """End it. Nothing of what the guest wrote is lost."""

    # Looking

    def registers(self) -> Registers:
        """All registers."""

    def eip(self) -> int:
        """EIP alone, if that is cheaper."""

    def set_register(self, name: str, value: int) -> None:
        """Set one of `GENERAL`."""

    def instructions(self) -> int:
        """Instructions executed since power-on."""

    def read(self, address: int, length: int) -> bytes:
        """Memory. Raises StubError where there is none."""

    def write(self, address: int, data: bytes) -> None:
        """Write memory. Raises StubError where there is none."""

    # Running

    def insert(self, point: Point, address: int, size: int) -> None:
        """Set a breakpoint or watchpoint."""

    def remove(self, point: Point, address: int, size: int) -> None:
        """Remove what `insert` set."""

    def leave_breakpoint(self) -> None:
        """See to it that `resume` gets past a breakpoint at the present instruction."""

    def step(self, *, interrupts: bool, wall_cap: float) -> bool:
        """Execute one instruction. False when the processor is halted."""

    def resume(self) -> None:
        """Let the guest run."""

    def line(self) -> HasDescriptor:
        """What becomes readable when the guest may have stopped."""

    def fill(self) -> None:
        """Take in what came on `line`. Raises EmulatorGone."""

    def stopped(self) -> StopReply | None:
        """Why the guest stopped, or None while it runs. A stop that nobody asked for is not told but gone over."""

    def stop(self) -> None:
        """Have the guest stopped soon."""

    def stop_at(self, moment: int) -> None:
        """Have it stopped with Signal.MOMENT when it has executed so many instructions. Only where a recording is
        played; elsewhere raises NotOnThisMachine.
        """

    def exceptions(self) -> tuple[list[LoggedException], bool]:
        """When it logs them: the exceptions so far, and whether a triple fault was among them."""

    def ending(self) -> Ending:
        """After Signal.QUIT: what that was."""

    def moment_before_reset(self) -> int | None:
        """After a reset that made the emulator forget where it came from: the moment before, for `go_to_moment`."""

    def go_to_moment(self, moment: int) -> None:
        """Run a machine that has just been started until then, whatever else might stop it."""

    # Limits

    def arm(self, seconds: float) -> None:
        """From now on so much guest time may pass; then it stops with Signal.ALARM."""

    def looks_expired(self) -> bool:
        """While the guest runs, now and then: whether it is beyond its limit though nothing stopped it."""

    def overran(self) -> bool:
        """Now that it is stopped: whether it is beyond its limit."""

    def limit_in_words(self) -> str:
        """The limit, for a message."""

    # Interference; each may raise NotOnThisMachine

    def raise_irq(self, number: int) -> None:
        """A pulse on interrupt request line 0 to 15."""

    def raise_nmi(self) -> None:
        """A non-maskable interrupt."""

    def set_timer(self, counts: int) -> None:
        """From now on the timer interrupts after each so many counts of its clock (see `preemption`)."""

    def feed(self, data: bytes) -> int:
        """Bytes for COM1's receiver; returns how many were taken, 0 when no more fit."""

    def put_scan_code(self, code: int) -> None:
        """Put a code into the keyboard controller's output."""

    def scan_code_waits(self) -> bool:
        """Whether a code lies there that the guest has not read."""

    def silence_disk(self) -> None:
        """Let the disk answer one more request, and then stay busy for minutes."""

    def release(self) -> None:
        """Make the machine as GDB expects to find one: no points, no limit of time."""
