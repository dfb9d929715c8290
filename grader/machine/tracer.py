"""Traces a run: stops the machine at every door of the kernel, and writes down who passes it.

The doors are found from outside: the IDT's present gates once LIDT has loaded it, the call gates of the LDT that is in
force, and in the kernel's code every byte that could begin an IRET or a load of CR3. A byte that begins no
instruction costs nothing: the processor never comes there.

A stop disturbs no run while a recording of it is played: that is what this is for. There is more in most runs than a
person can look through, and each stop costs a millisecond, so the beginning and the end of a run are traced.
"""

from __future__ import annotations

import contextlib
import re
import struct
from collections.abc import Callable
from typing import Any

from grader import untrusted
from grader.machine import address_space
from grader.machine.address_space import AddressSpace
from grader.machine.calls import CallBook, Post
from grader.machine.diagnosis import PAGE_FAULT, error_code_in_words
from grader.machine.execution import Execution, PointGuard
from grader.machine.faults import UnreadableMemory
from grader.machine.inspection import Inspection
from grader.machine.line_clock import OUT_DX_AL, LineClock
from grader.machine.message_calls import MessageCalls
from grader.machine.paging import PAGE_BYTES
from grader.machine.registers import Registers
from grader.machine.symbols import SymbolMissing, SymbolTable
from grader.machine.timeline import (
    SYSTEM_CALL_VECTOR,
    Event,
    Kind,
    Process,
    Timeline,
    result_in_words,
    vector_name,
)

FIRST_EVENTS = 150
"""Events at the beginning of a run that are kept."""

LATER_EVENTS, AIMED_AT, LATER_TRIES = 450, 300, 3
"""Events that are kept at most of each try to see the end, and tries. The place from which on there are about
`AIMED_AT` is estimated from how close together the last events were; when that was too early by far, the next is made.
"""

MAPS_MAX = 8
"""Page faults at which the address space is looked at: it takes as long as twenty stops."""

PROCESSES_MAX = 24
"""Processes that get a lane of their own."""

PLACE_LIMIT = 100
"""Characters of where an event happened, in words: names of functions may have any length."""

PLACES_MAX = 2000
"""Places that are stopped at. A kernel has about a hundred, and each costs a millisecond whenever a look begins: a
hand-in that has many more, by mistake or on purpose, must not hold up its grading.
"""

_IRET = re.compile(rb"\xcf")
_LOAD_CR3 = re.compile(rb"\x0f\x22[\xd8-\xdf]")
_LOAD_IDT = re.compile(rb"\x0f\x01[\x18-\x1f\x58-\x5f\x98-\x9f]")
_WITH_ERROR_CODE = frozenset((8, 10, 11, 12, 13, 14, 17, 21))  # the processor pushes one
_CALL_GATE = 12
_DENSITY_OVER = 100  # events from which the distance between events is estimated
_FAULTS = range(32)
_FOR_EVER = 1 << 64

Jump = Callable[[int, Callable[[], None]], None]
"""Asks that a function be called when the run has come to that count of instructions."""


