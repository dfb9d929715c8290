"""Stage 1: each `int 0x80` of a mediated program arrives at its monitor, in ring 2, wherever it comes from."""

from __future__ import annotations

import contextlib
import re

from mediated import (
    E_PERMISSION,
    FIRST_ERROR,
    FORBIDDEN,
    GAVE_UP,
    HARMFUL,
    HARMLESS,
    PRIVUSER_CODE,
    PRIVUSER_END,
    PRIVUSER_START,
    EntryOf,
    arrive,
    come_to,
    denied,
    ended,
    expect_file,
    number_in_words,
    refused,
    system_call_name,
    told_of_the_last,
)

from grader.machine import Machine
from grader.machine.witness import Witness
from grader.testing.boots import Boots, program
from grader.testing.kernel_error import KILLED_STATUS, KernelError, fault_status
from grader.testing.message import Every, in_words, must
from grader.testing.plugin import graded
from grader.testing.reported import must_report

PROBES_START = 0x10000000
"""Where a probe's code begins."""

SYSTEM_CALL_TICKS, SYSTEM_CALL_GETPID = 9, 8
"""Of two calls that the probe `interposed` makes, the one that its policy allows and the one that it forbids."""

E_FORMAT = KernelError.E_FORMAT

NULL_CALLS = Every(("ticks", "parameter", "parameter's text", "spawn of a program that is not there", "getpid"))
CALLS = Every(
    (
        *("sleep", "the ticks that passed meanwhile", "write", "yield", "memory_map", "memory_map of the same page"),
        *("memory_unmap", "wait without a child", "getpid"),
    )
)
"""What the role `registers` of probes/interposed.c asks for: all but getpid is allowed."""

REGISTERS = ["EBX", "ECX", "EDX", "ESI", "EDI", "EBP", "ESP", "DS, ES, FS or GS"]
FLAGS = {0x400: "DF", 0x4000: "NT", 0x40000: "AC"}


NO_CALLS = [
    number
    for first, last in (
        *((19, 31), (50, 63), (64, 83), (256, 274), (0x10009, 0x10009), (0x20000000, 0x20000012)),
        *((0x40000009, 0x40000009), (0x7FFFFFFF, 0x80000012), (0xFFFFFFC0, 0xFFFFFFFF)),
    )
    for number in range(first, last + 1)
]
"""The numbers that the role `numbers` of probes/filer.c tries."""


def check_is_in_monitor(machine: Machine) -> None:
    """The processor is in ring 2, in PrivUser code, on a stack that ring 3 cannot touch."""
    now = machine.registers()
    must(now.cpl, 2, "the monitor's entry is executed in ring")
    must(hex(now.cs.selector), hex(PRIVUSER_CODE), "the monitor's entry is executed with CS")
    top = now.ss.base + now.esp & 0xFFFFFFFF
    assert PRIVUSER_START < top <= PRIVUSER_END, f"the monitor's entry has ESP {top:#010x}, which is no PrivUser stack"
    stack = machine.walk(top - 4)
    usable = stack.present and stack.writable and not stack.user
    assert usable, f"the monitor's entry has a stack that is not there, cannot be written, or is ring 3's too: {stack}"


def stops(machine: Machine, awaited: str, *places: int) -> int:
    """Run to the first of these places, which are what `awaited` says; returns which."""
    with contextlib.ExitStack() as points:
        for place in places:
            points.enter_context(machine.breakpoint(place))
        while (stop := machine.run(awaited)).address not in places:
            pass
    return stop.address


