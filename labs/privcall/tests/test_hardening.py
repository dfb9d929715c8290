"""Stage 4: what an attacker tries next. Pointers, the kernel as a deputy, flags, what a call leaves behind, threads."""

from __future__ import annotations

import random
import re
from itertools import pairwise

from privuser import (
    DONE,
    KBASE,
    PAGE,
    PAGE_FAULT,
    PRIVUSER_END,
    PRIVUSER_STACK_SIZE,
    PRIVUSER_START,
    address_of,
    drawn_bytes,
    ended_by_fault,
    expect,
    expect_error,
    expect_fault_lines,
    expect_no_address,
    expect_out_of_reach,
    faults_in_privuser,
    in_words,
    plant,
    word,
)

from grader.builds.build import Build
from grader.machine import Machine
from grader.machine.diagnosis import fault_lines
from grader.machine.registers import DIRECTION, TRAP, Registers
from grader.machine.secrecy import in_registers, kept_secret
from grader.machine.witness import Witness
from grader.testing.boots import Boots
from grader.testing.kernel_error import KernelError, fault_status
from grader.testing.plugin import graded
from grader.testing.sweep import Sweep, Window

E_FAULT, E_INVALID, E_NO_CALL = int(KernelError.E_FAULT), int(KernelError.E_INVALID), int(KernelError.E_NO_CALL)
BAD_RANGES = [
    *("secret", "header", "into", "out-of", "hole", "last-byte", "KBASE", "kernel", "across-KBASE", "end", "to-zero"),
    *("wraps", "null", "page-0"),
]
"""Of the role `ranges` of probes/pointers.c."""

COPIED = 1000 + 16
"""What probes/flags.c says of a call whose result and 16 bytes were right."""

LITTLE = 8
"""Bytes of the buffer in sweeps."""

FAR_CALL = re.compile(rb"\x9a.{4}\x1f\x00", re.S)
"""`call 0x1F:anything`."""

STUB_LENGTH = 160
"""Bytes from `privcall` on in which its far call is looked for."""

TWICE = 6
"""POINTERS_TWICE of probes/pointers.h."""

STUBS_STACK = 128
"""Bytes of ring 3's stack below a privcall's arguments that are its stub's."""

STATUS_FLAGS = 0x8D5
"""CF, PF, AF, ZF, SF and OF of EFLAGS."""

STEPS = 24
"""Of a sweep: how many of a call's instructions are disturbed, each in a call of its own."""


# Pointers


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
    machine.run_to("look_here", program="pointers")
    space = machine.registers().cr3
    plant(machine, "pointers_secret", "pointers", secret)
    report = machine.finish()
    assert "ended" not in report, f"a call with a bad pointer ended the program: {in_words(report['ended'])}"
    kinds = "IN, IN as second argument, as third, OUT, IN and OUT"
    expect(report, kinds, dict.fromkeys(BAD_RANGES, E_FAULT))
    lengthless: dict[str, int | tuple[int, ...]] = {"lengthless": E_INVALID, "lengthless-bad": (E_INVALID, E_FAULT)}
    expect(report, "a pointer as the last argument, without a length", lengthless)
    expect(report, "a length over 256", {"long": E_INVALID, "longest": (E_INVALID, E_FAULT)})
    assert report["ran"] == 0, f"functions ran {report['ran']} times on pointers that must be refused"
    kept = machine.read_virtual(machine.symbol("pointers_secret", "pointers"), 256, space)
    assert kept == secret, "a function's output was copied over a secret in PrivUser"
    assert report["still-right"] == 1, "a right pointer is refused as well"
    report = boot("pointers", role="absent").finish()
    bad = ["in-absent", "in-half", "out-absent", "out-half", "out-code", "out-constant"]
    expect(report, "a buffer on a page that is not there, or not writable", dict.fromkeys(bad, (E_FAULT, PAGE_FAULT)))
    assert report["in-constant"] == 10, "a constant, which is there to be read, was refused"


