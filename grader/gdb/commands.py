"""GDB commands for kernels: processes, page walks, descriptor tables, the current ring. `help kernelist` lists them.

Loaded by `./lab debug` into a GDB that is connected to the machine. They decode with the very code that the grader
judges with; what GDB's protocol does not carry (GDTR, IDTR, TR, control registers) comes from the emulator's monitor.
"""

# mypy: disable-error-code=misc
# GDB brings its module along; outside of it the classes derived from are unknown.

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import gdb  # type: ignore[import-untyped]

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from grader.machine import fence, paging
from grader.machine.descriptors import Gate, Segment, decode_idt, decode_table, decode_task_state
from grader.machine.registers import Registers, parse_registers

NAMES = ("processes", "walk", "mappings", "gdt", "idt", "tss", "ring", "descriptors", "who-wrote")


def registers() -> Registers:
    """All registers, from the emulator's monitor."""
    return parse_registers(gdb.execute("monitor info registers", to_string=True))


def read_virtual(address: int, length: int) -> bytes:
    """Memory as the processor sees it now."""
    return bytes(gdb.selected_inferior().read_memory(address, length))


@contextmanager
def physical_addresses() -> Iterator[None]:
    """Within this, the emulator takes memory addresses as physical."""
    gdb.execute("maintenance packet Qqemu.PhyMemMode:1", to_string=True)
    try:
        yield
    finally:
        gdb.execute("maintenance packet Qqemu.PhyMemMode:0", to_string=True)


def read_physical(address: int, length: int) -> bytes:
    """Physical memory."""
    with physical_addresses():
        return read_virtual(address, length)


def numbers(argument: str) -> list[int]:
    """The arguments of a command, each a GDB expression without blanks."""
    return [int(gdb.parse_and_eval(word)) & 0xFFFFFFFF for word in gdb.string_to_argv(argument)]


class Kernelist(gdb.Command):
    """List the commands that Kernelist adds to GDB."""

    def __init__(self) -> None:
        super().__init__("kernelist", gdb.COMMAND_SUPPORT)

    def invoke(self, _argument: str, _from_tty: bool) -> None:
        """Print each command's first line of help."""
        for name in NAMES:
            first = gdb.execute(f"help {name}", to_string=True).splitlines()[0]
            print(f"{name:10} {first}")


class Processes(gdb.Command):
    """Show the kernel's list of processes; the running one is marked.

    Reads the variables `processes` and `current_process` of the kernel.
    """

    def __init__(self) -> None:
        super().__init__("processes", gdb.COMMAND_DATA)

    def invoke(self, _argument: str, _from_tty: bool) -> None:
        """Print a line for each process."""
        table = gdb.parse_and_eval("processes")
        current = int(gdb.parse_and_eval("current_process"))
        print("   pid  state      page directory  name")
        for index in range(*table.type.range()):
            self._show(table[index], current)

    def _show(self, pointer: gdb.Value, current: int) -> None:
        if not int(pointer):
            return
        process = pointer.dereference()
        mark = "*" if int(pointer) == current else " "
        directory = int(process["context"]["page_directory"])
        name = process["name"].string(errors="replace")
        print(f"{mark} {int(process['pid']):4}  {process['state']!s:9}  {directory:#010x}      {name}")


class Walk(gdb.Command):
    """Walk the page tables for an address: walk ADDRESS [CR3].

    Without CR3, in the address space of the running process.
    """

    def __init__(self) -> None:
        super().__init__("walk", gdb.COMMAND_DATA)

    def invoke(self, argument: str, _from_tty: bool) -> None:
        """Print both entries and where the address leads."""
        words = numbers(argument)
        if not words:
            raise gdb.GdbError("walk ADDRESS [CR3]")
        now = registers()
        large = paging.large_pages_enabled(now.cr4)
        found = paging.walk(read_physical, words[1] if len(words) > 1 else now.cr3, words[0], large_pages=large)
        directory, index = words[0] >> 22, words[0] >> 12 & 1023
        print(f"page directory {found.cr3:#010x}, entry {directory}: {found.directory_entry:#010x}")
        if found.table_entry is not None:
            print(f"page table {found.directory_entry & paging.FRAME:#010x}, entry {index}: {found.table_entry:#010x}")
        print(found)


