"""From a stopped machine to sentences: why it stopped, where, in which process and ring.

Every function here looks at the machine as it is and never fails: what cannot be found out is left out.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence

from grader import untrusted
from grader.machine.descriptors import Gate
from grader.machine.diagnosis import (
    DOUBLE_FAULT,
    PAGE_FAULT,
    Diagnosis,
    FaultLine,
    LoggedException,
    an_exception,
    error_code_in_words,
    exception_name,
    fault_lines,
    panic_line,
)
from grader.machine.faults import UnreadableMemory
from grader.machine.inspection import Inspection
from grader.machine.paging import why_it_faults
from grader.machine.registers import Registers
from grader.machine.report import reports_on_console
from grader.machine.symbols import SymbolMissing

SERIAL_LINES = 12

_KERNEL_HALF = 0xC0000000
_OUT_IMMEDIATE, _OUT_DX = (0xE6, 0xE7), (0xEE, 0xEF)


def serial_tail(output: bytes) -> str:
    """The last lines of the serial line, harmless to show."""
    return untrusted.excerpt(output, SERIAL_LINES)


def triple_fault(machine: Inspection, output: bytes, exceptions: Sequence[LoggedException]) -> Diagnosis:
    """A triple fault, from the exceptions that a traced run of the same image logged (none when it could not be)."""
    chain = _last_chain(exceptions)
    sentences = [f"Triple fault: the processor shut down at {machine.place()}{_in_ring(machine.registers())}."]
    if chain:
        first = chain[0]
        sentences[0] = (
            f"Triple fault: {_exception_at(machine, first)} could not be delivered, "
            "nor could the exceptions that followed from that, so the processor shut down."
        )
        sentences += _about_page_fault(machine, first)
    sentences += _about_delivery(machine, chain[0].vector if chain else None)
    return Diagnosis("triple fault", (*sentences, *_context(machine, output)), serial_tail(output))


def reset(machine: Inspection, output: bytes) -> Diagnosis:
    """A reset by the guest itself."""
    where = f"{machine.place()}{_in_ring(machine.registers())}"
    headline = f"The kernel reset the machine itself at {where} (through port 0x64, 0x92 or 0xCF9)."
    return Diagnosis("reset", (headline, *_context(machine, output)), serial_tail(output))


def stands_behind_output(machine: Inspection) -> bool:
    """Whether the instruction before the present one is OUT, which is how a guest resets its machine."""
    with contextlib.suppress(UnreadableMemory):
        before = machine.read_virtual(machine.registers().pc - 2, 2)
        return before[0] in _OUT_IMMEDIATE or before[1] in _OUT_DX
    return False


def switched_off(machine: Inspection, output: bytes) -> Diagnosis:
    """The guest switched the machine off."""
    headline = f"The kernel switched the machine off at {machine.place()}{_in_ring(machine.registers())}."
    return Diagnosis("reset", (headline, *_context(machine, output)), serial_tail(output))


def left(output: bytes, status: int) -> Diagnosis:
    """The guest ended its emulator."""
    headline = f"The kernel ended its machine by writing {status >> 1:#x} to port 0xF4 (isa-debug-exit)."
    return Diagnosis("left", (headline,), serial_tail(output))


def panic(machine: Inspection, output: bytes) -> Diagnosis:
    """The kernel came to `panic_halt`."""
    said = panic_line(output)
    if said is None:
        headline = "The kernel panicked without saying why."
        return Diagnosis("panic", (headline, *_context(machine, output)), serial_tail(output))
    reason = untrusted.plain(said.reason)
    if said.vector is None:
        headline = f"The kernel panicked: {reason}"
        return Diagnosis("panic", (headline, *_context(machine, output)), serial_tail(output))
    fault = LoggedException(said.vector, said.error_code, 0, 8, said.eip, said.eip, said.cr2)
    what = _exception_at(machine, fault)
    if said.eip < _KERNEL_HALF and not machine.symbols.place(said.eip).function:
        what = f"it took for its own {an_exception(said.vector)} at {machine.place(said.eip)}, which is not its code"
    sentences = [f"The kernel panicked: {what}.", *_about_page_fault(machine, fault)]
    return Diagnosis("panic", (*sentences, *_context(machine, output)), serial_tail(output))


def hang(
    machine: Inspection, output: bytes, visited: Callable[[], Sequence[str]], missed: str, limit: str
) -> Diagnosis:
    """The limit was reached. `visited` finds out in which functions it spins, for which the machine goes on a little,
    `missed` is what did not happen, as a clause ("the third message never came").
    """
    registers, faults = machine.registers(), fault_lines(output)
    states = [f"{name} ({pid}) is {state}" for pid, name, state in machine.process_states() if state != "ZOMBIE"]
    context = _context(machine, output, faults[:-1])
    if registers.halted and not registers.interrupts_enabled:
        what = f"the processor is halted for ever (HLT with interrupts disabled) at {machine.place()}"
    elif registers.halted:
        what = f"the machine is idle for ever, at {machine.place()}"
    else:
        place = machine.place()
        what = f"the machine spins in {_listed(visited()) or place}{_in_ring(registers)}"
        what += "" if registers.interrupts_enabled else ", with interrupts disabled"
    sentences = [f"{missed[:1].upper()}{missed[1:]} within {limit}: {what}."]
    if faults:
        sentences = [f"{process_fault(machine, faults[-1])}. {missed[:1].upper()}{missed[1:]}.", f"Now {what}."]
    if states:
        sentences.append("Processes: " + ", ".join(states[:16]) + ".")
    return Diagnosis("hang", (*sentences, *context), serial_tail(output))


def probe_ended(output: bytes, probe: str, awaited: str) -> Diagnosis:
    """The probe came to its end, and what was awaited never came before."""
    reports = [f"{key}={value:#x}" for key, value in reports_on_console(output)[-6:]]
    said = f"; its last reports: {', '.join(reports)}" if reports else " and reported nothing"
    headline = f"The probe {probe} ended before {awaited} came{said}."
    return Diagnosis("probe ended", (headline,), serial_tail(output))


def process_fault(machine: Inspection, fault: FaultLine) -> str:
    """An exception in ring 3 that the kernel printed, as a clause without its full stop."""
    where = f"{fault.eip:#010x}"
    with contextlib.suppress(SymbolMissing):
        found = machine.table(fault.program).place(fault.eip)
        where = str(found)
    words = error_code_in_words(fault.vector, fault.error_code, fault.cr2)
    name = untrusted.plain(fault.program)
    decoded = f" ({words})" if words else ""
    what = f"{an_exception(fault.vector)} at {where}{decoded}"
    return f"The kernel ended process {fault.pid} ({name}) because of {what}"


def process_in_words(machine: Inspection) -> str:
    """The running process and its ring, as the kernel's own variables have it; empty when they cannot be read."""
    running = machine.running_process()
    return f"process {running[0]} ({untrusted.plain(running[1]) or 'idle'})" if running is not None else ""


