"""Sweeps: each instruction of a window once, the first and the last always, and every step by its number."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from grader.faults import Ungradable
from grader.machine import Machine
from grader.machine.faults import NotAsRequired
from grader.machine.witness import Witness
from grader.testing.sweep import Step, Sweep, Window, strided
from grader.tests.boot_sectors import PROTECTED_MODE, boot_sector
from grader.tests.machines import MACHINES

IMAGE = boot_sector(
    PROTECTED_MODE
    + """
        jmp $ + 2                   ; marks the place: EB 00
again:  call operation
        jmp again
operation:
        mov edi, 0x9000
        mov ecx, 5
        mov al, 0x5A
        rep stosb
        inc dword [0x9100]
        xor eax, eax
        ret
"""
)
AGAIN = 0x7C00 + IMAGE.index(b"\xeb\x00") + 2
OPERATION = AGAIN + 7
REPEATED = {Witness.QEMU: 6, Witness.BOCHS: 5}
"""Each repetition of STOSB is an instruction, and QEMU looks once more at ECX."""


@pytest.fixture(params=MACHINES)
def machine(request: pytest.FixtureRequest) -> Iterator[Machine]:
    """The guest, which does the operation for ever."""
    with Machine.start(IMAGE, witness=request.param) as made:
        yield made


def length(machine: Machine) -> int:
    """Instructions of the operation."""
    return 3 + REPEATED[machine.witness] + 3


def test_each_instruction_is_a_step_and_each_round_has_one(machine: Machine) -> None:
    """A function's window ends where its caller goes on; repetitions of one instruction are steps of their own."""
    sweep, seen, counts = Sweep(), [], []
    for step in sweep(machine, Window(OPERATION, what="a call"), by="a tick"):
        assert sweep.moment is step
        assert step.disturbed() == f"After a tick {step} of a call"
        seen.append((step.number, step.address))
        step.finish()
        assert machine.eip() == AGAIN + 5
        counts.append(machine.read_u32(0x9100))
    assert [number for number, _ in seen] == list(range(length(machine)))
    assert seen[0] == (0, OPERATION)
    assert len({address for _, address in seen}) == 7
    assert counts == list(range(3, length(machine) + 3))
    assert sweep.moment is None


def test_a_window_may_end_at_an_address(machine: Machine) -> None:
    """The end is no step any more."""
    steps = [step.number for step in Sweep()(machine, Window(OPERATION, end=OPERATION + 12))]
    assert steps == [0, 1, 2]


def test_a_window_that_is_too_long_is_cut(machine: Machine) -> None:
    """Its beginning is swept all the same."""
    assert len(list(Sweep()(machine, Window(OPERATION, longest=6)))) == 6


def test_few_steps_lie_at_equal_distances(machine: Machine) -> None:
    """With the first and the last among them."""
    last = length(machine) - 1
    assert [step.number for step in Sweep()(machine, Window(OPERATION), most=3)] == [0, last // 2, last]
    assert strided(list(range(100)), 4) == [0, 33, 66, 99]
    assert strided([3, 5], 4) == [3, 5]


def test_what_is_done_at_a_step_has_its_effect_there(machine: Machine) -> None:
    """A write as by a second thread: what the guest does afterwards stands, what it did before is overwritten."""
    left = []
    for step in Sweep()(machine, Window(OPERATION)):
        machine.write_physical(0x9000, b"\xff" * 5)
        step.finish()
        left.append(machine.read_physical(0x9000, 5).count(0x5A))
    assert left[:9] == [5, 5, 5, 5, 4, 3, 2, 1, 0]
    assert not any(left[9:])


def test_one_step_alone(machine: Machine) -> None:
    """The same moment as in the whole sweep; it is shown before anything is done."""
    shown: list[str] = []
    steps: list[Step] = list(Sweep(only=7, shown=shown.append)(machine, Window(OPERATION), most=2))
    assert [step.number for step in steps] == [7]
    assert machine.registers().ecx == 1
    assert repr(steps[0]) == f"Step(number=7, address={OPERATION + 12})"
    assert shown == [f"at step 7 ({OPERATION + 12:#010x})"]
    assert steps[0].disturbed() == shown[0]


def test_a_step_that_is_none(machine: Machine) -> None:
    """Nobody's answer is to blame."""
    number = length(machine)
    with pytest.raises(Ungradable, match=f"there is no step {number}: the window has {number} instructions"):
        list(Sweep(only=number)(machine, Window(OPERATION)))


def test_rings_choose_the_steps(machine: Machine) -> None:
    """All of this guest is ring 0."""
    assert len(list(Sweep()(machine, Window(OPERATION, rings=(0,))))) == length(machine)
    with pytest.raises(NotAsRequired, match="in ring 2 or 3"):
        list(Sweep()(machine, Window(OPERATION, rings=(2, 3))))


def test_a_round_that_goes_another_way_is_followed_by_one_that_is_stepped(machine: Machine) -> None:
    """The operation's middle is gone after the first step: the next ones come to what is there in its place."""
    if machine.witness is Witness.BOCHS:
        pytest.skip("Bochs keeps decoded instructions, and does not see code that is written from outside")
    steps = Sweep()(machine, Window(OPERATION), most=6)
    assert next(steps).number == 0
    machine.write_physical(OPERATION + 5, b"\xeb\x0d")  # a jump to the last two instructions
    seen = [(step.number, step.address - OPERATION) for step in steps]
    assert [number for number, _ in seen][:4] == [2, 4, 6, 8]
    assert seen[0] == (2, 20)