@graded(
    stage=4,
    points=1,
    handout="pointers",
    usually="what lies at PrivUser's edges, or is empty or as long as may be, is refused",
    schedules=True,
)
def test_pointers_to_ordinary_memory_are_taken(boot: Boots) -> None:
    """Buffers of 0 to 256 bytes go in and come out, at odd addresses, on the stack, and right beside PrivUser."""
    report = boot("pointers", role="good").finish()
    kinds = "IN", "IN as third argument", "OUT", "IN as second argument"
    wrong = [
        f"{name} ({kind})"
        for name in ("all", "odd", "one", "stack", "below", "after")
        for bit, kind in enumerate(kinds)
        if not report[name] >> bit & 1
    ]
    assert not wrong, f"these buffers did not go in or come out right: {', '.join(wrong)}"
    expect(report, "a buffer of no bytes", {"nothing-in": 0, "nothing-out": 0})


@graded(
    stage=4,
    points=1,
    handout="pointers",
    usually="an OUT buffer is not cleared, or comes out after a failure too",
    schedules=True,
)
def test_only_what_the_function_wrote_comes_out(boot: Boots) -> None:
    """An OUT buffer begins as zeros, comes out when the function returned 0 or more, and not when it failed."""
    report = boot("pointers", role="out").finish()
    assert report["dirty"] == 0, f"{report['dirty']} of the function's 100 bytes were not zero when it began"
    assert report["half"] == 50 * 5, "what the function wrote did not come out"
    assert report["zeros"] == 0, "bytes came out that the function never wrote"
    assert report.signed("failed") == -1
    assert report["untouched"] == 900, "the output of a function that failed was copied out"
    assert (report["copied"], report["right"]) == (100, 100), "IN and OUT of one call did not both arrive"
    assert (report["itself"], report["in-place"]) == (100, 500), "one buffer for IN and OUT went wrong"


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
    machine.run_to("look_here", program="pointers")
    buffer = machine.symbol("buffer", "pointers")
    machine.run_to("pointers_between", program="pointers")
    assert machine.registers().cpl == 2
    later = drawn_bytes(seed, 64)
    machine.write_virtual(buffer, later)
    report = machine.finish()
    assert report["changed"] == 0, f"{report['changed']} words changed while the function ran"
    assert PRIVUSER_START <= report["where"] < PRIVUSER_END, (
        f"it was given {report['where']:#010x}, not a copy in PrivUser"
    )
    assert report["now"] == sum(later)


@graded(stage=4, points=1, handout="once", usually="the buffer is copied, and then read again from where it came")
def test_a_buffer_may_change_at_any_instruction(boot: Boots, sweep: Sweep, seed: int) -> None:
    """A second thread that rewrites the buffer at any instruction of the call makes no function see two contents."""
    draw = random.Random(seed)
    machine = boot("pointers", role="again", a=TWICE, b=sweep.rounds(STEPS))
    machine.run_to("look_here", program="pointers")
    buffer = machine.symbol("buffer", "pointers")
    for step in sweep(machine, Window("privcall", program="pointers"), most=STEPS):
        machine.write_virtual(buffer, draw.randbytes(LITTLE))
        step.finish()
    report = machine.finish()
    assert report["wrong"] == 0, f"in {report['wrong']} calls the function saw its buffer change"
    assert report["right"] == sweep.rounds(STEPS), f"only {report['right']} calls worked"


@graded(stage=4, points=1, handout="once", usually="ring 2 reads the arguments from ring 3's stack, more than once")
def test_arguments_may_change_at_any_instruction(boot: Boots, sweep: Sweep, seed: int) -> None:
    """A second thread that changes the arguments on ring 3's stack while they are checked changes nothing any more, or
    has the call refused.
    """
    secret = drawn_bytes(seed, 256)
    rounds = sweep.rounds(STEPS) + 1
    machine = boot("pointers", role="again", a=0, b=rounds)
    machine.run_to("look_here", program="pointers")
    plant(machine, "pointers_secret", "pointers", secret)
    attack = word(machine.symbol("pointers_secret", "pointers")) + word(256)
    machine.run_to("privcall", program="pointers")
    arguments = machine.registers().esp + 4  # the same in every round
    for step in sweep(machine, Window("privcall", program="pointers"), most=STEPS):
        machine.write_virtual(arguments + 4, attack)
        for copy in copies_of(machine, arguments):
            machine.write_virtual(copy, attack)
        step.finish()
    report = machine.finish()
    assert report["wrong"] == 0, f"{report['wrong']} calls returned the sum of other bytes than the program's"
    assert report["right"] + report["refused"] == rounds
    assert report["right"] >= rounds // 2, f"only {report['right']} of {rounds} calls worked"