class Mappings(gdb.Command):
    """Show what is mapped, neighbouring pages of the same rights together: mappings [START [END]].

    Without an argument, the part below the kernel (0 to 0xc0000000).
    """

    def __init__(self) -> None:
        super().__init__("mappings", gdb.COMMAND_DATA)

    def invoke(self, argument: str, _from_tty: bool) -> None:
        """Print a line for each run of pages."""
        start, end = [*numbers(argument), 0, 0][:2] if argument else (0, 0xC0000000)
        now = registers()
        large = paging.large_pages_enabled(now.cr4)
        pages = paging.mappings(read_physical, now.cr3, start, end or 1 << 32, large_pages=large)
        for virtual, physical, length, rights in runs(pages):
            print(f"{virtual:#010x} to {virtual + length - 1:#010x}  at physical {physical:#010x}  {rights}")


def runs(pages: Iterator[paging.Mapping]) -> Iterator[tuple[int, int, int, str]]:
    """(virtual, physical, bytes, rights) of neighbouring pages that lie one after the other in memory too."""
    run: tuple[int, int, int, str] | None = None
    for page in pages:
        rights = paging.rights(page.writable, page.user)
        if run and (page.virtual, page.physical, rights) == (run[0] + run[2], run[1] + run[2], run[3]):
            run = (*run[:2], run[2] + page.page_bytes, rights)
            continue
        if run:
            yield run
        run = (page.virtual, page.physical, page.page_bytes, rights)
    if run:
        yield run


class Gdt(gdb.Command):
    """Show the global descriptor table, decoded."""

    def __init__(self) -> None:
        super().__init__("gdt", gdb.COMMAND_DATA)

    def invoke(self, _argument: str, _from_tty: bool) -> None:
        """Print a line for each entry."""
        table = registers().gdtr
        print(f"GDT at {table.base:#010x}, limit {table.limit:#x}")
        for entry in decode_table(read_virtual(table.base, min(table.limit + 1, 1024))):
            print(entry)


class Idt(gdb.Command):
    """Show the interrupt descriptor table, decoded; gates that are not present are left out."""

    def __init__(self) -> None:
        super().__init__("idt", gdb.COMMAND_DATA)

    def invoke(self, _argument: str, _from_tty: bool) -> None:
        """Print a line for each gate, with the routine that it leads to."""
        table = registers().idtr
        print(f"IDT at {table.base:#010x}, limit {table.limit:#x}")
        for gate in decode_idt(read_virtual(table.base, min(table.limit + 1, 2048))):
            if gate.present:
                print(f"{gate} {symbol_at(gate.offset)}")


class Tss(gdb.Command):
    """Show the task state segment: the stacks of the inner rings, and which ports ring 3 may use."""

    def __init__(self) -> None:
        super().__init__("tss", gdb.COMMAND_DATA)

    def invoke(self, _argument: str, _from_tty: bool) -> None:
        """Print what of it matters."""
        task = registers().tr
        state = decode_task_state(read_virtual(task.base, min(task.limit + 1, 8296)), task.limit)
        print(f"TSS at {task.base:#010x}, limit {task.limit:#x}, selector {task.selector:#06x}")
        print(f"ring 0 stack {state.ss0:#06x}:{state.esp0:#010x}")
        if state.ss1 or state.ss2:
            print(f"ring 1 stack {state.ss1:#06x}:{state.esp1:#010x}, ring 2 stack {state.ss2:#06x}:{state.esp2:#010x}")
        ports = state.allowed_ports()
        shown = ", ".join(f"{port:#x}" for port in ports[:32]) + (" ..." if len(ports) > 32 else "")
        print(f"I/O bitmap at offset {state.io_map_base:#x}: ports allowed to ring 3: {shown or 'none'}")


