"""Stage 4: a gate lets flags and segment registers through as they are, and interrupts come at any instruction."""

from __future__ import annotations

import re

from demands import (
    come_to,
    end_in_words,
    ended_by_fault,
    expect_returns,
    finish,
    judged,
)
from privuser import (
    BEGINNING,
    DONE,
    address_of,
    expect_no_address,
    faults_in_privuser,
    plant,
    word,
)

from grader.builds.build import Build
from grader.machine import Machine
from grader.machine.diagnosis import fault_lines
from grader.machine.registers import DIRECTION, TRAP
from grader.machine.report import Report
from grader.machine.witness import Witness
from grader.testing.boots import Boots
from grader.testing.kernel_error import fault_status
from grader.testing.message import must
from grader.testing.plugin import graded
from grader.testing.sweep import Sweep, Window

ODD_CASES = {
    "plain": "with ordinary flags and segments",
    "DF": "with DF set",
    "NT": "with NT set",
    "AC": "with AC set",
    "DF+NT+AC": "with DF, NT and AC set",
    "null-ES": "with a null ES",
    "code-ES": "with the code segment in ES",
    "null-FS-GS": "with null FS and GS",
    "code-FS-GS": "with the code segment in FS and GS",
    "RPL0": "with RPL 0 in ES and FS, and selector 1 in GS",
    "all": "with DF, NT and AC set and selector 3 in ES, FS and GS",
}
"""Of the role `odd` of probes/flags.c."""

COPIED = 1000 + 16
"""What probes/flags.c says of a call whose result and 16 bytes were right."""

FAR_CALL = re.compile(rb"\x9a.{4}\x1f\x00", re.S)
"""`call 0x1F:anything`."""

STUB_LENGTH = 160
"""Bytes from `privcall` on in which its far call is looked for."""

STEPS = 24
"""Of a sweep: how many of a call's instructions are disturbed, each in a call of its own."""


@graded(
    stage=4,
    points=2,
    handout="flags-and-segments",
    usually="the entry stub has no CLD, or does not load DS and ES; on Bochs a null ES is a fault",
    witnesses=(Witness.QEMU, Witness.BOCHS),
    schedules=True,
)
def test_flags_and_segments_of_ring_3_do_not_matter(boot: Boots, build: Build) -> None:
    """A call works with DF, NT and AC set, and with null or odd selectors in ES, FS and GS, also when the far call
    itself finds them so; a stack pointer that leads into PrivUser gives it no arguments.
    """
    machine = boot("flags", role="odd")
    come_to(machine, "look_here", "flags", BEGINNING)
    make_odd_before_the_call(machine)
    report = finish(machine, "the end of privcalls with odd flags and segments", expect_all_copied)
    begins = report["in-ring-2"]
    assert not begins & DIRECTION, (
        f"after a privcall with DF set, its function begins with DF set: EFLAGS is {begins:#x}"
    )
    late = report["at-the-gate"]
    clause = "privcalls that copy 16 bytes, with flags and segments made odd right before the far call"
    if DONE < late < DONE + 100:
        raise AssertionError(f"of 11 {clause}, {late - DONE} brought other bytes or another result")
    must(end_in_words(late), end_in_words(DONE), f"a process that made {clause}, ended")
    if boot.witness is Witness.BOCHS:
        expect_no_borrowed_arguments(boot, build)


def make_odd_before_the_call(machine: Machine) -> None:
    """Have the stub of the process that is stopped here go through `flags_thunk` instead of its far call."""
    stub, thunk = machine.symbol("privcall", "flags"), machine.symbol("flags_thunk", "flags")
    call = FAR_CALL.search(machine.read_virtual(stub, STUB_LENGTH))
    if call:  # a stub may come to the gate in another way; then the calls are as all others are
        at = stub + call.start()
        machine.write_virtual(at, b"\xe9" + word(thunk - at - 5))
        plant(machine, "flags_back", "flags", word(stub + call.end()))


