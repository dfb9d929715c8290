"""Sweeps: something is done to the machine at each instruction of a window of its run, all in one test.

    def test_a_timer_interrupt_anywhere_in_a_privcall_does_no_harm(boot: Boots, sweep: Sweep) -> None:
        machine = boot("privcall_loop", rounds=sweep.rounds(100))
        window = Window("privcall", program="privcall_loop", what="a privcall")
        for step in sweep(machine, window, most=100, by="a timer interrupt"):
            machine.inject_irq(0)       # after `step.number` instructions of the window, before the next
            step.finish()               # on to the window's end
            assert machine.registers().eax == 5
        assert machine.finish()["wrong"] == 0

The probe does one operation again and again, so that a step costs no boot. The first round warms up, the second is
followed, to learn which instructions the window has; then each round is disturbed after one instruction more, or, when
the window has more than `most`, at equal distances, the first and the last always among them. Other disturbances:
`inject_nmi`, the trap flag (`set_register("eflags", registers().eflags | TRAP)`), a write as by a second thread
(`write_virtual`).

A failure names its step by number and place: with `--step N`, `./lab grade` does that one alone, and `./lab debug`
stops there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from grader.faults import ProjectFault, Ungradable
from grader.machine.faults import NotAsRequired

if TYPE_CHECKING:
    from grader.machine.machine import Machine

KERNEL = 0xC0000000
MOST = 100
"""Steps of a sweep that does not say how many: each takes some milliseconds."""

LONGEST = 3000
"""Instructions of a window that are followed: of a longer one the rest is left alone."""

_LIMIT_EVERY = 16  # steps after which the machine gets its guest time anew: a stop can cost it 10 ms of that


@dataclass(frozen=True)
class Window:
    """A part of a run: from one address to another, to where a function returns, or to a ring."""

    start: str | int
    """A symbol or address: the window begins before this instruction."""
    program: str | None = None
    """The program whose address it is; the kernel when None, or for an address any program."""
    end: str | int | None = None
    """A symbol of the same program, or an address. None: the caller of the function that begins at `start`."""
    until_ring: int | None = None
    """It ends with the instruction that changes the privilege level to this one, instead."""
    rings: tuple[int, ...] = ()
    """Only moments at one of these privilege levels are steps; all when empty. The kernel's own, where interrupts wait
    anyhow, cost most: they are come to instruction by instruction."""
    longest: int = LONGEST
    """Instructions that are looked at, at most."""
    what: str = "the operation"
    """What it is a part of, in the lab's words, for messages."""


@dataclass
class Step:
    """A moment of a sweep: the machine is stopped in the window, after `number` of its instructions."""

    number: int
    address: int
    """The next instruction."""
    _machine: Machine = field(repr=False)
    _window: Window = field(repr=False)
    _end: _End = field(repr=False)
    _by: str = field(default="", repr=False)

    def finish(self) -> None:
        """Run to the window's end, in the address space (and, of a function, on the stack) in which it began."""
        self._end.come_to(self._machine, self._window.what)

    def disturbed(self) -> str:
        """The step as the beginning of a sentence about what came after it."""
        return f"After {self._by} {self} of {self._window.what}" if self._by else str(self)

    def __str__(self) -> str:
        tables = [self._machine.symbols]
        if self._window.program is not None:
            tables.insert(0, self._machine.table(self._window.program))
        places = [table.place(self.address) for table in tables]
        place = next((place for place in places if place.function), places[0])
        return f"at step {self.number} ({place})"


@dataclass
class _End:
    """How a window's end is recognised."""

    cr3: int
    address: int | None
    """None while only the ring tells."""
    esp: int | None = None
    """A function has returned when its return address is off the stack."""
    ring: int | None = None

    def reached(self, machine: Machine, eip: int) -> bool:
        """Whether the machine is stopped there."""
        if self.address is not None and eip != self.address:
            return False
        now = machine.registers()
        return now.cr3 == self.cr3 and self.esp in (None, now.esp) and self.ring in (None, now.cpl)

    def come_to(self, machine: Machine, what: str) -> None:
        """Run there, which is the end of `what`."""
        if self.address is None:
            raise ProjectFault("the window's end was never seen: its `longest` is too small for step.finish()")
        while not self.reached(machine, machine.eip()):
            machine.run_to(self.address, awaited=f"the end of {what}")


