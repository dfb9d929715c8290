"""Stage 2: the first privcalls. Ring 3 gets into ring 2 through one gate, to one place, and comes back as it went."""

from __future__ import annotations

import random
import re

from privuser import (
    CODE_SELECTOR,
    DATA_SELECTOR,
    DONE,
    FILES_SECRET,
    GATE_SELECTOR,
    GENERAL_PROTECTION,
    PAGE_FAULT,
    PRIVUSER_END,
    PRIVUSER_STACK_SIZE,
    PRIVUSER_START,
    address_of,
    compute,
    drawn_word,
    ended_by_fault,
    expect,
    expect_fault_lines,
    in_words,
    mix,
    plant,
    turns,
    word,
)

from grader.builds.build import Build
from grader.machine import Machine
from grader.machine.descriptors import Gate, Segment, decode_table
from grader.machine.diagnosis import fault_lines
from grader.machine.witness import Witness
from grader.testing.boots import Boots
from grader.testing.kernel_error import KILLED_STATUS, KernelError, fault_status
from grader.testing.plugin import graded

PROBE = "calls"
LDT, CALL_GATE = 2, 12
NULL_BLOWN = 8
"""The address that BLOW_NULL of probes/calls_privuser.c writes to."""

ROUNDS, MANY_ROUNDS = 300_000, 80_000


def in_ring_2(machine: Machine, function: str) -> None:
    """Run to a function of the probe's PrivUser, and make sure that it runs where and on what it must."""
    machine.run_to(function, program=PROBE)
    now, task = machine.registers(), machine.tss()
    assert now.cpl == 2, f"the function runs in ring {now.cpl}, not in ring 2"
    assert now.cs.selector == CODE_SELECTOR, f"it runs in the segment {now.cs.selector:#x}"
    assert now.ss.selector == task.ss2, f"its stack segment is {now.ss.selector:#x}, SS2 is {task.ss2:#x}"
    assert now.ss.dpl == now.ss.rpl == 2, "its stack segment is not one of ring 2"
    top = task.esp2
    assert top - PRIVUSER_STACK_SIZE <= now.esp < top, f"ESP is {now.esp:#010x}: the stack does not begin at {top:#x}"
    stack = machine.walk(now.esp)
    assert PRIVUSER_START <= now.esp < PRIVUSER_END, f"its stack lies outside of PrivUser, at {now.esp:#010x}"
    assert stack.present, f"its stack is not there: {stack}"
    assert not stack.user, f"ring 3 can read its stack: {stack}"


@graded(
    stage=2,
    points=5,
    handout="there-and-back",
    usually="the gate, its stack, or the way back is wrong; on Bochs also: DS and ES come back null and stay so",
    witnesses=(Witness.QEMU, Witness.BOCHS),
    schedules=True,
)
def test_a_privcall_runs_in_ring_2_and_comes_back_with_a_result(boot: Boots, seed: int) -> None:
    """The function runs at CPL 2, on the thread's stack in PrivUser, in the same address space; its result arrives in
    ring 3, which goes on with DS and ES in order.
    """
    secret = drawn_word(seed)
    machine = boot(PROBE, role="first")
    machine.run_to("main", program=PROBE)
    space = machine.registers().cr3
    plant(machine, "calls_secret", PROBE, word(secret))
    in_ring_2(machine, "calls_mix")
    assert machine.registers().cr3 == space, "the call changed to another address space"
    machine.run_to("look_here", program=PROBE)
    assert machine.registers().cpl == 3
    report = machine.finish()
    assert report["result"] == mix(secret, machine.nonce, 2, 3, 4), "the result is not the function's"
    assert report["copied"] == machine.nonce, "memory that the program copied afterwards, through DS and ES, is wrong"
    assert report["again"] == mix(secret, 4, machine.nonce, 2, 1), "the second call's result is not the function's"


