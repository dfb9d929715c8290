"""Stage 4: what ring 3 passes to ring 2. Pointers that lead elsewhere, and arguments that change meanwhile."""

from __future__ import annotations

import random

from demands import (
    Wanted,
    come_to,
    end_in_words,
    ended_by_fault,
    expect_returns,
    finish,
    listed,
)
from privuser import (
    BEGINNING,
    DONE,
    PAGE_FAULT,
    PRIVUSER_END,
    PRIVUSER_START,
    address_of,
    drawn_bytes,
    plant,
    word,
)

from grader.builds.build import Build
from grader.machine import Machine
from grader.machine.report import Report
from grader.testing.boots import Boots
from grader.testing.kernel_error import KernelError
from grader.testing.message import in_words, must
from grader.testing.plugin import graded
from grader.testing.reported import so_far
from grader.testing.sweep import Sweep, Window

E_FAULT, E_INVALID = int(KernelError.E_FAULT), int(KernelError.E_INVALID)

BAD_RANGES = {
    "secret": "256 bytes, all in PrivUser",
    "header": "4 bytes, the first ones of PrivUser",
    "into": "16 bytes, the last one of which is PrivUser's first",
    "out-of": "16 bytes, the first one of which is PrivUser's last",
    "hole": "16 bytes in PrivUser where no page is",
    "last-byte": "1 byte, the last one of PrivUser",
    "KBASE": "4 bytes at KBASE",
    "kernel": "256 bytes in the kernel",
    "across-KBASE": "16 bytes, the last one of which is at KBASE",
    "end": "15 bytes at 0xfffffff0",
    "to-zero": "16 bytes at 0xfffffff0, which end with the last address there is",
    "wraps": "32 bytes at 0xfffffff0, which wrap around",
    "null": "4 bytes at address 0",
    "page-0": "8 bytes, the first one of which is in page 0",
}
"""Of the role `ranges` of probes/pointers.c: each is passed in five ways."""

BUFFER_KINDS = ["first argument's IN", "second argument's IN", "third argument's IN", "OUT", "third argument's OUT"]

GOOD_RANGES = {
    "all": "256 bytes",
    "odd": "255 bytes at an odd address",
    "one": "1 byte",
    "stack": "33 bytes on the program's stack",
    "below": "64 bytes that end right before PrivUser",
    "after": "64 bytes that begin right after PrivUser",
}
"""Of the role `good`: each goes in and out in four ways."""

ABSENT = {
    "in-absent": "an IN buffer on a page that is not there",
    "in-half": "an IN buffer whose second half is on a page that is not there",
    "out-absent": "an OUT buffer on a page that is not there",
    "out-half": "an OUT buffer whose second half is on a page that is not there",
    "out-code": "an OUT buffer in the program's code",
    "out-constant": "an OUT buffer in the program's constants",
}
"""Of the role `absent`."""

LITTLE = 8
"""Bytes of the buffer in sweeps."""

TWICE = 6
"""POINTERS_TWICE of probes/pointers.h."""

STUBS_STACK = 128
"""Bytes of ring 3's stack below a privcall's arguments that are its stub's."""

STEPS = 24
"""Of a sweep: how many of a call's instructions are disturbed, each in a call of its own."""


@graded(
    stage=4,
    points=3,
    handout="pointers",
    usually="a range is checked by its start, by its end, or by a sum that wraps",
    schedules=True,
)
def test_pointers_out_of_ordinary_memory_are_refused(boot: Boots, build: Build, seed: int) -> None:
    """IN and OUT buffers in PrivUser, in the kernel, across an edge of either, wrapping around, or at 0 are E_FAULT,
    too long ones E_INVALID, and the function has not run; missing and read-only pages do no harm.
    """
    secret = drawn_bytes(seed, 256)
    machine = boot("pointers", role="bad", a=hex(address_of(build.probes["pointers"], "pointers_secret")))
    come_to(machine, "look_here", "pointers", BEGINNING)
    space = machine.registers().cr3
    plant(machine, "pointers_secret", "pointers", secret)
    report = finish(machine, "the end of privcalls with buffers that are not in ordinary memory", expect_ranges_refused)
    expect_no_end(machine, report)
    lengthless: Wanted = {"lengthless": E_INVALID, "lengthless-bad": (E_INVALID, E_FAULT)}
    expect_returns(
        report, "a privcall with a pointer as its last argument, and so without a length, returned", lengthless
    )
    lengths: Wanted = {"long": E_INVALID, "longest": (E_INVALID, E_FAULT)}
    words = {"long": "257 bytes", "longest": "2 GB or more"}
    expect_returns(report, "a privcall with a buffer of {} returned", lengths, words)
    must(
        report["ran"],
        0,
        "by privcalls with pointers that must be refused, the number of functions that ran all the same is",
    )
    kept = machine.read_virtual(machine.symbol("pointers_secret", "pointers"), 256, space)
    assert kept == secret, "a privcall with an OUT buffer in PrivUser wrote over a secret there"
    must(report["still-right"], 1, "of one privcall with a right IN buffer, the number that returned its result is")
    report = finish(boot("pointers", role="absent"), "the end of privcalls with buffers on pages that are not there")
    expect_absent_refused(report)
    must(
        report["in-constant"],
        10,
        "a privcall with an IN buffer in the program's constants, which may be read, returned",
    )