def copies_of(machine: Machine, arguments: int) -> list[int]:
    """Where on ring 3's stack below the arguments a pointer and its length lie once more: a stub may pass them so."""
    pair = word(machine.symbol("buffer", "pointers")) + word(LITTLE)
    stack = machine.read_virtual(arguments - STUBS_STACK, STUBS_STACK)
    places = range(0, STUBS_STACK - len(pair) + 1, 4)
    return [arguments - STUBS_STACK + at for at in places if stack[at : at + len(pair)] == pair]


# The kernel as a deputy

DEPUTY_PLACES = ["secret", "program", "argument", "file", "new", "key", "room"]
DEPUTY_CALLS = [
    *("write", "parameter", "spawn", "wait", "create_file", "read_file", "list_files", "delete_file"),
    "list_processes",
]
"""Bits of what the privcalls of probes/deputy.h return."""


def deputy(boot: Boots, role: str, secret: bytes) -> Machine:
    """The probe in a role, with its secret planted and told where its PrivUser has what."""
    machine = boot("deputy", role=role, guest_seconds=4)
    machine.run_to("look_here", program="deputy")
    plant(machine, "deputy_secret", "deputy", secret)
    places = [machine.symbol(f"deputy_{place}", "deputy") for place in DEPUTY_PLACES]
    plant(machine, "deputy_places", "deputy", b"".join(map(word, places)))
    return machine


def variables(machine: Machine) -> bytes:
    """The bytes of the probe's PrivUser variables, which no call may change."""
    names = [f"deputy_{place}" for place in DEPUTY_PLACES]
    return b"".join(machine.read_virtual(machine.symbol(name, "deputy"), 8) for name in names)


@graded(
    stage=4,
    points=3,
    handout="the-deputy",
    usually="the kernel's check of pointers allows all below KBASE, whoever asks",
)
def test_the_kernel_reads_and_writes_no_privuser_for_ring_3(boot: Boots, seed: int) -> None:
    """Every system call of ring 3 that names PrivUser, in a buffer, a name, a status or a stack, is an error and does
    nothing; with memory of its own, and for PrivUser itself, the same calls work.
    """
    secret = drawn_bytes(seed, 32)
    machine = deputy(boot, "ring_3", secret)
    expect_out_of_reach(machine)
    before = variables(machine)
    machine.run_to("look_here", program="deputy")
    changed = variables(machine) != before
    report = machine.finish()
    reads = ["write", "spawn", "create-file", "read-file", "delete-file", "parameter"]
    writes = ["read", "list-files", "list-processes", "answer", "thread-create", "wait"]
    expect_error(report, "ring 3 had the kernel use PrivUser", [*reads, *writes])
    assert not changed, "the calls were refused, but PrivUser has changed"
    assert secret not in machine.serial, "the secret was printed"
    expect(report, "the child that was waited for with bad pointers", {"child": DONE})
    expect(report, "files of ring 3's own", {"create": 0, "read-back": 4, "delete": 0})
    assert report["alive"] == (1 << len(DEPUTY_CALLS)) - 1, "afterwards, PrivUser's own system calls did not work"
    assert (report["files"], report["parameter-right"], report["written"]) == (1, 1, 7)