@graded(
    stage=2,
    points=3,
    handout="the-gate",
    usually="a descriptor's access byte, or the gate's type, DPL or offset",
    schedules=True,
)
def test_the_ldt_holds_two_segments_and_one_gate(boot: Boots, seed: int) -> None:
    """Entries 1 and 2 of the LDT are ring 2's code and data, entry 3 is a call gate for ring 3, which leads to the
    entry of the header.
    """
    secret = drawn_word(seed)
    machine = boot(PROBE, role="first")
    machine.run_to("main", program=PROBE)
    plant(machine, "calls_secret", PROBE, word(secret))
    in_ring_2(machine, "calls_mix")
    held = machine.registers().ldtr
    assert held.selector & ~3, "no LDT is loaded while a privcall runs"
    system = machine.gdt()[held.selector >> 3]
    assert isinstance(system, Segment) and system.type == LDT, f"LDTR names no LDT: {system}"
    entries = decode_table(machine.read_virtual(held.base, held.limit + 1))
    assert len(entries) >= 4, f"the LDT has only {len(entries)} entries"
    code, data, gate = entries[CODE_SELECTOR >> 3], entries[DATA_SELECTOR >> 3], entries[GATE_SELECTOR >> 3]
    assert isinstance(code, Segment) and code.code and code.wide and code.present, f"no 32-bit code: {code}"
    assert code.dpl == 2 and not code.conforming, f"no code of ring 2 alone: {code}"
    assert isinstance(data, Segment) and data.writable and data.wide and data.present, f"no 32-bit data: {data}"
    assert data.dpl == 2, f"no data of ring 2: {data}"
    assert isinstance(gate, Gate) and gate.type == CALL_GATE and gate.present, f"no 32-bit call gate: {gate}"
    assert gate.dpl == 3, f"ring 3 may not use the gate: {gate}"
    assert gate.selector & ~3 == CODE_SELECTOR & ~3, f"the gate leads to another segment: {gate}"
    entry = machine.read_u32(PRIVUSER_START + 4)
    assert gate.offset == entry, f"the gate leads to {gate.offset:#010x}, the header's entry is {entry:#010x}"
    assert machine.finish()["result"] == mix(secret, machine.nonce, 2, 3, 4)


@graded(
    stage=2,
    points=3,
    handout="there-and-back",
    usually="the gate's parameter count and the return's do not match, or a stack is not given back",
    schedules=True,
)
def test_ten_thousand_calls_leave_everything_in_place(boot: Boots, seed: int) -> None:
    """EBX, ESI, EDI, EBP and ESP come back from each of 10,000 calls, and ring 2 finds its stack where it was."""
    secret = drawn_word(seed)
    machine = boot(PROBE, role="kept")
    machine.run_to("main", program=PROBE)
    plant(machine, "calls_secret", PROBE, word(secret))
    in_ring_2(machine, "calls_mix")
    first = machine.registers().esp
    machine.run_to("look_here", program=PROBE)
    in_ring_2(machine, "calls_mix")
    last = machine.registers().esp
    assert first == last, f"ring 2's stack pointer was {first:#010x} in the first call and is {last:#010x} now"
    report = machine.finish()
    names = ["EBX", "ESI", "EDI", "EBP", "ESP"]
    changed = [name for bit, name in enumerate(names) if report["changed"] >> bit & 1]
    assert not changed, f"a call came back with another {', '.join(changed)}"
    assert report["wrong"] == 0, f"{report['wrong']} of 10,000 results were wrong"
    assert report["last"] == mix(secret, *(machine.nonce + more for more in range(4)))
    assert report["deep"] == 539, "a function that uses 6 KB of its stack does not return what it should"


@graded(
    stage=2,
    points=3,
    handout="the-table",
    usually="the number is compared as a signed one, or its product with 8 wraps",
    schedules=True,
)
def test_only_the_tables_numbers_can_be_called(boot: Boots) -> None:
    """The first number past the table, and every other one up to -1, is E_NO_CALL, and no function has run."""
    report = boot(PROBE, role="numbers").finish()
    bad = ["count", "count+1", "1000", "-1", "-2", "0x80000000", "0x80000000+c", "0x20000000", "0x40000001"]
    no_call = int(KernelError.E_NO_CALL)
    expect(report, "a number that no function has", dict.fromkeys([*bad, "0x10000", "0x100"], no_call))
    assert report["before"] == report["after"] == mix(FILES_SECRET, 1, 1, 1, 1)
    assert report["made"] == 2, "a function has run that nobody may call, or one that nobody called"


