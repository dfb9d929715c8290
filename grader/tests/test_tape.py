"""A recorded run, played again: the same instructions, output and memory, whatever the test and the host did to it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest

from grader.faults import Ungradable
from grader.machine import Machine
from grader.machine.debugger import Handover
from grader.machine.disk import Disk
from grader.machine.faults import NotOnThisMachine, TripleFault
from grader.machine.tape import Tapes
from grader.machine.witness import Witness
from grader.tests.boot_sectors import PROTECTED_MODE, boot_sector
from grader.tests.machines import MACHINES
from grader.tests.test_debugger import COMMANDS, gdb, needs_gdb

COUNTS = boot_sector(
    PROTECTED_MODE
    + """
again:  inc dword [0x9000]
        cmp dword [0x9000], 100000
        jne again
        mov dword [0x9004], 0x539
        mov dword [0x9000], 0
over:   inc dword [0x9008]
        jmp over
"""
)
AGAIN = 0x7C00 + COUNTS.index(b"\xff\x05\x00\x90\x00\x00")
OVER = 0x7C00 + COUNTS.index(b"\xff\x05\x08\x90\x00\x00")
ECHO = boot_sector(
    PROTECTED_MODE
    + """
listen: inc dword [0x9000]
        mov dx, 0x3FD
        in al, dx
        test al, 1
        jz listen
        mov dx, 0x3F8
        in al, dx
        inc al
        out dx, al
        jmp listen
"""
)

Deed = Callable[[Machine], object]


@pytest.fixture
def tapes() -> Iterator[Tapes]:
    """For one test's recordings."""
    made = Tapes()
    yield made
    made.close()


def twice(tapes: Tapes, image: bytes, deed: Deed) -> tuple[object, object]:
    """What a deed finds when its machine is recorded, and when that is played."""
    found = []
    for _ in ("recorded", "played"):
        with Machine.start(image, tape=tapes.next()) as machine:
            found.append((deed(machine), machine.instructions(), machine.registers(), machine.serial))
        tapes.rewind()
    return found[0], found[1]


def test_a_played_run_is_the_recorded_one_and_that_the_ordinary_one(tapes: Tapes) -> None:
    """To the instruction and the last register."""

    def deed(machine: Machine) -> object:
        machine.run_to(OVER, times=3)
        return machine.read_u32(0x9008)

    recorded, played = twice(tapes, COUNTS, deed)
    assert played == recorded
    with Machine.start(COUNTS) as machine:
        assert (deed(machine), machine.instructions(), machine.registers(), machine.serial) == recorded


def test_what_the_test_does_to_the_machine_is_done_again(tapes: Tapes) -> None:
    """It is not on the tape, but in the test."""

    def deed(machine: Machine) -> object:
        machine.run_to(AGAIN, times=10)
        machine.write_physical(0x9000, (99_990).to_bytes(4, "little"))
        machine.run_to(OVER)
        return machine.read_u32(0x9004)

    recorded, played = twice(tapes, COUNTS, deed)
    assert played == recorded
    assert recorded[0] == 0x539 and recorded[1] < 5000  # type: ignore[index]


def test_input_and_the_moments_of_the_host_are_on_the_tape() -> None:
    """When a byte comes, and when the machine is stopped because of one, depends on the host: once."""
    tapes = Tapes(listening=True)

    def deed(machine: Machine) -> object:
        found = []
        for letter in (b"a", b"h"):
            machine.send(letter)
            found.append(machine.wait_for_serial(re.compile(b"[bi]"))[0])
        return found, machine.read_u32(0x9000)

    recorded, played = twice(tapes, ECHO, deed)
    tapes.close()
    assert played == recorded


def test_an_end_by_a_triple_fault_is_played_too(tapes: Tapes) -> None:
    """And told in the same words."""
    image = boot_sector(PROTECTED_MODE + "lidt [gdt_register]\nud2\n")

    def deed(machine: Machine) -> object:
        with pytest.raises(TripleFault) as stopped:
            machine.run()
        return str(stopped.value)

    recorded, played = twice(tapes, image, deed)
    assert played == recorded


@needs_gdb
def test_gdb_goes_back_to_who_wrote(tapes: Tapes) -> None:
    """As far as the test itself wrote to the machine, and forward as far as the recording goes."""
    said = ""
    for playing in (False, True):
        with Machine.start(COUNTS, tape=tapes.next()) as machine:
            machine.run_to(AGAIN, times=2)
            machine.write_physical(0x9000, (50_000).to_bytes(4, "little"))
            machine.run_to(OVER, times=2)
            if playing:
                with Handover(machine) as door:
                    commands = [f"source {COMMANDS}", "continue", "who-wrote *(int*)0x9004", "who-wrote *(int*)0x9000"]
                    commands += ["who-wrote *(int*)0x9004", "continue", "p/x $eip", "reverse-stepi", "p *(int*)0x9008"]
                    said = gdb(door, *commands)
        tapes.rewind()
    print(said)
    assert "The recording ends here" in said
    assert "*(int*)0x9004: 0 -> 1337, written by the instruction before" in said
    assert "*(int*)0x9000: 99999 -> 100000, written by" in said
    assert re.search(r"Nothing wrote to \*\(int\*\)0x9004 since instruction [\d,]+; no further", said)
    assert f"$1 = {OVER:#x}" in said
    assert "$2 = 1" in said


@needs_gdb
def test_an_ordinary_run_cannot_go_back() -> None:
    """The command says how to get one that can."""
    with Machine.start(COUNTS) as machine, Handover(machine) as door:
        assert "open it with ./lab debug LAB TEST --reverse" in gdb(door, f"source {COMMANDS}", "who-wrote *(int*)4096")


def test_what_cannot_be_recorded_says_so(tapes: Tapes) -> None:
    """Errors of a disk are not in the log; nor is a machine that was never recorded."""
    with pytest.raises(NotOnThisMachine, match="a disk that is unreadable cannot be recorded"):
        Machine.start(COUNTS, disk=Disk.UNREADABLE, tape=tapes.next())
    tapes.rewind()
    tapes.next()
    with pytest.raises(Ungradable, match="more machines than when it was recorded"):
        tapes.next()


@pytest.mark.parametrize("witness", MACHINES[1:])
def test_bochs_records_nothing(tapes: Tapes, witness: Witness) -> None:
    """Only QEMU can."""
    with pytest.raises(NotOnThisMachine, match="Bochs records no runs"):
        Machine.start(COUNTS, tape=tapes.next(), witness=witness)