def expect_ranges_refused(said: Report) -> None:
    """Every buffer that is not wholly in ordinary memory is E_FAULT, in whatever way it is passed."""
    for key, what in BAD_RANGES.items():
        for kind, result in zip(BUFFER_KINDS, said.all(key), strict=False):
            must(
                in_words(result, result=True),
                "E_FAULT",
                f"a privcall that was given {what}, as its {kind} buffer, returned",
            )


def expect_no_end(machine: Machine, report: Report) -> None:
    """Fail when the process that passes these buffers has ended, with the buffer that it ended by."""
    if "ended" in report:
        said = so_far(machine)
        expect_ranges_refused(said)
        passed = sum(len(said.all(key)) for key in BAD_RANGES)
        cases = [f"{what}, as its {kind} buffer" for what in BAD_RANGES.values() for kind in BUFFER_KINDS]
        what = (
            cases[passed] if passed < len(cases) else "a buffer of more than 256 bytes, or a pointer without a length"
        )
        end = end_in_words(report["ended"])
        raise AssertionError(
            f"a process gave a privcall {what}; that had to return an error, but the process ended {end}"
        )


def expect_absent_refused(report: Report) -> None:
    """Ordinary memory that is not there, or not writable, is an error or a page fault."""
    for key, what in ABSENT.items():
        end = report[key]
        did = (
            f"ended its process {end_in_words(end)}"
            if ended_by_fault(end)
            else f"returned {in_words(end, result=True)}"
        )
        did = "wrote there" if end == DONE else did
        refused = end in (E_FAULT, PAGE_FAULT)
        assert refused, f"a privcall with {what} {did} instead of returning E_FAULT, or ending by a page fault"


@graded(
    stage=4,
    points=1,
    handout="pointers",
    usually="what lies at PrivUser's edges, or is empty or as long as may be, is refused",
    schedules=True,
)
def test_pointers_to_ordinary_memory_are_taken(boot: Boots) -> None:
    """Buffers of 0 to 256 bytes go in and come out, at odd addresses, on the stack, and right beside PrivUser."""
    report = finish(boot("pointers", role="good"), "the end of privcalls with buffers in ordinary memory")
    kinds = "IN buffer", "third argument's IN buffer", "OUT buffer", "second argument's IN buffer"
    for name, what in GOOD_RANGES.items():
        wrong = listed(kind for bit, kind in enumerate(kinds) if not report[name] >> bit & 1)
        assert not wrong, f"a privcall with {what}, for its {wrong}, was refused, or got other bytes"
    expect_returns(report, "a privcall with a buffer of no bytes returned", {"nothing-in": 0, "nothing-out": 0})


@graded(
    stage=4,
    points=1,
    handout="pointers",
    usually="an OUT buffer is not cleared, or comes out after a failure too",
    schedules=True,
)
def test_only_what_the_function_wrote_comes_out(boot: Boots) -> None:
    """An OUT buffer begins as zeros, comes out when the function returned 0 or more, and not when it failed."""
    report = finish(boot("pointers", role="out"), "the end of four privcalls with OUT buffers")
    clause = "a privcall, whose function returns how many bytes of its OUT buffer were not zero when it began, returned"
    expect_returns(report, clause, {"dirty": 0})
    came = "bytes came out of a privcall with an OUT buffer"
    must(report["half"], 50 * 5, f"the function wrote 5 to 50 of 100 bytes; {came} whose sum is")
    must(report["zeros"], 0, f"the function wrote 5 to 50 of 100 bytes; for the other 50, {came} whose sum is")
    must(
        report.signed("failed"),
        -1,
        "a privcall whose function returned -1, after it had written to its OUT buffer, returned",
    )
    must(
        report["untouched"],
        900,
        "a function wrote 7 to its OUT buffer and failed; the caller's 100 bytes of 9 then had the sum",
    )
    both = "a privcall with 100 bytes for IN and 100 for OUT, which returns that number,"
    must(report["copied"], 100, f"{both} returned")
    must(report["right"], 100, f"the number of bytes that came out right of {both} is")
    both = "a privcall with the same 100 bytes for IN and for OUT"
    must(report["itself"], 100, f"{both} returned")
    must(report["in-place"], 500, f"the function added 1 to bytes of 4 in {both}, which then had the sum")