@graded(
    stage=2,
    points=3,
    handout="the-gate",
    usually="PrivUser's segments can be loaded or jumped into from ring 3",
    schedules=True,
)
def test_there_is_no_way_in_but_the_gate(boot: Boots, build: Build) -> None:
    """Far jumps, calls and returns into PrivUser, and its data segment in ring 3's registers, are general protection;
    a call through the gate ignores the offset it is made with.
    """
    report = boot(
        "ways", role="all", a=hex(address_of(build.probes["ways"], "ways_forbidden")), guest_seconds=4
    ).finish()
    jumps = ["jump", "jump-rpl3", "jump-gate", "call", "call-rpl3"]
    returns = ["retf", "retf-rpl3", "retf-stack", "iret", "iret-rpl3", "iret-stack"]
    loads = ["ds", "es-rpl3", "fs", "gs-code", "ss", "ss-rpl3"]
    expect(report, "a way that must be none", dict.fromkeys([*jumps, *returns, *loads], GENERAL_PROTECTION))
    without = report["gate-offset"]
    assert without == DONE or ended_by_fault(without), f"the gate, with an offset and no arguments: {in_words(without)}"
    expect(report, "the legal way", {"legal": DONE})


@graded(
    stage=2,
    points=4,
    handout="faults-in-ring-2",
    usually="a trap is from outside only if CS says 3, or registers are printed",
    schedules=True,
)
def test_a_fault_in_ring_2_ends_its_process_and_tells_nothing(boot: Boots) -> None:
    """A function that faults ends its process with the exception's status; the kernel goes on, and prints which fault
    it was, but no address and no register, and no later line tells of them.
    """
    blows = {
        "divide": (0, "divide error"),
        "breakpoint": (3, "breakpoint"),
        "opcode": (6, "invalid opcode"),
        "halt": (13, "general protection"),
        "kernel-ds": (13, "general protection"),
        "null": (14, "page fault"),
        "own-code": (14, "page fault"),
    }
    machine = boot(PROBE, role="blows")
    report = machine.finish()
    expect(report, "a fault in ring 2", {name: fault_status(vector) for name, (vector, _) in blows.items()})
    expect(report, "a call that does no harm", {"harmless": 0})
    inside, outside = machine.serial.split(b"probe own-code=")
    expect_fault_lines(inside, PROBE, list(blows.values()))
    expect(report, "a fault of ring 3's own", {"outside": GENERAL_PROTECTION})
    later = fault_lines(outside)
    assert len(later) == 1, "a fault in ring 3 is no longer told as before"
    shown = later[0].cr2
    hidden = shown == NULL_BLOWN or PRIVUSER_START <= shown < PRIVUSER_END
    assert not hidden, f"ring 2's page fault shows in the line of a later fault: cr2 {shown:#010x}"
    value = f"{machine.nonce:08x}".encode()
    assert value not in machine.serial.lower(), f"a register's value, {machine.nonce:#x}, was printed"


@graded(stage=2, points=3, handout="interrupts-in-ring-2", usually="the timer's interrupt takes ring 2 for the kernel")
def test_others_run_while_a_privcall_takes_long(boot: Boots, seed: int) -> None:
    """The timer interrupts ring 2 as it does ring 3: another process runs meanwhile, and the result is right."""
    secret = drawn_word(seed)
    machine = boot(PROBE, role="compute")
    machine.run_to("main", program=PROBE)
    long = machine.registers().cr3
    plant(machine, "calls_secret", PROBE, word(secret))
    machine.run_to("look_here", program=PROBE)
    assert machine.registers().cr3 != long
    inside = machine.read_u32(machine.symbol("calls_inside", PROBE), long)
    assert inside == 1, "the other process ran only when the privcall had come back"
    report = machine.finish()
    assert report["result"] == compute(secret, ROUNDS, machine.nonce), "the interrupted function's result is wrong"
    expect(report, "the process beside", {"beside": DONE})


