"""The emulator's process: which program, which flags, its descriptors, its end.

All flags are there for one of two reasons: the same image executes the same instructions on any host, however busy
(guest time counted in instructions, a clock that starts at a fixed date, booting through firmware that never waits for
the host), or nothing of the emulator can be reached or left behind (no default devices, no port, no path of the host,
descriptors only). It dies with the thread that started it, for QEMU outlives its sockets otherwise.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from grader.faults import Ungradable
from grader.host import programs
from grader.host.sandbox import Limits, Sandbox, end
from grader.machine.disk import Disk, backend, drive_options
from grader.machine.serial import Bounded, SerialLine, roomy_pipe
from grader.machine.unnamed import close_file, path_of, unnamed_file

if TYPE_CHECKING:
    from grader.machine.tape import Tape

NAMES = ("/usr/libexec/qemu-system-i386", "qemu-system-i386")
"""Debian's /usr/bin/qemu-system-i386 is a shell script around the first: going around it saves 3 ms."""

SHIFT = 4
"""One instruction takes 2**SHIFT ns of guest time (`control.INSTRUCTIONS_PER_SECOND`)."""

LIMITS = Limits(address_space=1 << 30, cpu_seconds=120, file_size=64 << 20, processes=64, open_files=128)


@dataclass(frozen=True)
class Setup:
    """What a machine is made of, apart from its image."""

    memory_mb: int = 32
    screen: bool = False
    """A VGA card, set up by a full BIOS. Without one, text memory at 0xB8000 is not there."""
    exit_device: bool = False
    """isa-debug-exit at port 0xF4, with which a guest ends its emulator."""
    trace: bool = False
    """Log every interrupt and exception. Ten times slower; the guest executes the same instructions."""
    disk: Disk = Disk.SOUND


def find_emulator() -> str:
    """The path of the emulator (`KERNELIST_QEMU` in the environment names another). Raises Ungradable."""
    wanted = os.environ.get("KERNELIST_QEMU")
    path = programs.first((wanted,) if wanted else NAMES)
    if path is not None:
        return path
    raise Ungradable(f"the emulator {wanted or NAMES[-1]} is not installed here; ./lab doctor says how to install it")


class Emulator:
    """A started emulator, stopped before its first instruction, and our ends of all its lines."""

    def __init__(
        self, image: bytes, firmware: bytes, setup: Setup, sandbox: Sandbox | None, tape: Tape | None = None
    ) -> None:
        program = find_emulator()
        self.setup = setup
        self.trace = setup.trace
        self.serial = SerialLine()
        self.messages = Bounded(16 << 10, 128 << 10)
        """What the emulator said on its standard error, and its log when it is traced."""
        self._messages, messages_end = roomy_pipe()
        os.set_blocking(self._messages, False)
        self._disk = unnamed_file(image)
        self._rom = unnamed_file(firmware)
        ours, theirs = zip(*(socket.socketpair() for _ in range(3)), strict=True)
        self.monitor, self.gdb, self.qtest = ours
        self._overlay = tape.overlay() if tape is not None else None
        kept = [self._overlay, tape.log if tape is not None else None]
        passed = [self._disk, self._rom, *(line.fileno() for line in theirs), *(one for one in kept if one is not None)]
        numbers = [line.fileno() for line in theirs]
        arguments = [program, *command_line(setup, numbers, self._disk, self._rom, tape, self._overlay)]
        confined = sandbox if sandbox is not None else Sandbox(False, "")
        try:
            self.process = confined.popen(
                arguments,
                LIMITS,
                pass_fds=passed,
                stdin=self.serial.guest_input,
                stdout=self.serial.guest_output,
                stderr=messages_end,
            )
        except OSError as error:
            self._release()
            raise Ungradable(f"the emulator cannot be started: {error}") from error
        finally:
            for line in theirs:
                line.close()
            os.close(messages_end)
            self.serial.started()

    def fileno(self) -> int:
        """The descriptor that becomes readable when the emulator has written a message."""
        return self._messages

    def drain_messages(self) -> bool:
        """Take what the emulator wrote on its standard error. False when that line has ended."""
        for _ in range(64):
            try:
                data = os.read(self._messages, 1 << 16)
            except BlockingIOError:
                return True
            if not data:
                return False
            self.messages.append(data)
        return True

    def disk(self) -> bytes:
        """The present contents of the guest's disk."""
        return os.pread(self._disk, os.fstat(self._disk).st_size, 0)

    def wait(self, seconds: float) -> int | None:
        """The emulator's exit status, or None when it still runs after so long."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def close(self) -> None:
        """Kill the emulator and close all lines. Nothing is lost: what a guest wrote lies with us already."""
        end(self.process)
        self._release()

    def _release(self) -> None:
        for line in (self.monitor, self.gdb, self.qtest):
            line.close()
        self.serial.close()
        with contextlib.suppress(OSError):
            os.close(self._messages)
        for descriptor in (self._disk, self._rom, self._overlay):
            if descriptor is not None:
                close_file(descriptor)


def command_line(
    setup: Setup, lines: Sequence[int], disk: int, rom: int, tape: Tape | None = None, overlay: int | None = None
) -> list[str]:
    """The emulator's arguments. `lines` are the descriptors of monitor, debugger and test line; `overlay` is that of
    the file in which a tape's player keeps its snapshots.
    """
    monitor, gdb, qtest = lines
    words = [
        *("-nodefaults", "-no-user-config", "-display", "none", "-S"),
        # Without a local APIC an interrupt that is raised while the machine is stopped comes before the very next
        # instruction; with one, the emulator looks at it an instruction later.
        *("-cpu", "qemu32,-apic"),
        *("-machine", "pc", "-accel", "tcg,tb-size=32", "-m", str(setup.memory_mb)),
        *("-icount", f"shift={SHIFT},{tape.mode() if tape else 'sleep=off'}"),
        *("-rtc", "base=2024-01-01T00:00:00,clock=vm"),
        *("-action", "reboot=shutdown,shutdown=pause,watchdog=pause", "-device", "ib700"),
        *("-chardev", f"socket,id=monitor,fd={monitor}", "-mon", "chardev=monitor,mode=control"),
        *("-chardev", f"socket,id=gdb,fd={gdb}", "-gdb", "chardev:gdb"),
        *("-chardev", f"socket,id=qtest,fd={qtest}", "-object", "qtest,id=qtest,chardev=qtest"),
        *("-chardev", "stdio,id=serial,signal=off", "-serial", "chardev:serial"),
        *(tape.drive(setup.disk, disk, overlay) if tape else drive_options(setup.disk, backend(setup.disk, disk))),
        *("-fw_cfg", f"name=opt/kernelist/disk,file={path_of(disk)}"),
    ]
    if setup.screen:
        words += ["-vga", "std", "-option-rom", f"romfile={path_of(rom)},bootindex=0"]  # before the IDE disk
    else:
        words += ["-bios", path_of(rom)]
    if setup.exit_device:
        words += ["-device", "isa-debug-exit,iobase=0xf4,iosize=4"]
    if setup.trace:
        words += ["-d", "int,cpu_reset"]
    return words