@graded(
    stage=4,
    points=1,
    handout="the-deputy",
    usually="the kernel refuses PrivUser's memory to ring 2 as well, or KBASE's to nobody",
)
def test_the_kernel_serves_privuser_itself(boot: Boots, seed: int) -> None:
    """The same system calls from ring 2 work on PrivUser's memory and on ordinary memory, not on the kernel's."""
    machine = deputy(boot, "ring_2", drawn_bytes(seed, 32))
    report = machine.finish()
    for key, what in (
        ("own", "did not work from ring 2 on PrivUser's memory"),
        ("ordinary", "did not work from ring 2 on ordinary memory"),
        ("kernels", "from ring 2 with the kernel's memory was not refused"),
    ):
        value = report[key]
        failed = [name for bit, name in enumerate(DEPUTY_CALLS) if value >> 31 or not value >> bit & 1]
        assert not failed, f"{', '.join(failed)} {what}"
    assert machine.serial.count(b"from ring 2") == 2
    mapping = ["memory_map of a hole", "memory_map across the end", "memory_unmap of a variable", "memory_unmap of all"]
    taken = [name for bit, name in enumerate(mapping) if not report["pages"] >> bit & 1]
    assert not taken, f"in PrivUser, {', '.join(taken)} is not refused to ring 2"


@graded(
    stage=4,
    points=1,
    handout="the-deputy",
    usually="who is in ring 2 is noted for the process, not taken from the frame",
    schedules=True,
)
def test_a_thread_in_ring_2_lends_its_rights_to_nobody(boot: Boots, build: Build, seed: int) -> None:
    """While one thread is in ring 2, system calls of another one, in ring 3, get no PrivUser memory, as ever."""
    secret = drawn_bytes(seed, 32)
    machine = boot("threads", role="beside", a=hex(address_of(build.probes["threads"], "threads_secret")))
    machine.run_to("main", program="threads")
    plant(machine, "threads_secret", "threads", secret)
    machine.run_to("look_here", program="threads", times=4)
    kept = machine.read_virtual(machine.symbol("threads_secret", "threads"), 32) == secret
    report = machine.finish()
    expect_error(report, "beside a thread in ring 2", ["write", "read-file", "list", "parameter", "map"])
    assert kept, "the calls were refused, but the secret has changed"
    assert secret not in machine.serial, "the secret was printed"
    assert report["own-list"] == 1
    expect(report, "the threads", {"thread": 0, "dwelt-too": 0})
    assert report["dwelt"] == report["let-go"] == machine.nonce


# Flags and segment registers


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
    machine.run_to("look_here", program="flags")
    make_odd_before_the_call(machine)
    report = machine.finish()
    flags = ["plain", "DF", "NT", "AC", "DF+NT+AC"]
    segments = ["null-ES", "code-ES", "null-FS-GS", "code-FS-GS", "RPL0", "all"]
    wrong = [f"{case}: {copied_in_words(report[case])}" for case in [*flags, *segments] if report[case] != COPIED]
    assert not wrong, f"a call that copies 16 bytes: {'; '.join(wrong)}"
    assert not report["in-ring-2"] & DIRECTION, "a function of PrivUser begins with the direction flag set"
    late = report["at-the-gate"]
    how = f"{late - DONE} went wrong" if DONE < late < DONE + 100 else in_words(late)
    assert late == DONE, f"with flags and segments made odd right before the far call, calls that copy 16 bytes: {how}"
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
    report = boot("residue", role="borrowed", a=hex(bait)).finish()
    for number_in in ("none", "EAX", "EBX", "ECX", "EDX", "ESI", "EDI", "EBP"):
        ended = report[number_in]
        assert ended != DONE + 1, "with a stack pointer into PrivUser a call takes words of PrivUser for its arguments"
        assert ended == DONE or ended_by_fault(ended), f"with a stack pointer into PrivUser a call: {in_words(ended)}"
    expect(report, "calls as they should be", {"before": 0, "legal": 0, "then": 1})


