"""Stage 2: the first privcalls. Ring 3 gets into ring 2 through one gate, to one place, and comes back as it went."""

from __future__ import annotations

import random
import re

from demands import come_to, end_in_words, ended_by_fault, expect_ends, expect_returns, finish, judged, listed
from privuser import (
    BEGINNING,
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
    expect_fault_lines,
    mix,
    plant,
    turns,
    word,
)

from grader.builds.build import Build
from grader.machine import Machine
from grader.machine.descriptors import Gate, Segment, decode_table
from grader.machine.diagnosis import fault_lines
from grader.machine.report import Report
from grader.machine.witness import Witness
from grader.testing.boots import Boots
from grader.testing.kernel_error import KILLED_STATUS, KernelError, fault_status
from grader.testing.message import must
from grader.testing.plugin import graded

PROBE = "calls"
LDT, CALL_GATE = 2, 12
NULL_BLOWN = 8
"""The address that BLOW_NULL of probes/calls_privuser.c writes to."""

ROUNDS, MANY_ROUNDS = 300_000, 80_000

RESULT = "a privcall, whose function works on its four arguments and a secret,"

WAYS = {
    "jump": "made a far jump to PrivUser's code segment",
    "jump-rpl3": "made a far jump to PrivUser's code segment (RPL 3)",
    "jump-gate": "made a far jump to the call gate",
    "call": "made a far call of PrivUser's code segment itself",
    "call-rpl3": "made a far call of PrivUser's code segment itself (RPL 3)",
    "retf": "made a far return to PrivUser's code segment",
    "retf-rpl3": "made a far return to PrivUser's code segment (RPL 3)",
    "retf-stack": "made a far return to PrivUser's code segment (and a stack on its data segment)",
    "iret": "made an interrupt return to PrivUser's code segment",
    "iret-rpl3": "made an interrupt return to PrivUser's code segment (RPL 3)",
    "iret-stack": "made an interrupt return to PrivUser's code segment (and a stack on its data segment)",
    "ds": "loaded DS with PrivUser's data segment",
    "es-rpl3": "loaded ES with PrivUser's data segment (RPL 3)",
    "fs": "loaded FS with PrivUser's data segment",
    "gs-code": "loaded GS with PrivUser's code segment (RPL 3)",
    "ss": "loaded SS with PrivUser's data segment",
    "ss-rpl3": "loaded SS with PrivUser's data segment (RPL 3)",
}
"""What probes/ways.c tries from ring 3."""

BLOWS = {
    "divide": (0, "divide error", "divided by zero"),
    "breakpoint": (3, "breakpoint", "executed INT3"),
    "opcode": (6, "invalid opcode", "executed UD2"),
    "halt": (13, "general protection", "executed HLT"),
    "kernel-ds": (13, "general protection", "loaded GS with the kernel's data segment"),
    "null": (14, "page fault", "wrote to address 8"),
    "own-code": (14, "page fault", "wrote to its own code"),
}
"""How the role `blows` has functions in ring 2 fault: vector, exception, and what they do."""


def in_ring_2(machine: Machine, function: str) -> None:
    """Run to a function of the probe's PrivUser, and make sure that it runs where and on what it must."""
    come_to(machine, function, PROBE, "the function that a privcall names")
    now, task = machine.registers(), machine.tss()
    must(now.cpl, 2, "the function that a privcall names runs in ring")
    must(hex(now.cs.selector), hex(CODE_SELECTOR), "while a privcall's function runs, CS is")
    must(hex(now.ss.selector), hex(task.ss2), "while a privcall's function runs, SS is not SS2 of the TSS, but")
    ring_2 = now.ss.dpl == now.ss.rpl == 2
    assert ring_2, f"a privcall runs on a stack segment of DPL {now.ss.dpl} and RPL {now.ss.rpl}, which is not ring 2's"
    esp, top = now.esp, task.esp2
    on_it = top - PRIVUSER_STACK_SIZE <= esp < top
    assert on_it, f"a privcall runs with ESP {esp:#010x}, which is not on the stack that ends at ESP2, {top:#010x}"
    stack = machine.walk(esp)
    assert PRIVUSER_START <= esp < PRIVUSER_END, f"a privcall runs with ESP {esp:#010x}: its stack is not in PrivUser"
    assert stack.present, f"a privcall runs on a stack that is not there: {stack}"
    assert not stack.user, f"a privcall runs on a stack that ring 3 can read: {stack}"