@graded(
    stage=1,
    points=3,
    handout="interposition",
    usually="the kernel performs the call itself, or enters the monitor in another ring or on another stack",
    schedules=True,
)
def test_a_system_call_of_ring_3_arrives_at_the_monitor_in_ring_2(boot: Boots, entry_of: EntryOf) -> None:
    """Between each `int 0x80` of the program and its next instruction the monitor's entry is executed once, at CPL 2 on
    a PrivUser stack; then the program goes on in ring 3 with the monitor's answer.
    """
    machine = boot("interposed", role="calls", a=4)
    entry = entry_of(machine, "interposed")
    trap, returned = (machine.symbol(f"trap_{place}", "interposed") for place in ("instruction", "returned"))
    for number in (SYSTEM_CALL_TICKS, SYSTEM_CALL_GETPID) * 4:
        call = f"an int 0x80 of the program for {system_call_name(number)}"
        come_to(machine, trap, "interposed", f"the place of {call}")
        must(machine.registers().cpl, 3, f"{call} is made in ring")
        must(machine.registers().eax, number, f"{call} is made with EAX")
        came = stops(machine, f"the monitor's entry, after {call},", entry, returned)
        assert came == entry, f"{call} came back, and the monitor's entry was not executed in between"
        check_is_in_monitor(machine)
        came = stops(machine, f"the return of {call}", entry, returned)
        assert came == returned, f"{call} made the monitor's entry be executed twice"
        must(machine.registers().cpl, 3, f"{call} comes back to ring")
        result = machine.registers().eax
        if number == SYSTEM_CALL_GETPID:
            must(result, E_PERMISSION, f"{call}, which the policy forbids, came back with")
        allowed = number == SYSTEM_CALL_GETPID or result < FIRST_ERROR
        assert allowed, f"{call}, which the policy allows, came back with an error, {in_words(result)}"
    must_report(
        machine,
        performed=(4, "of four allowed calls (ticks), the number that returned no error is"),
        denied=(4, "of four forbidden calls (getpid), the number that returned E_PERMISSION is"),
        nonce=(machine.nonce, "after its calls the program reports, in place of its number,"),
    )


@graded(
    stage=1,
    points=2,
    handout="interposition",
    usually="the way back leaves the monitor's registers, flags or null segments to the program",
    witnesses=(Witness.QEMU, Witness.BOCHS),
)
def test_a_mediated_call_gives_and_leaves_what_the_kernels_would(boot: Boots) -> None:
    """Allowed calls work as ever; all registers but EAX keep their values, DF, NT and AC too, DS and ES are good to be
    used, and TF shows nothing of ring 2. Null selectors and DF are nothing to the monitor.
    """
    given = "these gave what they must:"
    odd = "of mediated calls made with DF, NT and AC set"
    null = "of mediated calls made with null selectors in DS and ES"
    report = must_report(
        boot("interposed", role="registers"),
        null=(NULL_CALLS, f"{null}, {given}", {None: f"{null}, some never came back"}),
        null_df=(
            NULL_CALLS,
            f"{null} and with DF set, {given}",
            {None: f"{null} and with DF set, some never came back"},
        ),
        plain=(CALLS, f"of mediated calls, {given}", {None: "of mediated calls, some never came back"}),
        odd=(CALLS, f"{odd}, {given}", {None: f"{odd}, some never came back"}),
        **GAVE_UP,
    )
    changed = " and ".join(name for bit, name in enumerate(REGISTERS) if report["changed"] >> bit & 1)
    assert not changed, f"some mediated calls came back to the program with another value in {changed}"
    flags = " and ".join(name for bit, name in FLAGS.items() if report["flags_changed"] & bit)
    assert not flags, f"some mediated calls came back to the program with another {flags}"
    status = report["traced"]
    assert status != HARMFUL, f"{FORBIDDEN} made with TF set, came back with another result than E_PERMISSION"
    must(ended(status), (ended(HARMLESS), ended(fault_status(1))), "a process that made a call with TF set ended")