def state_in_words(machine: Inspection) -> list[str]:
    """The machine at this moment, a line each: place, process, registers, control registers, calls."""
    registers = machine.registers()
    lines = [f"at {machine.place()}{_in_ring(registers)}, after {machine.instructions():,} instructions"]
    process = process_in_words(machine)
    if process:
        lines.append(f"running: {process}")
    general = registers.general()
    lines.append(" ".join(f"{name}={value:08x}" for name, value in list(general.items())[:4]))
    lines.append(" ".join(f"{name}={value:08x}" for name, value in list(general.items())[4:]))
    flags = f"{registers.eflags:08x} (IF={int(registers.interrupts_enabled)} IOPL={registers.iopl})"
    segments = f"cs={registers.cs.selector:04x} ss={registers.ss.selector:04x}"
    lines.append(f"eip={registers.eip:08x} eflags={flags} {segments}")
    lines.append(f"cr0={registers.cr0:08x} cr2={registers.cr2:08x} cr3={registers.cr3:08x} cr4={registers.cr4:08x}")
    calls = machine.backtrace()
    if len(calls) > 1:
        lines.append("calls: " + " < ".join(calls))
    return lines


def _last_chain(exceptions: Sequence[LoggedException]) -> list[LoggedException]:
    """The exceptions that led to the triple fault, from the first cause to the last, all at one instruction."""
    chain: list[LoggedException] = []
    for found in reversed(exceptions):
        if chain and not (found.pc == chain[0].pc and _followed_from(chain[0], found)):
            break
        chain.insert(0, found)
    return chain