@dataclass
class _Trace:
    """The instructions of a window, as one round executed them."""

    end: int | None = None
    """Where it ended; None when it was too long."""
    addresses: list[int] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)
    """Numbers of those that can be steps."""
    landmarks: list[int] = field(default_factory=list)
    """For each instruction, the last one up to it that a breakpoint finds: seen for the first time, and no code of the
    kernel's, through which others come too."""

    def add(self, address: int, wanted: bool, begins_in_kernel: bool) -> None:
        """One more instruction."""
        number = len(self.addresses)
        found = address not in self._seen and (begins_in_kernel or address < KERNEL)
        self.landmarks.append(number if found or not number else self.landmarks[-1])
        self._seen.add(address)
        self.addresses.append(address)
        if wanted:
            self.steps.append(number)

    def ring(self, machine: Machine, address: int) -> int:
        """The ring of the next instruction: asked once for a page, for the code of a page runs in one ring."""
        page = address >> 12
        if page not in self._rings:
            self._rings[page] = machine.registers().cpl
        return self._rings[page]

    _seen: set[int] = field(default_factory=set)
    _rings: dict[int, int] = field(default_factory=dict)


class Sweep:
    """One test's sweep. `only` is the one step that is wanted; `shown` is called when it is come to."""

    def __init__(self, only: int | None = None, shown: Callable[[str], None] | None = None) -> None:
        self.moment: Step | None = None
        """The step that the machine was last disturbed at, while its consequences are awaited."""
        self.used = False
        """Whether the test came to any step."""
        self._only = only
        self._shown = shown

    @staticmethod
    def rounds(most: int = MOST) -> int:
        """How often a probe must do its operation for a sweep of so many steps, each of which may take two rounds."""
        return 2 * most + 2

    def __call__(self, machine: Machine, window: Window, *, most: int = MOST, by: str = "") -> Iterator[Step]:
        """Come to each step in turn. `by`: what the test does there, in the lab's words ("a timer interrupt").

        Raises Ungradable for a step that the window does not have, NotAsRequired when the guest never comes to a ring
        that the sweep is about.
        """
        trace = self._follow(machine, window)
        for count, number in enumerate(self._chosen(trace, most, window)):
            if count % _LIMIT_EVERY == 0:
                machine.renew_limit()
            end = _enter(machine, window, trace)
            if not _go_on(machine, trace, number, end):
                end = _enter(machine, window, trace)
                machine.step(number)
            self.moment = Step(number, machine.eip(), machine, window, end, by)
            self.used = True
            if self._shown is not None:
                self._shown(str(self.moment))
            yield self.moment
        self.moment = None

    def _follow(self, machine: Machine, window: Window) -> _Trace:
        """The second round, instruction by instruction: what is only done once is done."""
        trace = _Trace()
        _enter(machine, window, trace)
        end = _enter(machine, window, trace)
        address = machine.eip()
        in_kernel = address >= KERNEL
        left = window.until_ring is None
        while len(trace.addresses) < window.longest:
            if trace.addresses and left and end.reached(machine, address):
                trace.end = address
                break
            left = left or trace.ring(machine, address) != window.until_ring
            trace.add(address, not window.rings or trace.ring(machine, address) in window.rings, in_kernel)
            machine.step()
            address = machine.eip()
        return trace

    def _chosen(self, trace: _Trace, most: int, window: Window) -> list[int]:
        """The numbers of the steps to be done."""
        if self._only is not None:
            if self._only >= len(trace.addresses):
                raise Ungradable(f"there is no step {self._only}: the window has {len(trace.addresses)} instructions")
            return [self._only]
        if not trace.steps:
            wanted = " or ".join(map(str, window.rings))
            raise NotAsRequired(f"no instruction of {window.what} was executed in ring {wanted}")
        return strided(trace.steps, most)


def strided(numbers: list[int], most: int) -> list[int]:
    """At most `most` (2 or more) of the numbers, at equal distances, the first and the last always among them."""
    if len(numbers) <= most:
        return numbers
    return [numbers[index * (len(numbers) - 1) // (most - 1)] for index in range(most)]


def _enter(machine: Machine, window: Window, trace: _Trace) -> _End:
    """Run to the window's start. The end is this round's: each may be another process's."""
    machine.run_to(window.start, program=window.program, awaited=f"the beginning of {window.what}")
    now = machine.registers()
    if window.until_ring is not None:
        return _End(now.cr3, trace.end, ring=window.until_ring)
    if window.end is None:
        return _End(now.cr3, machine.read_u32(now.esp), esp=now.esp + 4)
    return _End(now.cr3, window.end if isinstance(window.end, int) else machine.symbol(window.end, window.program))


def _go_on(machine: Machine, trace: _Trace, number: int, end: _End) -> bool:
    """From the window's start to the moment after so many instructions: by a breakpoint as far as one leads.

    False when this round went another way than the one that was followed, and is over.
    """
    landmark = trace.landmarks[number]
    if landmark and not _come_by(machine, trace.addresses[landmark], end):
        return False
    if number > landmark:
        machine.step(number - landmark)
    return True


def _come_by(machine: Machine, address: int, end: _End) -> bool:
    """Run to an address of the window, in the present address space; False when the window's end comes first."""
    with machine.breakpoint(address), machine.breakpoint(end.address if end.address is not None else address):
        while True:
            stop = machine.run()
            if stop.address == address and machine.registers().cr3 == end.cr3:
                return True
            if end.reached(machine, stop.address):
                return False