@graded(
    stage=4,
    points=1,
    handout="once",
    usually="the function is given the program's own buffer, after the check",
    schedules=True,
)
def test_a_buffer_is_read_once(boot: Boots, seed: int) -> None:
    """What a second thread writes into the buffer while the function runs, at any moment of the call, the function does
    not see: it works on a copy in PrivUser.
    """
    machine = boot("pointers", role="once")
    come_to(machine, "look_here", "pointers", BEGINNING)
    buffer = machine.symbol("buffer", "pointers")
    come_to(machine, "pointers_between", "pointers", "the function of a privcall with an IN buffer")
    must(machine.registers().cpl, 2, "the function that a privcall names runs in ring")
    later = drawn_bytes(seed, 64)
    machine.write_virtual(buffer, later)
    report = finish(machine, "the end of a privcall with an IN buffer")
    changed = report["changed"]
    assert not changed, (
        f"another thread wrote to the IN buffer while the function ran, which saw {changed} of 16 words change"
    )
    where = report["where"]
    assert PRIVUSER_START <= where < PRIVUSER_END, (
        f"the function was given its IN buffer at {where:#010x}, not in PrivUser"
    )
    must(
        report["now"], sum(later), "of what another thread wrote to an IN buffer, the program finds afterwards the sum"
    )


@graded(stage=4, points=1, handout="once", usually="the buffer is copied, and then read again from where it came")
def test_a_buffer_may_change_at_any_instruction(boot: Boots, sweep: Sweep, seed: int) -> None:
    """A second thread that rewrites the buffer at any instruction of the call makes no function see two contents."""
    draw = random.Random(seed)
    machine = boot("pointers", role="again", a=TWICE, b=sweep.rounds(STEPS))
    come_to(machine, "look_here", "pointers", BEGINNING)
    buffer = machine.symbol("buffer", "pointers")
    window = Window("privcall", program="pointers", what="a privcall with an IN buffer")
    for step in sweep(machine, window, most=STEPS, by="another thread's write to the buffer"):
        machine.write_virtual(buffer, draw.randbytes(LITTLE))
        step.finish()
    report = finish(machine, "the end of many privcalls with an IN buffer")
    wrong, right, rounds = report["wrong"], report["right"], sweep.rounds(STEPS)
    clause = f"of {rounds} privcalls, in some of which another thread wrote to the IN buffer at one instruction"
    assert not wrong, f"{clause}, {wrong} had a function that saw its bytes change"
    assert right == rounds, f"{clause}, only {right} returned their result"


@graded(stage=4, points=1, handout="once", usually="ring 2 reads the arguments from ring 3's stack, more than once")
def test_arguments_may_change_at_any_instruction(boot: Boots, sweep: Sweep, seed: int) -> None:
    """A second thread that changes the arguments on ring 3's stack while they are checked changes nothing any more, or
    has the call refused.
    """
    secret = drawn_bytes(seed, 256)
    rounds = sweep.rounds(STEPS) + 1
    machine = boot("pointers", role="again", a=0, b=rounds)
    come_to(machine, "look_here", "pointers", BEGINNING)
    plant(machine, "pointers_secret", "pointers", secret)
    attack = word(machine.symbol("pointers_secret", "pointers")) + word(256)
    come_to(machine, "privcall", "pointers", "the beginning of a privcall with an IN buffer")
    arguments = machine.registers().esp + 4  # the same in every round
    window = Window("privcall", program="pointers", what="a privcall with an IN buffer")
    for step in sweep(machine, window, most=STEPS, by="another thread's change of the arguments"):
        machine.write_virtual(arguments + 4, attack)
        for copy in copies_of(machine, arguments):
            machine.write_virtual(copy, attack)
        step.finish()
    report = finish(machine, "the end of many privcalls with an IN buffer")
    change = "another thread changed pointer and length, on ring 3's stack, to a secret's"
    wrong, right, refused = report["wrong"], report["right"], report["refused"]
    assert not wrong, (
        f"{change}, at one instruction of a privcall: {wrong} of {rounds} worked on other bytes than were checked"
    )
    done = right + refused
    assert done == rounds, (
        f"{change}, at one instruction of a privcall: only {done} of {rounds} returned a result or an error"
    )
    assert right >= rounds // 2, f"of {rounds} privcalls, half of them undisturbed, only {right} returned their result"


def copies_of(machine: Machine, arguments: int) -> list[int]:
    """Where on ring 3's stack below the arguments a pointer and its length lie once more: a stub may pass them so."""
    pair = word(machine.symbol("buffer", "pointers")) + word(LITTLE)
    stack = machine.read_virtual(arguments - STUBS_STACK, STUBS_STACK)
    places = range(0, STUBS_STACK - len(pair) + 1, 4)
    return [arguments - STUBS_STACK + at for at in places if stack[at : at + len(pair)] == pair]