def copied_in_words(status: int) -> str:
    """How a child of the role `odd` ended."""
    if status > COPIED:
        return in_words(status)
    return f"{status % 1000} bytes arrived" + (" and the result is wrong" if status < 1000 else "")


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
    for _ in sweep(machine, Window("privcall", program="flags"), most=steps):
        now = machine.registers()
        in_ring_2 += now.cpl == 2
        machine.set_register("eflags", now.eflags | TRAP)
    report = machine.finish()
    expect(report, "a call with the trap flag", {"once": (DONE, fault_status(1))})
    assert report.all("once")[0] == report.all("once")[-1] == DONE, "a call without the trap flag went wrong"
    assert in_ring_2, "no step was in ring 2"
    said = faults_in_privuser(machine.serial)
    assert set(said) <= {("flags", 1, "debug")}, f"the console says {said}"
    others = fault_lines(machine.serial)
    assert len(said) + len(others) == machine.serial.count(b"fault:"), "a line about a fault says more than it may"
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
    for step in sweep(machine, Window("privcall", program="flags"), most=STEPS):
        machine.inject_irq(0)
        step.finish()
    assert machine.finish()["wrong"] == 0


# What a call leaves behind


@graded(stage=4, points=3, handout="residue", usually="ECX and EDX come back as the function left them")
def test_a_call_leaves_nothing_of_privuser_behind(boot: Boots, seed: int) -> None:
    """After a call that works, fails or is refused, no register holds a word of the secret or an address in PrivUser,
    flags do not depend on it, and no memory of ring 3's, below its stack pointer or elsewhere, holds it.
    """
    other, secret = (bytes([drawn[0] & ~1 | bit]) + drawn[1:] for bit, drawn in enumerate(drawn_secrets(seed)))
    machine = boot("residue", role="calls")
    machine.run_to("look_here", program="residue")
    plant(machine, "residue_secret", "residue", other)
    states: list[dict[str, int]] = []
    for call in ("works", "works", "fails", "has a result in memory", "does not exist", "names PrivUser"):
        now = at_the_gates_end(machine)
        expect_nothing_in_registers(machine, secret if states else other, f"right after the RETF of a call that {call}")
        machine.run_to("residue_after", program="residue")
        expect_nothing_in_registers(machine, secret if states else other, f"after a call that {call}")
        kept_secret(machine, secret if states else other, f"after a call that {call}, the secret")
        states.append({**now.general(), "eflags": now.eflags & STATUS_FLAGS})
        plant(machine, "residue_secret", "residue", secret)
    differing = [name.upper() for name in states[0] if states[0][name] != states[1][name]]
    assert not differing, f"after the same call with another secret, another value is in {', '.join(differing)}"
    machine.run_to("look_here", program="residue")
    kept_secret(machine, secret)
    report = machine.finish()
    expect(report, "the calls", {"spread": 539, "no-call": E_NO_CALL, "bad": E_FAULT, "digest": 16})
    assert report.signed("failed") == -1
    assert report["hash"] == digest(secret, machine.nonce), "what the function computed did not come out"
    left = report["direct"] - DONE
    assert not 0 < left <= 8, f"called without the stub, the gate leaves addresses in PrivUser in {left} registers"
    assert left == 0 or ended_by_fault(report["direct"]), f"called without the stub: {in_words(report['direct'])}"


def at_the_gates_end(machine: Machine) -> Registers:
    """Run to the first instruction in ring 3 after the next call through the gate."""
    machine.run_to(machine.read_u32(PRIVUSER_START + 4))
    machine.run_to(machine.read_u32(machine.registers().esp))  # the processor pushed it last
    return machine.registers()


def expect_nothing_in_registers(machine: Machine, secret: bytes, when: str) -> None:
    """Fail when ring 3 has a register with a word of the secret or an address in PrivUser."""
    now = machine.registers()
    assert now.cpl == 3
    for name, value in now.general().items():
        shown = PRIVUSER_START <= value < PRIVUSER_END
        assert not shown, f"{when}, {name.upper()} still holds {value:#010x}, an address in PrivUser"
    leaks = in_registers(machine, secret)
    assert not leaks, f"{when}, a word of the secret is in {leaks[0]}"


def drawn_secrets(seed: int) -> tuple[bytes, bytes]:
    """Two secrets for this run."""
    return drawn_bytes(seed, 16), drawn_bytes(seed + 1, 16)


def digest(secret: bytes, nonce: int) -> int:
    """`digest` of probes/residue_privuser.c over the 64 bytes of probes/residue.c."""
    keys = [int.from_bytes(secret[at : at + 4], "little") for at in range(0, 16, 4)]
    found = keys[0]
    for index in range(64):
        found = (found ^ (nonce + index & 0xFF) ^ keys[index % 4]) * 0x01000193 & 0xFFFFFFFF
    return found