@graded(
    stage=1,
    points=2,
    handout="policy",
    usually="the monitor passes every call on, or denies a call after it was performed",
)
def test_a_call_that_the_policy_does_not_allow_is_denied(boot: Boots) -> None:
    """Calls without a bit in the domain's `calls` are E_PERMISSION and do nothing, be their number what it may; calls
    with one work, and so does exit, which needs none.
    """
    machine = boot("interposed", role="forbidden", programs={"sealed": "sealed"}, files={"doomed": b"still here"})
    machine.send(b"a line for a forbidden read\n")
    without = "for which the domain has no bit in `calls`,"
    report = must_report(
        machine,
        getpid=denied(f"getpid, {without}"),
        kill=denied(f"kill, {without}"),
        delete=denied(f"delete_file, {without}"),
        shutdown=denied(f"shutdown, {without}"),
        open=denied(f"open_file, {without}"),
        **GAVE_UP,
    )
    answered = report["sealed"]
    call = system_call_name(answered) if answered < 64 else "some system call"
    assert answered == HARMLESS, f"{call}, {without} was not answered with an error (E_PERMISSION)"
    must(ended(report["victim"]), ended(77), "a process that another one, whose policy forbids it, tried to kill ended")
    must(report["nonce"], machine.nonce, "after its calls the program reports, in place of its number,")
    expect_file(machine, "doomed", b"still here", "the policy forbids every call to delete it")
    expect_file(machine, "planted", None, "the policy forbids create_file and link_file")


@graded(
    stage=1,
    points=1,
    handout="policy",
    usually="the number is used as an index before it is checked, or compared as a signed number",
    schedules=True,
)
def test_what_is_no_call_is_denied(boot: Boots, entry_of: EntryOf) -> None:
    """Numbers that no call has, large and negative ones too, come to the monitor and back as errors, under a policy
    whose every bit is set; calls that there are still work.
    """
    machine = boot("filer", role="numbers", guest_seconds=4)
    come_to(machine, "numbers_begin", "filer", "the first call with a number that there is not")
    arrive(machine, entry_of(machine, "filer"), None, "the monitor's entry, after a call with such a number,")
    check_is_in_monitor(machine)
    calls = [f"system call {number_in_words(number)}, which is no program's," for number in NO_CALLS]
    with told_of_the_last(machine, "a program made system calls from {} on, which are no program's"):
        report = must_report(
            machine,
            taken=refused(calls),
            nonce=(machine.nonce, "after its calls the program reports, in place of its number,"),
            **GAVE_UP,
        )
    ticks = report["ticks"]
    assert ticks < FIRST_ERROR, f"ticks, after calls with numbers that there are not, returned {in_words(ticks)}"


@graded(
    stage=1,
    points=2,
    handout="interposition",
    usually="the monitor is asked only by the library's wrapper, or the kernel looks at where the call comes from",
)
def test_ten_thousand_places_to_call_from_make_no_difference(boot: Boots) -> None:
    """An `int 0x80` at 10,000 random addresses, on the stack too, is mediated like the library's own."""
    calls = f"{FORBIDDEN} was called by an int 0x80 at each of 10,000 random addresses"
    must_report(
        boot("interposed", role="places", a=10_000, guest_seconds=4),
        denied=(10_000, f"{calls}; the number of these calls that returned E_PERMISSION is"),
        performed=(
            625,
            "ticks, which is allowed, was called at 625 of them; the number that returned no error is",
        ),
        stack=denied(f"{FORBIDDEN} called by an int 0x80 on the stack,"),
        **GAVE_UP,
    )


@graded(
    stage=1,
    points=2,
    handout="interposition",
    usually="a stub in ring 3 does a part of the checking, which a jump behind it skips",
)
def test_a_jump_into_the_middle_of_a_stub_gets_nowhere(boot: Boots) -> None:
    """Whoever jumps to any byte of the library's system_call or of privcall, with the registers of a forbidden kill,
    kills nobody.
    """
    programs = {"interposed": "interposed", "plain": "plain"}
    machine = boot("plain", role="jumps", a=64, programs=programs, guest_seconds=6)
    jumps = "128 processes jumped into the library's stubs, with a forbidden kill's registers"
    must_report(
        machine,
        tried=(128, f"{jumps}; the number of them that came to an end is"),
        alive=(0, f"{jumps}; after that the victim's own parent killed it, which returned"),
        status=(KILLED_STATUS, f"{jumps}; after that the victim, which its own parent killed, ended", ended),
        mediated=(HARMLESS, f"{jumps}; after that a process that checks whether it is mediated ended", ended),
        **GAVE_UP,
    )