@graded(
    stage=2,
    points=4,
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
    come_to(machine, "main", PROBE, BEGINNING)
    space = machine.registers().cr3
    plant(machine, "calls_secret", PROBE, word(secret))
    come_to(machine, "privcall", PROBE, "the first privcall")
    back = machine.read_u32(machine.registers().esp)
    in_ring_2(machine, "calls_mix")
    cr3 = machine.registers().cr3
    assert cr3 == space, f"a privcall left its address space: CR3 was {space:#010x} before it, and is {cr3:#010x} in it"
    come_to(machine, back, PROBE, "the return of a privcall to the program")
    now = machine.registers()
    must(now.cpl, 3, "after a privcall the program goes on in ring")
    for name, held in (("DS", now.ds), ("ES", now.es)):
        assert held.selector & ~3, f"after a privcall the program goes on with a null {name}: it faults when it uses it"
    report = finish(machine, "the end of a program that makes two privcalls")
    must(report["result"], mix(secret, machine.nonce, 2, 3, 4), f"{RESULT} returned")
    must(report["copied"], machine.nonce, "after a privcall the program copied a word through DS and ES, and found")
    must(report["again"], mix(secret, 4, machine.nonce, 2, 1), f"a second time, {RESULT} returned")


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
    come_to(machine, "main", PROBE, BEGINNING)
    plant(machine, "calls_secret", PROBE, word(secret))
    in_ring_2(machine, "calls_mix")
    held = machine.registers().ldtr
    assert held.selector & ~3, "no LDT is loaded while a privcall runs"
    system = machine.gdt()[held.selector >> 3]
    assert isinstance(system, Segment) and system.type == LDT, f"LDTR names no LDT, but this entry of the GDT: {system}"
    entries = decode_table(machine.read_virtual(held.base, held.limit + 1))
    assert len(entries) >= 4, f"the LDT has only {len(entries)} entries: no code, data and gate at 1, 2 and 3"
    code, data, gate = entries[CODE_SELECTOR >> 3], entries[DATA_SELECTOR >> 3], entries[GATE_SELECTOR >> 3]
    usable = isinstance(code, Segment) and code.code and code.wide and code.present
    assert usable, f"entry 1 of the LDT is no 32-bit code segment that is present: {code}"
    alone = isinstance(code, Segment) and code.dpl == 2 and not code.conforming
    assert alone, f"entry 1 of the LDT is no non-conforming code segment of DPL 2: {code}"
    usable = isinstance(data, Segment) and data.writable and data.wide and data.present
    assert usable, f"entry 2 of the LDT is no writable 32-bit data segment that is present: {data}"
    must(data.dpl, 2, "entry 2 of the LDT, PrivUser's data segment, has DPL")
    assert isinstance(gate, Gate), f"entry 3 of the LDT is no gate: {gate}"
    assert gate.type == CALL_GATE and gate.present, f"entry 3 of the LDT is no 32-bit call gate that is present: {gate}"
    must(gate.dpl, 3, "entry 3 of the LDT, the gate that ring 3 is to call, has DPL")
    must(
        gate.selector | 3,
        CODE_SELECTOR | 3,
        "entry 3 of the LDT, the gate, leads to a code segment with selector (RPL 3)",
    )
    must(gate.offset, machine.read_u32(PRIVUSER_START + 4), "the gate leads to another entry than the header names:")
    report = finish(machine, "the end of a program that makes two privcalls")
    must(report["result"], mix(secret, machine.nonce, 2, 3, 4), f"{RESULT} returned")


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
    come_to(machine, "main", PROBE, BEGINNING)
    plant(machine, "calls_secret", PROBE, word(secret))
    in_ring_2(machine, "calls_mix")
    first = machine.registers().esp
    come_to(machine, "look_here", PROBE, "what a program does next after 10,000 privcalls")
    in_ring_2(machine, "calls_mix")
    last = machine.registers().esp
    went = (
        f"ESP in the function of the first privcall was {first:#010x}, and in that of the 10,001st it is {last:#010x}"
    )
    assert first == last, f"privcalls do not begin at the same place of their stack: {went}"
    report = finish(machine, "the end of a program that makes 10,000 privcalls")
    names = ["EBX", "ESI", "EDI", "EBP", "ESP"]
    changed = [name for bit, name in enumerate(names) if report["changed"] >> bit & 1]
    assert not changed, f"of 10,000 privcalls, some came back to ring 3 with another value in {listed(changed)}"
    assert report["wrong"] == 0, f"of 10,000 privcalls, {report['wrong']} returned another result than their function's"
    right = mix(secret, *(machine.nonce + more for more in range(4)))
    must(report["last"], right, f"after 10,000 others, {RESULT} returned")
    must(report["deep"], 539, "a privcall of a function that uses 6 KB of its stack in ring 2 returned")


@graded(
    stage=2,
    points=3,
    handout="the-table",
    usually="the number is compared as a signed one, or its product with 8 wraps",
    schedules=True,
)
def test_only_the_tables_numbers_can_be_called(boot: Boots) -> None:
    """The first number past the table, and every other one up to -1, is E_NO_CALL, and no function has run."""
    report = finish(
        boot(PROBE, role="numbers"), "the end of a program that makes privcalls with numbers that there are not"
    )
    bad = ["count", "count+1", "1000", "-1", "-2", "0x80000000", "0x80000000+c", "0x20000000", "0x40000001"]
    no_call = dict.fromkeys([*bad, "0x10000", "0x100"], int(KernelError.E_NO_CALL))
    words = {"count": "privcall_count", "count+1": "privcall_count + 1", "0x80000000+c": "0x80000000 + privcall_count"}
    expect_returns(report, "a privcall with number {} returned", no_call, words)
    for when in ("before", "after"):
        right = mix(FILES_SECRET, 1, 1, 1, 1)
        must(report[when], right, f"{when} the privcalls with wrong numbers, one with the right number 0 returned")
    ran = "two privcalls with the right number 0 and eleven with wrong numbers made functions of PrivUser run"
    assert report["made"] != KernelError.E_INVALID, f"{ran}, one of which is after the table's end"
    must(report["made"], 2, f"{ran}, and function 0 counted so many calls:")


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
    forbidden = address_of(build.probes["ways"], "ways_forbidden")
    machine = boot("ways", role="all", a=hex(forbidden), guest_seconds=4)
    ends = dict.fromkeys(WAYS, GENERAL_PROTECTION)

    def judge(said: Report) -> None:
        if judged(said, ["legal"]):
            expect_ends(said, "a program that makes privcalls by its stub would end", {"legal": DONE})
        expect_ends(said, "a process in ring 3 that {} ended", ends, WAYS)

    report = finish(machine, "the end of processes that try other ways to ring 2", judge)
    end = report["gate-offset"]
    how = "a process called the gate with a forbidden function's address as offset, and with -1 for all else"
    refused = end == DONE or ended_by_fault(end)
    assert refused, f"{how}; it had to be refused, or to end by a fault, and ended {end_in_words(end)}"


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
    machine = boot(PROBE, role="blows")
    report = finish(machine, "the end of seven processes whose ring 2 faults", expect_ends_by_faults)
    inside, outside = machine.serial.split(b"probe own-code=")
    expect_fault_lines(inside, PROBE, [(vector, name) for vector, name, _ in BLOWS.values()])
    expect_ends(report, "a process that executed HLT in ring 3 ended", {"outside": GENERAL_PROTECTION})
    later = fault_lines(outside)
    must(len(later), 1, "of a fault in ring 3, the number of lines on the console with address and error code is")
    shown = later[0].cr2
    hidden = shown == NULL_BLOWN or PRIVUSER_START <= shown < PRIVUSER_END
    assert not hidden, (
        f"the console's line about a fault in ring 3 shows the address of ring 2's last page fault: cr2 {shown:#010x}"
    )
    value = f"{machine.nonce:08x}"
    printed = value.encode() in machine.serial.lower()
    assert not printed, (
        f"a function in ring 2 had 0x{value} in its registers when it faulted, and the console shows that"
    )


def expect_ends_by_faults(report: Report) -> None:
    """Each process whose ring 2 faulted ended by just that fault."""
    if judged(report, ["harmless"]):
        expect_returns(report, "a privcall whose function could fault, but returns 0, returned", {"harmless": 0})
    for name, (vector, _, deed) in BLOWS.items():
        expect_ends(report, f"a process whose function in ring 2 {deed} ended", {name: fault_status(vector)})


@graded(stage=2, points=3, handout="interrupts-in-ring-2", usually="the timer's interrupt takes ring 2 for the kernel")
def test_others_run_while_a_privcall_takes_long(boot: Boots, seed: int) -> None:
    """The timer interrupts ring 2 as it does ring 3: another process runs meanwhile, and the result is right."""
    secret = drawn_word(seed)
    machine = boot(PROBE, role="compute")
    come_to(machine, "main", PROBE, BEGINNING)
    long = machine.registers().cr3
    plant(machine, "calls_secret", PROBE, word(secret))
    come_to(machine, "look_here", PROBE, "the first step of a process beside one that is in a long privcall")
    other = machine.registers().cr3
    assert other != long, (
        f"two processes, of which one is in a long privcall, run in one address space: CR3 {other:#010x}"
    )
    inside = machine.read_u32(machine.symbol("calls_inside", PROBE), long)
    assert inside == 1, "a privcall took many ticks, and another process ran only when it had come back"
    report = finish(machine, "the end of a privcall that takes many ticks")
    right = compute(secret, ROUNDS, machine.nonce)
    must(report["result"], right, "a privcall that the timer interrupted many times returned")
    expect_ends(report, "the process that ran while another was in a privcall ended", {"beside": DONE})


@graded(stage=2, points=2, handout="at-every-switch", usually="LDT or SS2:ESP2 are not changed with the process")
def test_every_process_calls_its_own_privuser(boot: Boots, seed: int) -> None:
    """Processes that take turns, in ring 2 too, each work with the secret of their own PrivUser, and one of another
    program with its own functions.
    """
    secrets = [drawn_word(seed), drawn_word(seed + 1)]
    machine = boot(PROBE, role="both", a=MANY_ROUNDS, programs={"hello": "ways"})
    for secret in secrets:
        come_to(machine, "look_here", PROBE, BEGINNING)
        plant(machine, "calls_secret", PROBE, word(secret))
    report = finish(machine, "the end of three processes that take turns with privcalls")
    pairs = (secrets, secrets[::-1])
    wanted = [(turns(one, 1, MANY_ROUNDS), turns(other, 2, MANY_ROUNDS)) for one, other in pairs]
    own = (report["first"], report["second"]) in wanted
    assert own, "two processes of one program took turns with privcalls, and did not each compute with their own secret"
    clause = "a process of another program, which took turns with them and checked its privcalls' results, ended"
    expect_ends(report, clause, {"other": DONE})


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
    when = {
        "call-before": "before any process with a PrivUser",
        "call-after": "after the end of a process with a PrivUser",
        "call-beside": "while a process with a PrivUser was running",
        "call-last": "after the end of another process with a PrivUser",
    }
    ends = dict.fromkeys(when, (GENERAL_PROTECTION, fault_status(11)))
    clause = "a process without a PrivUser that called the gate's selector, {}, ended"
    awaited = "the end of processes with a PrivUser and of others without"
    report = finish(machine, awaited, lambda said: expect_ends(said, clause, ends, when))
    clause = (
        "a process without a PrivUser that read at PrivUser's address, while one with a PrivUser was running, ended"
    )
    expect_ends(report, clause, {"read-beside": PAGE_FAULT})
    lender = report["lender"]
    assert lender != 1, "two privcalls of a process, after one without a PrivUser had run, returned wrong results"
    expect_ends(report, "a process with a PrivUser, which made two privcalls, ended", {"lender": DONE})
    must(
        report["turns"],
        turns(FILES_SECRET, 3, 50_000),
        "a process that made privcalls, with one without a PrivUser beside it, computed",
    )
    must(report["done"], machine.nonce, "after all that, the program reported in place of its number")


@graded(
    stage=2,
    points=1,
    handout="interrupts-in-ring-2",
    usually="a system call or a kill treats ring 2 as the kernel",
    schedules=True,
)
def test_a_process_in_ring_2_can_sleep_and_be_killed(boot: Boots) -> None:
    """System calls of ring 2 work, and a privcall that never ends is ended by kill."""
    report = finish(boot(PROBE, role="kernel"), "the end of a program that kills another one in ring 2")
    must(report["pid-in-ring-2"], report["pid"], "a privcall whose function makes the system call getpid returned")
    slept = report.signed("slept")
    assert slept >= 3, f"of a sleep of 3 ticks, made in ring 2, the system call ticks counted {slept}"
    expect_returns(report, "kill, of a process whose privcall never comes back, returned", {"killed": 0})
    expect_ends(report, "a process that was killed while its privcall never came back ended", {"status": KILLED_STATUS})
    must(
        report["then"],
        report["pid"],
        "after a kill, a privcall whose function makes the system call getpid returned",
    )


@graded(stage=2, points=1, handout="heartbleed", usually="secure_heartbeat's seal does not come out of its PrivUser")
def test_the_heartbeat_leaks_its_key_no_more(boot: Boots, seed: int) -> None:
    """The same over-read brings out the key of heartbeat and not that of secure_heartbeat, whose seals are right."""
    draw = random.Random(seed)
    for name, leaks in (("heartbeat", True), ("secure_heartbeat", False)):
        key = draw.randbytes(16)
        machine = boot(None, first=name)
        come_to(machine, "main", name, f"the beginning of the program {name}")
        plant(machine, "key", name, key)
        machine.wait_for_serial(b"heartbeat ready")
        machine.send(b"5 hello\n")
        honest = response(machine)
        machine.send(b"255 hello\n")
        greedy = response(machine)
        must(honest[0], b"hello", f"{name}, sent '5 hello', responded with the bytes")
        for asked, (answer, seal) in (("5", honest), ("255", greedy)):
            wanted = f"{mac(key, answer):#010x}"
            must(f"{seal:#010x}", wanted, f"{name}, sent '{asked} hello', sealed its response with")
        believed = greedy[0].startswith(b"hello") and len(greedy[0]) == 255
        assert believed, (
            f"{name}, sent '255 hello', responded with {len(greedy[0])} bytes instead of 255 from 'hello' on"
        )
        leaked = key in greedy[0]
        came = "came out with" if leaked else "was not in"
        assert leaked == leaks, f"{name}, sent '255 hello', responded with 255 bytes, and its key {came} them"


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