def _followed_from(later: LoggedException, earlier: LoggedException) -> bool:
    """Whether `later` was raised by the attempt to deliver `earlier`."""
    if later.vector == DOUBLE_FAULT:
        return earlier.vector != DOUBLE_FAULT
    if later.vector == PAGE_FAULT:
        return earlier.vector not in (PAGE_FAULT, DOUBLE_FAULT)
    names_gate = bool(later.error_code & 2)
    return names_gate and later.error_code >> 3 == earlier.vector


def _exception_at(machine: Inspection, found: LoggedException) -> str:
    words = error_code_in_words(found.vector, found.error_code)
    ring = f" in ring {found.cpl}"
    return f"{an_exception(found.vector)} at {_place(machine, found)}{ring}" + (f" ({words})" if words else "")


def _place(machine: Inspection, found: LoggedException) -> str:
    if found.cpl == 3:
        return machine.place(found.pc)
    place = machine.symbols.place(found.pc)
    return str(place) if place.function else f"{found.pc:#x}"


def _about_page_fault(machine: Inspection, found: LoggedException) -> list[str]:
    if found.vector != PAGE_FAULT or found.cr2 is None:
        return []
    if not machine.registers().paging:
        return [f"The address was {found.cr2:#010x} (CR2)."]
    with contextlib.suppress(Exception):
        walk = machine.walk(found.cr2)
        reason = why_it_faults(walk, found.error_code, machine.registers().cr0)
        return [f"The address was {found.cr2:#010x} (CR2); {reason}: {walk}."]
    return [f"The address was {found.cr2:#010x} (CR2), and the page tables cannot be read."]


def _about_delivery(machine: Inspection, vector: int | None) -> list[str]:
    """Why the IDT did not help."""
    table = machine.registers().idtr
    try:
        gates = machine.idt()
    except Exception:
        return [f"The IDT at {table.base:#010x} lies where nothing is mapped."]
    wanted = [number for number in (vector, DOUBLE_FAULT) if number is not None]
    missing = [number for number in dict.fromkeys(wanted) if number >= len(gates) or not _usable(gates[number])]
    if not missing:
        stack = machine.registers().ss
        return [f"The IDT has gates for it; the stack was {stack.selector:#06x}:{machine.registers().esp:#010x}."]
    names = " and ".join(exception_name(number) for number in missing)
    return [f"The IDT (at {table.base:#010x}, limit {table.limit:#x}) has no usable gate for {names}."]


def _usable(gate: Gate) -> bool:
    return gate.present and gate.type in (5, 6, 7, 14, 15)


def _in_ring(registers: Registers) -> str:
    return f" in ring {registers.cpl}" if registers.protected else " in real mode"


def _context(machine: Inspection, output: bytes, faults: Sequence[FaultLine] | None = None) -> list[str]:
    """Processes that exceptions ended before (default: all that the kernel printed)."""
    shown = fault_lines(output) if faults is None else faults
    return [f"Before: {process_fault(machine, fault)}." for fault in shown[-3:]]


def _listed(names: Sequence[str]) -> str:
    shown = list(names[:4])
    if len(names) > 4:
        shown.append(f"{len(names) - 4} more functions")
    return shown[0] if len(shown) == 1 else ", ".join(shown[:-1]) + " and " + shown[-1] if shown else ""