@graded(
    stage=1,
    points=2,
    handout="interposition",
    usually="mediation begins with the first privcall, or with a call that the program has to make",
)
def test_mediation_begins_before_the_first_instruction(boot: Boots, entry_of: EntryOf) -> None:
    """A forbidden call in the place of the program's very first instruction comes to the monitor and is denied."""
    machine = boot("interposed", role="first")
    entry = entry_of(machine, "interposed")
    come_to(machine, "_start", "interposed", "a mediated program's first instruction")
    start = machine.registers()
    must(start.cpl, 3, "a mediated program begins in ring")
    machine.set_register("eax", SYSTEM_CALL_GETPID)
    machine.set_register("eip", machine.symbol("trap_instruction", "interposed"))
    returned = machine.symbol("trap_returned", "interposed")
    call = f"{FORBIDDEN} made in the place of a program's first instruction,"
    came = stops(machine, f"the monitor's entry, after {call}", entry, returned)
    assert came == entry, f"{call} came back, and the monitor's entry was not executed in between"
    check_is_in_monitor(machine)
    come_to(machine, returned, "interposed", f"the return of {call}")
    must(machine.registers().eax, E_PERMISSION, f"{call} returned")
    machine.set_register("eip", start.eip)
    machine.set_register("eax", start.eax)
    must_report(machine, nonce=(machine.nonce, f"after {call} the program reports, in place of its number,"))


@graded(
    stage=1,
    points=2,
    handout="threads",
    usually="threads share one PrivUser stack, or only the first thread is mediated",
)
def test_fifty_threads_are_mediated_at_the_same_time(boot: Boots, entry_of: EntryOf) -> None:
    """Fifty threads wait in the monitor at once, each on a PrivUser stack of its own; what is forbidden is denied to
    each of them.
    """
    machine = boot("interposed", role="threads", guest_seconds=4)
    entry = entry_of(machine, "interposed")
    stacks = set()

    def look_at_ten(machine: Machine) -> None:
        for _ in range(10):
            come_to(machine, "thread_begins", "interposed", "the first call of each of ten threads")
            machine.run_to(entry, awaited="the monitor's entry, after a thread's first call,")
            check_is_in_monitor(machine)
            stacks.add(machine.registers().esp >> 12)

    fifty = "of fifty threads that made calls at the same time"
    must_report(
        machine,
        look_at_ten,
        ended=(50, f"{fifty}, the number that ended with their own status, and had their own argument, is"),
        denied=(100, f"{fifty}, each made two that the policy forbids; the number that returned E_PERMISSION is"),
        slept=(50, f"{fifty}, the number whose sleep took as long as it must is"),
        **GAVE_UP,
    )
    assert len(stacks) >= 8, f"for ten threads that were in it at the same time the monitor ran on {len(stacks)} stacks"


@graded(
    stage=1,
    points=2,
    handout="children",
    usually="spawn passes the monitor, so that a child without one does what its parent may not",
)
def test_children_are_mediated_or_not_born(boot: Boots) -> None:
    """A child with a PrivUser is mediated, and its children; a program without one is not started, be it in the archive
    or on the disk.
    """
    files = {"escape": program(boot.build.probes["plain"])}
    machine = boot("interposed", role="children", programs={"plain": "plain"}, files=files)
    performed: dict[int | None, str] = {
        HARMFUL: f"in a mediated process's child, or that one's child, {FORBIDDEN} was performed"
    }
    without = "of a program without a PrivUser"
    must_report(
        machine,
        child=(HARMLESS, "a mediated process's child, or that one's child, ended with", performed),
        unmediated=denied(f"spawn, by a mediated process, {without} that is in the archive,"),
        from_disk=denied(f"spawn, by a mediated process, {without} that is on the disk,"),
        of_the_tree=denied(f"spawn, by a mediated process, {without} (spin),"),
        lives=(0, f"spawn, by a mediated process, {without}, was an error; the number of these that run is"),
        denied=denied(f"after these spawns {FORBIDDEN}"),
        again=(HARMLESS, "after these spawns a mediated process's child ended with", performed),
        **GAVE_UP,
    )