class Tracer:
    """Looks over one machine's shoulder until `finish`. `end` is where its run will end, if that is known: then, and if
    it can `jump`, the middle of a long run is left out. Otherwise what is left out is the rest.
    """

    def __init__(
        self, machine: Execution, messages: MessageCalls, *, end: int | None = None, jump: Jump | None = None
    ) -> None:
        self._machine = machine
        self._end, self._jump = end, jump
        self._made = Timeline(processes=[Process(0, "")])
        self._lanes: dict[tuple[int, str], int] = {(0, ""): 0}
        self._post = Post(machine, messages, self._lane)
        self._book: CallBook | None = None
        self._open: dict[int, list[int]] = {}  # of each process, the entries that have not returned
        self._calls: dict[int, tuple[str, tuple[int, ...]]] = {}  # of those that are system calls: name, arguments
        self._gates: dict[int, list[int]] = {}  # entry point: vectors
        self._far_gates: set[int] = set()
        self._far_returns: set[int] = set()
        self._descriptors: set[tuple[int, int]] = set()
        self._points: list[PointGuard] = []
        self._clock = LineClock(machine)
        self._maps_left = MAPS_MAX
        self.memory: AddressSpace | None = None
        """What was mapped when the last page fault came."""
        self._pages: dict[tuple[int, int], int] = {}  # (CR3, virtual page): physical, since CR3 was loaded last
        self._left = FIRST_EVENTS
        """Events that are still to be kept before something is left out; 0 while nobody looks."""
        self._tries = LATER_TRIES
        self._looking = False
        self._gates_left_out = False
        self._crowded = False
        self._lidt = [machine.observe(place, self._loads_idt) for place in _places(machine, _LOAD_IDT)]

    # Doors

    def _loads_idt(self) -> None:
        """Just before LIDT: let it be executed, and look at what it loaded."""
        self._machine.step_over()
        if self._looking:
            self._look_at_idt()
        elif self._left:
            self._look()

    def _look(self) -> None:
        """From now on, stop at every door."""
        self._looking = True
        self._look_at_idt()
        for pattern, seen in ((_IRET, self._returning), (_LOAD_CR3, self._loading_cr3)):
            self._points += [self._machine.observe(place, seen) for place in _places(self._machine, pattern)]
        self._clock.start()

    def _look_away(self) -> None:
        """From now on, stop nowhere."""
        self._looking = False
        for point in self._points:
            point.remove()
        self._points = []
        self._clock.stop()
        self._gates, self._far_gates, self._far_returns, self._descriptors = {}, set(), set(), set()
        self._open, self._calls, self._pages = {}, {}, {}
        self._post.forget()

    def _look_at_idt(self) -> None:
        with contextlib.suppress(UnreadableMemory):
            for gate in self._machine.idt():
                if not gate.present or not gate.offset:
                    continue
                if gate.offset not in self._gates:
                    self._gates[gate.offset] = []
                    self._points.append(self._machine.observe(gate.offset, self._at(gate.offset, self._entered)))
                if gate.index not in self._gates[gate.offset]:
                    self._gates[gate.offset].append(gate.index)

    def _look_at_call_gates(self, now: Registers) -> None:
        """Call gates of an LDT that has not been in force before."""
        key = now.ldtr.base, now.cr3
        if now.ldtr.selector & ~3 == 0 or key in self._descriptors:
            return
        self._descriptors.add(key)
        with contextlib.suppress(UnreadableMemory):
            for entry in self._machine.ldt():
                target = getattr(entry, "offset", 0)
                if not entry.present or entry.type != _CALL_GATE or not target or target in self._far_gates:
                    continue
                if len(self._points) >= PLACES_MAX:
                    self._gates_left_out = True
                    return
                self._far_gates.add(target)
                self._points.append(self._machine.observe(target, self._at(target, self._called_far)))

    @staticmethod
    def _at(address: int, seen: Callable[[int], None]) -> Callable[[], None]:
        return lambda: seen(address)

    # What happens at them

    def _entered(self, address: int) -> None:
        """At the first instruction behind a gate of the IDT; the stack is as the processor left it."""
        now = self._machine.registers()
        vectors = self._gates.get(address, [])
        vector = vectors[0] if len(vectors) == 1 else None
        error, eip, cs = 0, *self._words(now, 2)
        if vector in _WITH_ERROR_CODE:
            error, eip, cs = self._words(now, 3)
        lane = self._running(now)
        facts: dict[str, Any] = {"vector": vector, "place": self._place(lane, cs & 3, eip)}
        what = vector_name(vector) if vector is not None else "interrupt"
        if vector == SYSTEM_CALL_VECTOR:
            arguments = (now.ebx, now.ecx, now.edx, now.esi, now.edi)
            what = self._names().name(now.eax)
            facts["details"] = " ".join(
                f"{name}={value:#x}" for name, value in zip(("ebx", "ecx", "edx"), arguments, strict=False)
            )
        elif vector is not None and vector in _FAULTS:
            facts["failed"] = True
            facts["details"] = error_code_in_words(vector, error, now.cr2 if vector == PAGE_FAULT else None)
        place = self._add(Kind.ENTRY, lane, cs & 3, what, **facts)
        if place is None:
            return
        if vector == PAGE_FAULT and self._maps_left:
            self._maps_left -= 1
            self.memory = address_space.seen_in(self._machine, "when the last page fault came") or self.memory
        self._open.setdefault(lane, []).append(place)
        if vector == SYSTEM_CALL_VECTOR:
            self._calls[place] = what, arguments
            self._post.call(self._made.events[place].at, lane, what, arguments)

    def _returning(self) -> None:
        """Before an IRET: the registers are those that the interrupted code gets back."""
        now = self._machine.registers()
        eip, cs = self._words(now, 2)
        lane = self._running(now)
        entries = self._open.get(lane, [])
        begun = entries.pop() if entries else None
        what, failed = "", False
        name, arguments = self._calls.pop(begun, ("", ())) if begun is not None else ("", ())
        if name:
            what, failed = result_in_words(now.eax, self._names().errors)
        place = self._place(lane, cs & 3, eip)
        self._add(Kind.RETURN, lane, cs & 3, what, begun=begun, place=place, failed=failed)
        if name:
            self._post.result(self._machine.instructions(), lane, name, arguments, failed=failed)
        if self._looking:
            self._look_at_call_gates(now)

    def _loading_cr3(self) -> None:
        """Before a load of CR3: let it be executed, and see whether another process runs. It need not: a kernel may
        load another address space for a moment, to copy from it.
        """
        self._machine.step_over()
        self._pages.clear()
        now = self._machine.registers()
        lane = self._running(now)
        if not self._made.events or lane != self._made.events[-1].process:
            self._add(Kind.SWITCH, lane, now.cpl)

    def _called_far(self, address: int) -> None:
        """At the first instruction behind a call gate."""
        now = self._machine.registers()
        eip, cs = self._words(now, 2)
        lane = self._running(now)
        what = untrusted.name(self._table_of(lane).place(address).function) or "far call"
        details = f"eax={now.eax:#x} ebx={now.ebx:#x} ecx={now.ecx:#x} edx={now.edx:#x}"
        place = self._add(Kind.FAR_CALL, lane, now.cpl, what, details=details, place=self._place(lane, cs & 3, eip))
        if place is None:
            return
        self._open.setdefault(lane, []).append(place)
        if eip not in self._far_returns:
            self._far_returns.add(eip)
            self._points.append(self._machine.observe(eip, self._at(eip, self._returned_far)))

    def _returned_far(self, eip: int) -> None:
        """At the instruction behind a far call, perhaps come from elsewhere."""
        now = self._machine.registers()
        lane = self._running(now)
        entries = self._open.get(lane, [])
        if not entries or self._made.events[entries[-1]].kind is not Kind.FAR_CALL:
            return
        what, failed = result_in_words(now.eax, self._names().errors)
        begun, place = entries.pop(), self._place(lane, now.cpl, eip)
        self._add(Kind.FAR_RETURN, lane, now.cpl, what, begun=begun, place=place, failed=failed)

    # What is written down

    def _add(self, kind: Kind, lane: int, ring: int, what: str = "", **facts: Any) -> int | None:
        """Write an event down; its place, or None when nobody is looking any more."""
        if not self._left:
            return None
        at = self._machine.instructions()
        self._clock.look(at)
        self._made.events.append(Event(at, kind, lane, ring, what, **facts))
        self._left -= 1
        if not self._left:
            self._leave_out(at)
        return len(self._made.events) - 1 if self._looking else None

    def _leave_out(self, now: int) -> None:
        """Enough was seen: look away until shortly before the end, if that is not now, or for ever."""
        recent = self._made.events[-_DENSITY_OVER:]
        distance = (recent[-1].at - recent[0].at) / len(recent)
        if self._jump is None or self._end is None or not self._tries:
            self._look_away()
            self._made.gaps.append((now, _FOR_EVER))
            return
        self._tries -= 1
        moment = self._end - int(distance * AIMED_AT)
        if moment > now:
            self._look_away()
            self._made.gaps.append((now, moment))
            self._jump(moment, self._look_again)
        else:
            self._left = LATER_EVENTS

    def _look_again(self) -> None:
        """The gap is over."""
        self._left = LATER_EVENTS
        self._look()

    def finish(self, ending: str) -> Timeline:
        """Stop looking. Returns what was seen up to where the machine is now, which is where its run ended."""
        self._look_away()
        for point in self._lidt:
            point.remove()
        made = self._made
        made.end, made.ending, made.messages = self._machine.instructions(), ending, self._post.messages
        made.gaps = [(start, min(stop, made.end)) for start, stop in made.gaps if start < made.end]
        made.serial = self._clock.lines(made.end)
        if self._crowded:
            made.notes.append(f"Only {PROCESSES_MAX} processes have a lane; what others did is in the last one.")
        if self._gates_left_out:
            made.notes.append("There are too many call gates to stop at: calls through most of them are not shown.")
        return made

    # Looking

    def _names(self) -> CallBook:
        """Read when first needed: kernel and programs may each have names that the other does not use."""
        if self._book is None:
            tables = [self._machine.symbols]
            for process in self._made.processes[1:]:
                with contextlib.suppress(SymbolMissing):
                    tables.append(self._machine.table(process.name))
            self._book = CallBook(tables)
        return self._book

    def _words(self, now: Registers, count: int) -> tuple[int, ...]:
        """The uppermost words of the stack."""
        try:
            return struct.unpack(f"<{count}I", self._read((now.ss.base + now.esp) & 0xFFFFFFFF, 4 * count, now.cr3))
        except UnreadableMemory:
            return (0,) * count

    def _running(self, now: Registers) -> int:
        """The lane of the process that the kernel holds for the running one."""
        with contextlib.suppress(UnreadableMemory, SymbolMissing, KeyError, TypeError, ValueError):
            types = self._machine.types()
            variable, kind = types.variable("current_process")
            target = types.target(kind)
            pointer = int.from_bytes(self._read(variable, 4, now.cr3), "little")
            if pointer:
                process = types.decode(target, self._read(pointer, types.size(target), now.cr3))
                return self._lane(int(process["pid"]), str(process["name"]))
        return 0

    def _read(self, address: int, length: int, cr3: int) -> bytes:
        """Memory, its pages looked up once for each load of CR3: a look-up costs more than the rest of a stop."""
        page, offset = address & ~(PAGE_BYTES - 1), address % PAGE_BYTES
        if offset + length > PAGE_BYTES:
            return self._machine.read_virtual(address, length)
        if (cr3, page) not in self._pages:
            found = self._machine.walk(page)
            if found.physical is None:
                raise UnreadableMemory(str(found))
            self._pages[cr3, page] = found.physical
        return self._machine.read_physical(self._pages[cr3, page] + offset, length)

    def _lane(self, pid: int, name: str) -> int:
        key = (pid, untrusted.name(name)) if pid else (0, "")
        if key not in self._lanes:
            if len(self._made.processes) == PROCESSES_MAX:
                self._crowded = True
                return PROCESSES_MAX - 1
            self._lanes[key] = len(self._made.processes)
            self._made.processes.append(Process(*key))
        return self._lanes[key]

    def _table_of(self, lane: int) -> SymbolTable:
        with contextlib.suppress(SymbolMissing):
            return self._machine.table(self._made.processes[lane].name)
        return self._machine.symbols

    def _place(self, lane: int, ring: int, eip: int) -> str:
        """Function and line, by the symbols of the program whose name the process has."""
        table = self._machine.symbols if ring == 0 else self._table_of(lane)
        return untrusted.plain(str(table.place(eip))[:PLACE_LIMIT])


def untraceable(machine: Inspection) -> str:
    """Why nobody can look over this machine's shoulder, in words; empty when one can."""
    count = sum(len(_places(machine, pattern)) for pattern in (_IRET, _LOAD_CR3, _LOAD_IDT, OUT_DX_AL))
    if count <= PLACES_MAX:
        return ""
    return (
        f"in {count:,} places the kernel's code has bytes that could be an IRET, a load of CR3 or IDT, or an OUT, "
        f"and a run is stopped at no more than {PLACES_MAX:,}."
    )


def _places(machine: Inspection, pattern: re.Pattern[bytes]) -> list[int]:
    return machine.symbols.code_places(pattern)
