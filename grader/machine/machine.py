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
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from grader import untrusted
from grader.host.sandbox import Sandbox
from grader.machine.control import Control
from grader.machine.disk import Disk
from grader.machine.emulator import Emulator, Setup
from grader.machine.execution import PROBE_END, Awaited, Execution, Stop
from grader.machine.faults import EmulatorGone, NotAsRequired, NotOnThisMachine
from grader.machine.firmware import bios, option_rom
from grader.machine.keyboard import scan_codes
from grader.machine.preemption import Pattern
from grader.machine.qemu import Qemu
from grader.machine.report import ENTRY, LOG_MAX, Report, agreed, reports_in_memory, reports_on_console, unfinished_line
from grader.machine.symbols import SymbolTable
from grader.machine.witness import Witness

if TYPE_CHECKING:
    from grader.machine.tape import Tape

__all__ = ["WALL_CAP", "Machine", "Stop"]

WALL_CAP = 120.0
"""Seconds of wall-clock time that one call may run the guest before the test is ungradable."""

PLAYER_CAP = 30.0
"""The same for a player of a recording: one that goes another way than its log waits for ever."""

PROGRAM_START = "_start"
"""Where every program begins (kernel/user/start.asm)."""

_FALSE_ALARMS_MAX = 1000  # other programs that come to the address of probe_finish