@graded(
    stage=1,
    points=1,
    handout="interposition",
    usually="the kernel believes the header of a file that anybody may have written",
)
def test_a_program_whose_entry_lies_is_not_started(boot: Boots) -> None:
    """A header whose system_call_entry is in ring 3's memory, in PrivUser but not in its code, in the kernel or
    nowhere makes no program; the same file with its own header does.
    """
    honest = program(boot.build.probes["interposed"])
    header = re.search(rb"PRIV..\x00\xa0(..\x00\xa0)", honest, re.S)
    assert header is not None, "the PrivUser header of interposed has no system_call_entry"
    lies = (PROBES_START, PRIVUSER_END - 0x1000, 0xC0100000, 0)
    files = {
        f"liar{number}": honest[: header.start(1)] + lie.to_bytes(4, "little") + honest[header.end(1) :]
        for number, lie in enumerate(lies)
    }
    spawn = "spawn, of a program whose system_call_entry is"
    must_report(
        boot("plain", role="liars", files={**files, "honest": honest}),
        liar0=(E_FORMAT, f"{spawn} in ring 3's code, returned"),
        liar1=(E_FORMAT, f"{spawn} in PrivUser, but not in its code, returned"),
        liar2=(E_FORMAT, f"{spawn} in the kernel, returned"),
        liar3=(E_FORMAT, f"{spawn} 0, returned"),
        honest=(HARMLESS, "a process of the same program, with its own system_call_entry, ended", ended),
        **GAVE_UP,
    )


@graded(
    stage=1,
    points=2,
    handout="interposition",
    usually="ring 2 runs with interrupts off, or the kernel waits for the monitor",
)
def test_a_monitor_that_loops_can_be_killed(boot: Boots, entry_of: EntryOf) -> None:
    """A process whose monitor jumps to itself, or whose PrivUser function never returns, is killed by another, and the
    rest of the machine goes on meanwhile.
    """
    machine = boot("plain", role="killer", programs={"interposed": "interposed"}, guest_seconds=4)
    entry = entry_of(machine, "interposed")
    arrive(machine, entry, None, "the monitor's entry, after a program's first call,")
    check_is_in_monitor(machine)
    place = machine.walk(entry).physical
    assert place is not None, "the monitor's entry is executed on a page that is not there"
    machine.write_physical(place, b"\xeb\xfe")  # jmp $
    monitor, function = "a process whose monitor never returns", "a process whose PrivUser function never returns"
    must_report(
        machine,
        restless=(0, f"kill, of {monitor}, returned"),
        restless_end=(KILLED_STATUS, f"{monitor}, and which was killed, ended", ended),
        endless=(0, f"kill, of {function}, returned"),
        endless_end=(KILLED_STATUS, f"{function}, and which was killed, ended", ended),
        ticks=(range(8, 61), "two sleeps of 4 ticks, each beside a process that loops in ring 2, took in ticks"),
        mediated=(HARMLESS, "after that a process that checks whether it is mediated ended", ended),
        **GAVE_UP,
    )


@graded(
    stage=1,
    points=1,
    handout="interposition",
    usually="the monitor's own calls are sent to the monitor again, or mediation is switched for all processes at once",
    schedules=True,
)
def test_only_ring_3_of_mediated_processes_is_mediated(boot: Boots) -> None:
    """Code in PrivUser may ask the kernel what its program may not; and a program without PrivUser makes its calls as
    ever, in turns with mediated ones.
    """
    machine = boot("interposed", role="own_calls")
    must_report(
        machine,
        same=(1, "PrivUser code, which may ask the kernel itself, called getpid once; the calls that gave its id are"),
        sum=((machine.nonce >> 8) + 9, "a privcall that adds four numbers returned"),
        denied=denied(f"after a privcall {FORBIDDEN}"),
        **GAVE_UP,
    )
    turns = "a process that checks whether it is mediated, in turns with one without a PrivUser, ended"
    must_report(
        boot("plain", role="mixed", programs={"interposed": "interposed"}),
        own=(
            20,
            "of 20 getpid calls of a process without a PrivUser, beside mediated ones, those that worked are",
        ),
        **{f"mediated{number}": (HARMLESS, turns, ended) for number in range(3)},
        **GAVE_UP,
    )