# Threads


@graded(
    stage=4,
    points=3,
    handout="threads",
    usually="all threads of a process have one stack in ring 2, or share its buffers",
    schedules=True,
)
def test_threads_meet_in_ring_2_undisturbed(boot: Boots) -> None:
    """Four threads, then 24, are in ring 2 at once, each on a stack and with buffers of its own."""
    machine = boot("threads", role="meet", guest_seconds=6)
    stacks = []
    for _ in range(4):
        machine.run_to("threads_inside", program="threads")
        now, task = machine.registers(), machine.tss()
        assert now.cpl == 2
        found = machine.walk(now.esp)
        assert found.present and not found.user, f"the stack of a thread in ring 2: {found}"
        assert PRIVUSER_START <= now.esp < task.esp2 <= PRIVUSER_END
        stacks.append(now.esp)
    expect_out_of_reach(machine)
    stacks.sort()
    gaps = [upper - lower for lower, upper in pairwise(stacks)]
    assert min(gaps) >= PRIVUSER_STACK_SIZE, f"two threads' stacks in ring 2 are only {min(gaps)} bytes apart"
    report = machine.finish()
    assert report["four"] == 4, f"only {report['four']} of four threads came back with what was theirs"
    assert report["crowd"] == 24, f"only {report['crowd']} of 24 threads came back with what was theirs"


@graded(
    stage=4,
    points=1,
    handout="threads",
    usually="a thread's stack in ring 2 is not given back when it ends",
    schedules=True,
)
def test_eighty_threads_one_after_the_other_can_call(boot: Boots, seed: int) -> None:
    """Every new thread gets a stack in ring 2, however many there were before; none is left when they have ended, nor
    what was on it.
    """
    secret = drawn_bytes(seed, 32)
    machine = boot("threads", role="many", memory_mb=8, guest_seconds=4)
    machine.run_to("threads_inside", program="threads")
    esp = machine.registers().esp
    places = [esp - 1024, esp - 1024 - PAGE]  # both pages: one may become a page table, which is cleared
    frames = {machine.walk(place & -PAGE).physical for place in places}
    for place in places:
        machine.write_virtual(place, secret)
    machine.run_to("look_here", program="threads")
    left = [page for page in machine.mappings(end=KBASE) if page.physical in frames and page.user]
    kept = not any(secret in machine.read_physical(page.physical, PAGE) for page in left)
    machine.run_to("look_here", program="threads")
    before = machine.mappings(start=PRIVUSER_START, end=PRIVUSER_END)
    machine.run_to("look_here", program="threads")
    after = machine.mappings(start=PRIVUSER_START, end=PRIVUSER_END)
    report = machine.finish()
    assert kept, "what an ended thread had on its stack in ring 2 lies in a page that memory_map gave"
    assert report["right"] == 80, f"only {report['right']} of 80 threads got their result"
    more = len(after) - len(before)
    assert more <= 0, f"{more} more pages of PrivUser are there after 80 threads than after one"


@graded(
    stage=4,
    points=1,
    handout="threads",
    usually="a fault of one thread in ring 2 leaves the others running, or panics",
    schedules=True,
)
def test_a_fault_of_a_thread_in_ring_2_ends_its_process(boot: Boots) -> None:
    """When one thread faults in ring 2, its whole process ends with that exception, and no other process does."""
    machine = boot("threads", role="fault")
    report = machine.finish()
    expect(report, "the process whose thread faulted", {"ended": fault_status(6)})
    ring_2, ring_3 = machine.serial.split(b"probe ended=")
    expect_fault_lines(ring_2, "threads", [(6, "invalid opcode")])
    assert len(fault_lines(ring_3)) == 1, "a fault in ring 3 is no longer told as before"
    assert report["before"] == report["after"] == machine.nonce // 4 * 2
    expect(report, "ring 3 looks into PrivUser", {"in-ring-3": PAGE_FAULT})