class Machine(Execution):
    """One machine. A context manager; leaving it ends the emulator. See the module for how it runs."""

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
        """Use `Machine.start`."""
        super().__init__(
            control,
            symbols=symbols,
            programs=programs,
            memory_bytes=memory_bytes,
            guest_seconds=guest_seconds,
            wall_cap=wall_cap,
        )
        self._serial_seen = 0
        self._trace_file: Path | None = None
        self._tape: Tape | None = None
        self.nonce = 0
        """The value drawn for this machine, if it was given one."""
        self.probe: str | None = None
        """The program whose end `finish` awaits; any probe of the programs when None."""

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
        witness: Witness = Witness.QEMU,
        tape: Tape | None = None,
    ) -> Machine:
        """Start a machine with a disk image, stopped before its first instruction.

        `guest_seconds` (2 to 30, the next even number) of guest time may pass in all; `wall_cap` is in seconds
        of the host. `trace` is a file that gets the end of the emulator's log of interrupts when the machine ends.
        `witness` is the emulator, and `tape` what its run is recorded on or played from. Raises Ungradable when it is
        not there or does not start, NotOnThisMachine when it cannot do what the other words ask for.
        """
        setup = Setup(memory_mb, screen, exit_device, trace is not None, disk)
        known = symbols if symbols is not None else SymbolTable.empty()
        wall_cap = min(wall_cap, PLAYER_CAP) if tape is not None and tape.playing else wall_cap
        machine = _started(image, setup, sandbox, known, programs or {}, guest_seconds, wall_cap, witness, tape)
        machine.probe = probe
        if probe is not None:
            machine.guard_probe(probe)
        machine._trace_file = trace
        machine._tape = tape
        traced = replace(setup, trace=True)
        machine._again = lambda: _started(image, traced, sandbox, known, {}, guest_seconds, wall_cap, witness)
        return machine

    def close(self) -> None:
        """End the machine. May be called twice."""
        if self._trace_file is not None and not self._closed:
            with contextlib.suppress(OSError):
                self._control.drain_messages()
                self._trace_file.write_bytes(self._control.messages())
        super().close()

    @property
    def emulator(self) -> Emulator:
        """QEMU's process and its lines. Raises NotOnThisMachine for another emulator."""
        if not isinstance(self._control, Qemu):
            raise NotOnThisMachine(f"{self.witness.label} cannot be handed over to GDB")
        return self._control.emulator

    @property
    def plays(self) -> bool:
        """Whether it plays a recording."""
        return self._tape is not None and self._tape.playing

    def ask_bochs(self, line: str) -> str:
        """What Bochs's own debugger answers to a person's line. Raises NotOnThisMachine for another emulator."""
        if self.witness is not Witness.BOCHS:
            raise NotOnThisMachine(f"{self.witness.label} is looked into by GDB")
        from grader.machine.bochs import Bochs

        assert isinstance(self._control, Bochs)
        self._registers = None
        return self._control.tell(line)

    # The serial line

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

        The guest gets them as it runs, each when it has taken the one before. Raises LookupError for an unknown key.
        """
        self._interfered = True
        self._scan_codes += [code for key in keys for code in scan_codes(key)]
        self._new_limit()

    def wait_for_serial(self, pattern: bytes | re.Pattern[bytes]) -> re.Match[bytes]:
        """Run until the pattern, a literal or an expression, comes on COM1 after what the last call found.

        The guest then stops somewhere after it printed that: not at an exact instruction. Its time begins anew, since
        how long it idled meanwhile depends on the host.
        """
        expression = pattern if isinstance(pattern, re.Pattern) else re.compile(re.escape(pattern), re.S)
        found: list[re.Match[bytes]] = []

        def arrived() -> bool:
            match = None if found else self._search(expression)
            if match is not None:
                found.append(match)
            return bool(found)

        self._control.serial.drain()
        shown = untrusted.plain(pattern.pattern if isinstance(pattern, re.Pattern) else pattern)
        while not arrived():
            self._go(f"{shown!r} on the serial line", arrived)
        with contextlib.suppress(EmulatorGone):
            self._new_limit()
        return found[0]

    def _search(self, expression: re.Pattern[bytes]) -> re.Match[bytes] | None:
        buffer = self._control.serial.buffer
        data = buffer.since(self._serial_seen)
        match = expression.search(data)
        if match is not None:
            # Counted from the end, since the middle of a flood is not kept.
            self._serial_seen = buffer.total - (len(data) - match.end())
        return match

    # Running

    def run_to(self, where: str | int, program: str | None = None, *, times: int = 1, awaited: str = "") -> None:
        """Run until the processor is about to execute `where`: a symbol or address, of the kernel or of a program.

        With a program, other programs at the same address do not count. `times`: stop when it comes for the n-th time.
        `awaited`: what that means in the lab's words, for the message when it never comes ("the third message").
        """
        address = self._address(where, program)
        name = where if isinstance(where, str) else f"{where:#010x}"
        awaited = awaited or f"{name}{f' of {program}' if program else ''}"
        with self.breakpoint(address):
            left = times
            while left:
                stop = self._go(awaited)
                assert stop is not None
                if stop.address == address and stop.watched is None:
                    left -= program is None or self.runs_program(program, address)

    def finish(self, awaited: Awaited = "") -> Report:
        """Run until the probe calls probe_finish; returns what it reported. `awaited`: what has come to its end then,
        in the lab's words, for the message when it does not ("the return of all who waited for a killed process").
        `must_report` of grader/testing/reported.py also judges the reports, and says which never came.

        The stop counts only if ring 3 executes the probe's own code bytes, and a report only if the log in the probe's
        memory and the serial line agree on it. Raises MachineStopped when the probe does not come that far, and
        NotAsRequired when the witnesses disagree.
        """
        wanted = self._finishes()
        awaited = awaited or f"the end of the probe {' or '.join(wanted.values())}"
        with contextlib.ExitStack() as stack:
            for address in wanted:
                stack.enter_context(self.breakpoint(address))
            for _ in range(_FALSE_ALARMS_MAX):
                stop = self._go(awaited)
                assert stop is not None
                probe = wanted.get(stop.address) if stop.watched is None else None
                if probe is not None and self.runs_program(probe, stop.address):
                    self.unguard_probe()
                    return self._report(probe)
        raise NotAsRequired(f"other code than the probe's came {_FALSE_ALARMS_MAX} times to the address of its end")

    def _finishes(self) -> dict[int, str]:
        """Addresses of probe_finish, with whose they are."""
        names = [self.probe] if self.probe is not None else list(self.programs)
        found = {self.table(name).address(PROBE_END): name for name in names if PROBE_END in self.table(name)}
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
        return agreed(log, reports_on_console(self.serial), unfinished_line(self.serial))

    # Interference

    def inject_irq(self, number: int) -> None:
        """Raise interrupt request line 0 (timer) to 15, to be delivered before the next instruction that allows it."""
        self._interfered = True
        self._control.raise_irq(number)

    def preempt(self, pattern: Pattern, program: str) -> None:
        """From the first instruction of `program` on, the timer interrupts as the pattern says.

        A breakpoint among the first instructions cuts the pattern's delay short.
        """
        address = self.symbol(PROGRAM_START, program)

        def begin() -> None:
            if not self.runs_program(program, address):
                return
            start.remove()
            for _ in range(pattern.delay):
                self._step(1)
                if self._points_at(Stop(self.eip())):
                    break
            self._control.set_timer(pattern.counts)

        self._interfered = True
        start = self.observe(address, begin)

    def inject_nmi(self) -> None:
        """A non-maskable interrupt, before the next instruction."""
        self._interfered = True
        self._control.raise_nmi()

    def write_physical(self, address: int, data: bytes) -> None:
        """Write physical memory."""
        self._interfered = True
        super().write_physical(address, data)

    def silence_disk(self) -> None:
        """From now on the disk answers one more request, and then stays busy for minutes."""
        self._interfered = True
        self._control.silence_disk()

    def disk(self) -> bytes:
        """The present contents of the guest's disk."""
        return self._control.disk()

    # What it is now

    def describe(self) -> str:
        """The machine at this moment in some lines; what the diagnosis adds to its headline comes first."""
        lines = list(self.diagnosis.sentences[1:]) if self.diagnosis is not None else []
        return "\n".join([*lines, *self.state_in_words()])


def _started(
    image: bytes,
    setup: Setup,
    sandbox: Sandbox | None,
    symbols: SymbolTable,
    programs: Mapping[str, Path],
    guest_seconds: float,
    wall_cap: float,
    witness: Witness,
    tape: Tape | None = None,
) -> Machine:
    machine = Machine(
        _control(image, setup, sandbox, witness, tape),
        symbols=symbols,
        programs=programs,
        memory_bytes=setup.memory_mb << 20,
        guest_seconds=guest_seconds,
        wall_cap=wall_cap,
    )
    try:
        machine.connect()
    except BaseException:
        machine.close()
        raise
    return machine


def _control(image: bytes, setup: Setup, sandbox: Sandbox | None, witness: Witness, tape: Tape | None) -> Control:
    if witness is Witness.BOCHS:
        from grader.machine.bochs import Bochs  # no import of it for those who never ask for it

        if tape is not None:
            raise NotOnThisMachine(f"{witness.label} records no runs")
        return Bochs.started(image, setup, sandbox)
    emulator = Emulator(image, option_rom() if setup.screen else bios(), setup, sandbox, tape)
    if tape is None:
        return Qemu(emulator)
    from grader.machine.taped_qemu import TapedQemu

    return TapedQemu(emulator, tape)