class Ring(gdb.Command):
    """Show the current privilege level, and what decides about it: CS, SS, IF, IOPL, CR0, CR3."""

    def __init__(self) -> None:
        super().__init__("ring", gdb.COMMAND_DATA)

    def invoke(self, _argument: str, _from_tty: bool) -> None:
        """Print it in a few lines."""
        now = registers()
        mode = "protected mode" if now.protected else "real mode"
        print(f"ring {now.cpl} ({mode}), at {now.pc:#010x} {symbol_at(now.pc)}")
        print(f"cs {now.cs.selector:#06x} (DPL {now.cs.dpl})  ss {now.ss.selector:#06x} (DPL {now.ss.dpl})")
        print(f"IF {int(now.interrupts_enabled)}  IOPL {now.iopl}  halted {'yes' if now.halted else 'no'}")
        print(f"cr0 {now.cr0:#010x} (paging {int(now.paging)}, WP {int(now.write_protect)})  cr3 {now.cr3:#010x}")


class Descriptors(gdb.Command):
    """Show the descriptors of the GDT and of the LDT that is loaded, in columns, and what is wrong with them.

    Wrong is what lets rings 1 to 3 into the kernel's memory, from 0xc0000000 on: limits, gates, stacks, ports, flags.
    """

    def __init__(self) -> None:
        super().__init__("descriptors", gdb.COMMAND_DATA)

    def invoke(self, _argument: str, _from_tty: bool) -> None:
        """Print the tables and a line for each finding."""
        now = registers()
        gdt = fence.Table("GDT", now.gdtr.base, now.gdtr.limit, self._entries(now.gdtr.base, now.gdtr.limit))
        ldt = None
        if now.ldtr.selector & ~3:
            entries = self._entries(now.ldtr.base, now.ldtr.limit)
            ldt = fence.Table(f"LDT {now.ldtr.selector:#06x}", now.ldtr.base, now.ldtr.limit, entries)
        for table in (gdt, ldt):
            if table is not None:
                print("\n".join(fence.columns(table)) + "\n")
        task = decode_task_state(read_virtual(now.tr.base, min(now.tr.limit + 1, 8296)), now.tr.limit)
        findings = [*fence.of_tables(gdt, ldt), *fence.of_task_state(task, gdt, ldt), *fence.of_registers(now)]
        print("\n".join(findings) or "nothing lets rings 1 to 3 into the kernel's memory")

    def _entries(self, base: int, limit: int) -> list[Segment | Gate]:
        return decode_table(read_virtual(base, min(limit + 1, 1024)))


class WhoWrote(gdb.Command):
    """Go back to the last write to a variable: who-wrote EXPRESSION. For a run that can go back: ./lab debug --reverse.

    The processor stands right after the write then, for `list`, `up`, `print`. The same again finds the write before
    it. `reverse-step`, `reverse-finish` and `reverse-continue` go further back, `continue` comes forward again.
    """

    def __init__(self) -> None:
        super().__init__("who-wrote", gdb.COMMAND_RUNNING)

    def invoke(self, argument: str, _from_tty: bool) -> None:
        """Go back, and print the moment, the value before and after, and the calls that led there."""
        if not argument:
            raise gdb.GdbError("who-wrote EXPRESSION, for example: who-wrote journal.capacity")
        moments = snapshots()
        if not moments:
            raise gdb.GdbError("this run cannot go back: open it with ./lab debug LAB TEST --reverse")
        place = self._place_of(argument)  # scopes end on the way
        with without_notices():
            self._go_back(place)
            moment = instructions()
            if moment <= moments[0]:
                print(f"Nothing wrote to {argument} since instruction {moments[0]:,}; no further back.")
                return
            after = place.dereference().format_string()
            gdb.execute("reverse-stepi", to_string=True)
            before = place.dereference().format_string()
            gdb.execute("stepi", to_string=True)
        print(f"{argument}: {before} -> {after}, written by the instruction before number {moment:,}:")
        gdb.execute("backtrace 8")

    def _place_of(self, argument: str) -> gdb.Value:
        """A pointer to what is asked for, which names no variable any more."""
        try:
            value = gdb.parse_and_eval(argument)
        except gdb.error as error:
            raise gdb.GdbError(str(error)) from error
        if value.address is None:
            raise gdb.GdbError(f"{argument} does not lie in memory: name a variable, for example journal.capacity")
        return gdb.Value(int(value.address)).cast(value.type.pointer())

    def _go_back(self, place: gdb.Value) -> None:
        """Run backwards to the last write, or to the recording's beginning."""
        size = place.type.target().sizeof  # as bytes, since not every type has a name
        gdb.execute(f"watch *(unsigned char (*)[{size}]) {int(place):#x}", to_string=True)
        number = int(gdb.parse_and_eval("$bpnum"))
        try:
            gdb.execute("reverse-continue", to_string=True)
        finally:
            gdb.execute(f"delete {number}", to_string=True)