def expect_no_borrowed_arguments(boot: Boots, build: Build) -> None:
    """Fail when a call with ESP and other registers leading into PrivUser takes its arguments from there. (QEMU's own
    copy of a gate's parameters has the supervisor's rights, a processor's the caller's.)
    """
    bait = address_of(build.probes["residue"], "residue_bait") + 512
    report = finish(boot("residue", role="borrowed", a=hex(bait)), "the end of calls of the gate with ESP in PrivUser")
    called = "ring 3 called the gate with ESP and other registers that lead into PrivUser"
    for number_in in ("none", "EAX", "EBX", "ECX", "EDX", "ESI", "EDI", "EBP"):
        ended = report[number_in]
        assert ended != DONE + 1, f"{called}, and words of PrivUser were taken for the number and the arguments"
        refused = ended == DONE or ended_by_fault(ended)
        assert refused, (
            f"{called}, and its process was not refused, nor ended by a fault, but ended {end_in_words(ended)}"
        )
    expect_returns(report, "a privcall by the stub returned", {"before": 0, "legal": 0, "then": 1})


def expect_all_copied(report: Report) -> None:
    """With whatever flags and segments a process made its privcall, 16 bytes and the result arrived."""
    for case in judged(report, ODD_CASES):
        how, status = ODD_CASES[case], report[case]
        if status > COPIED:
            clause = f"a process that made a privcall {how}, to copy 16 bytes, ended"
            must(end_in_words(status), "by itself (with 16 bytes and the result right)", clause)
        assert status % 1000 == 16, f"a privcall {how}, to copy 16 bytes, copied {status % 1000} of them"
        assert status == COPIED, f"a privcall {how} copied its 16 bytes, and returned another result than its function"


def expect_copied(status: int, call: str) -> None:
    """The child did not end by itself with another number of bytes than 16, all that its call was to copy."""
    assert status >= COPIED or status == DONE, f"{call}, to copy 16 bytes, copied {status % 1000} of them"


@graded(
    stage=4,
    points=1,
    handout="flags-and-segments",
    usually="a debug exception in ring 2 shows ring 3 its registers, or panics",
)
def test_the_trap_flag_shows_nothing_of_ring_2(boot: Boots, sweep: Sweep) -> None:
    """With the trap flag set at any instruction of a call, the call works or the process ends with vector 1; nothing of
    ring 2 is printed.
    """
    steps = 16
    machine = boot("flags", role="trapped", b=sweep.rounds(steps), guest_seconds=8)
    in_ring_2 = 0
    window = Window("privcall", program="flags", what="a privcall with DF set")
    for _ in sweep(machine, window, most=steps, by="TF was set"):
        now = machine.registers()
        in_ring_2 += now.cpl == 2
        machine.set_register("eflags", now.eflags | TRAP)
    report = finish(machine, "the end of processes that make a privcall, in which TF is set")
    first, *trapped, last = report.all("once")
    for end in (first, last):
        expect_copied(end, "a privcall with DF set")
        must(end_in_words(end), end_in_words(DONE), "a process that made a privcall with DF set, but without TF, ended")
    for end in trapped:
        expect_copied(end, "a privcall with DF set, in which TF was set at one instruction")
        allowed = end_in_words(DONE), end_in_words(fault_status(1))
        must(
            end_in_words(end), allowed, "a process that made a privcall, in which TF was set at one instruction, ended"
        )
    assert in_ring_2, "not one instruction of a privcall was executed in ring 2"
    for line in machine.serial.splitlines():
        said, right = line.decode("ascii", "replace"), "fault: process <pid> (flags) vector 1 (debug) in PrivUser"
        exact = faults_in_privuser(line) == [("flags", 1, "debug")] or fault_lines(line) or b"fault:" not in line
        assert exact, f"of a debug exception in ring 2 the console says '{said}' instead of '{right}'"
    expect_no_address(machine.serial)


@graded(
    stage=4,
    points=1,
    handout="flags-and-segments",
    usually="a return from the interrupt does not put ring 2's segments back",
)
def test_the_timer_may_interrupt_a_call_anywhere(boot: Boots, sweep: Sweep) -> None:
    """An interrupt at any instruction of a call, of the entry stub above all, does the call no harm."""
    machine = boot("flags", role="many", b=sweep.rounds(STEPS), guest_seconds=8)
    window = Window("privcall", program="flags", what="a privcall with DF set")
    for step in sweep(machine, window, most=STEPS, by="a timer interrupt"):
        machine.inject_irq(0)
        step.finish()
    report = finish(machine, "the end of privcalls that the timer interrupts")
    wrong, calls = report["wrong"], "privcalls with DF set, in some of which a timer interrupt came at one instruction"
    assert not wrong, f"of {sweep.rounds(STEPS)} {calls}, {wrong} copied other bytes or returned another result"