@graded(stage=2, points=2, handout="at-every-switch", usually="LDT or SS2:ESP2 are not changed with the process")
def test_every_process_calls_its_own_privuser(boot: Boots, seed: int) -> None:
    """Processes that take turns, in ring 2 too, each work with the secret of their own PrivUser, and one of another
    program with its own functions.
    """
    secrets = [drawn_word(seed), drawn_word(seed + 1)]
    machine = boot(PROBE, role="both", a=MANY_ROUNDS, programs={"hello": "ways"})
    for secret in secrets:
        machine.run_to("look_here", program=PROBE)
        plant(machine, "calls_secret", PROBE, word(secret))
    report = machine.finish()
    pairs = (secrets, secrets[::-1])
    wanted = [(turns(one, 1, MANY_ROUNDS), turns(other, 2, MANY_ROUNDS)) for one, other in pairs]
    assert (report["first"], report["second"]) in wanted, "the two processes did not each use their own secret"
    expect(report, "the process of another program", {"other": DONE})


@graded(
    stage=2,
    points=2,
    handout="at-every-switch",
    usually="the LDT of the process before stays loaded at a switch",
    schedules=True,
)
def test_a_process_without_privuser_has_no_gate(boot: Boots) -> None:
    """Beside, after and before a process with a PrivUser, one without has neither the gate nor the pages."""
    machine = boot("plain", role="mixed", programs={"hello": PROBE})
    report = machine.finish()
    calls = ["call-before", "call-beside", "call-after", "call-last"]
    expect(report, "a call to the gate", dict.fromkeys(calls, (GENERAL_PROTECTION, fault_status(11))))
    expect(report, "a look at PrivUser's address", {"read-beside": PAGE_FAULT})
    expect(report, "the processes with a PrivUser", {"lender": DONE, "turns": turns(FILES_SECRET, 3, 50_000)})
    assert report["done"] == machine.nonce


@graded(
    stage=2,
    points=1,
    handout="interrupts-in-ring-2",
    usually="a system call or a kill treats ring 2 as the kernel",
    schedules=True,
)
def test_a_process_in_ring_2_can_sleep_and_be_killed(boot: Boots) -> None:
    """System calls of ring 2 work, and a privcall that never ends is ended by kill."""
    report = boot(PROBE, role="kernel").finish()
    assert report["pid-in-ring-2"] == report["pid"]
    assert report["slept"] >= 3, f"a sleep of three ticks in ring 2 took {report['slept']}"
    expect(report, "the endless privcall", {"killed": 0, "status": KILLED_STATUS})
    assert report["then"] == report["pid"]


@graded(stage=2, points=1, handout="heartbleed", usually="secure_heartbeat's seal does not come out of its PrivUser")
def test_the_heartbeat_leaks_its_key_no_more(boot: Boots, seed: int) -> None:
    """The same over-read brings out the key of heartbeat and not that of secure_heartbeat, whose seals are right."""
    draw = random.Random(seed)
    for name, leaks in (("heartbeat", True), ("secure_heartbeat", False)):
        key = draw.randbytes(16)
        machine = boot(None, first=name)
        machine.run_to("main", program=name)
        plant(machine, "key", name, key)
        machine.wait_for_serial(b"heartbeat ready")
        machine.send(b"5 hello\n")
        honest = response(machine)
        machine.send(b"255 hello\n")
        greedy = response(machine)
        assert honest == (b"hello", mac(key, b"hello")), f"{name} answers an honest client wrongly"
        assert greedy == (greedy[0], mac(key, greedy[0])), f"{name}'s seal of a longer answer is wrong"
        assert greedy[0].startswith(b"hello") and len(greedy[0]) == 255, f"{name} no longer believes its client"
        leaked = key in greedy[0]
        assert leaked == leaks, f"{name}'s key {'came' if leaked else 'did not come'} out with the answer"


def response(machine: Machine) -> tuple[bytes, int]:
    """The heartbeat's next answer: the bytes and their seal."""
    found = machine.wait_for_serial(re.compile(rb"response ([0-9a-f]*) mac ([0-9a-f]{8})\r?\n"))
    return bytes.fromhex(found[1].decode()), int(found[2], 16)


def mac(key: bytes, data: bytes) -> int:
    """`heartbeat_mac` of the given heartbeat.h."""
    found = 2166136261
    for byte in key + data:
        found = (found ^ byte) * 16777619 & 0xFFFFFFFF
    return found