@contextmanager
def without_notices() -> Iterator[None]:
    """Within this, GDB does not say where it stops (older than GDB 13, it does)."""
    with suppress(gdb.error):
        gdb.execute("set suppress-cli-notifications on")
    try:
        yield
    finally:
        with suppress(gdb.error):
            gdb.execute("set suppress-cli-notifications off")


FORWARD = ("continue", "step", "next", "stepi", "nexti", "finish", "until", "advance")


def instructions() -> int:
    """How many instructions the machine has executed at this moment of a recording."""
    said = gdb.execute("monitor info replay", to_string=True)  # "Replaying execution '...': instruction count = 4711"
    return int(said.rpartition("=")[2])


def snapshots() -> list[int]:
    """Moments, in instructions, of a recording's snapshots: the first is as far back as time can be turned, the last is
    the recording's end. Empty when the machine plays no recording, or there is none yet.
    """
    rows: list[str] = []
    with suppress(gdb.error):
        rows = gdb.execute("monitor info snapshots", to_string=True).splitlines()
    return sorted(int(row.split()[-1]) for row in rows if re.match(r"\S+\s+moment", row))


def not_too_far_back(_event: gdb.Event) -> None:
    """Going back without finding anything, the emulator comes to a moment before the first snapshot, from which a run
    goes on without what the test did to the machine. Back to that snapshot, then.
    """
    if instructions() < snapshots()[0]:
        gdb.execute("monitor loadvm moment0", to_string=True)
        gdb.execute("maintenance flush register-cache", to_string=True)


class Forward(gdb.Command):
    """Precedes each command that goes forward: a recording must not run past its end.

    There the machine switches off, and cannot be turned back any more.
    """

    def __init__(self) -> None:
        super().__init__("kernelist-forward", gdb.COMMAND_RUNNING)

    def invoke(self, _argument: str, _from_tty: bool) -> None:
        """Have the machine stop at the end; refuse to go on there."""
        if "Reverse" in gdb.execute("show exec-direction", to_string=True):  # GDB makes `reverse-step` of `step`
            return
        end = snapshots()[-1]
        if instructions() >= end:
            raise gdb.GdbError("The recording ends here: only back (reverse-...) leads on.")
        gdb.execute(f"monitor replay_break {end}", to_string=True)


class Connected(gdb.Command):
    """Leaves GDB, if Ctrl-C kept it from its machine: there is nothing to be seen then."""

    def __init__(self) -> None:
        super().__init__("kernelist-connected", gdb.COMMAND_RUNNING)

    def invoke(self, _argument: str, _from_tty: bool) -> None:
        """End with the status that ./lab knows (interactive/debugging.py)."""
        if not gdb.selected_inferior().threads():
            gdb.execute("quit 130")


def announce_recording() -> None:
    """Of a machine that plays a recording, say how far back it goes, and guard its end."""
    moments = snapshots()
    if moments:
        print(f"A recording: time can be turned back to instruction {moments[0]:,} of {moments[-1]:,}.")
        print("`who-wrote VARIABLE` finds the last write; also reverse-step, reverse-finish, reverse-continue.")
        gdb.events.stop.connect(not_too_far_back)
        for name in FORWARD:
            gdb.execute(f"define hook-{name}\nkernelist-forward\nend")


def symbol_at(address: int) -> str:
    """`<name+offset>` as GDB knows it, or nothing."""
    said = gdb.execute(f"info symbol {address:#x}", to_string=True).strip()
    return "" if said.startswith("No symbol") else f"<{said.split(' in section')[0]}>"


for command in (Kernelist, Processes, Walk, Mappings, Gdt, Idt, Tss, Ring, Descriptors, WhoWrote, Forward, Connected):
    command()
announce_recording()
