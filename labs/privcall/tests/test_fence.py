"""Stage 3: the fence. To paging ring 2 is the supervisor, so only the limits of segments keep it out of the kernel."""

from __future__ import annotations

from demands import come_to, expect_ends, expect_returns, finish, judged
from privuser import (
    BEGINNING,
    DONE,
    FILES_SECRET,
    GENERAL_PROTECTION,
    KBASE,
    PRIVUSER_END,
    PRIVUSER_START,
    STACK_FAULT,
    drawn_word,
    expect_fault_lines,
    plant,
    turns,
    word,
)

from grader.machine import Machine
from grader.machine.audit import Audit
from grader.machine.report import Report
from grader.machine.witness import Witness
from grader.testing.boots import Boots
from grader.testing.message import must
from grader.testing.plugin import graded

PROBE = "fence"
ROUNDS = 20_000
SEGMENTS = ["ds", "es", "fs", "gs", "ss"]
DATA_SEGMENTS = SEGMENTS[:4]
PRIVILEGED = [
    *("cli", "sti", "hlt", "in", "out", "outs", "read_cr0", "write_cr0", "read_cr2", "read_cr3", "write_cr3"),
    *("read_cr4", "write_cr4", "read_dr7", "write_dr7", "lgdt", "lidt", "lldt", "ltr", "lmsw", "clts", "invd"),
    *("wbinvd", "invlpg", "rdmsr", "wrmsr", "jump_ring_0", "call_ring_0", "retf_ring_0", "iret_ring_0", "call_task"),
    *("int_timer", "int_fault", "load_kernel_ds", "load_kernel_ss", "load_user_ss", "jump_user_code"),
]
"""What ring 2 may not do: the names of FENCE_INSTRUCTIONS in probes/fence.h."""

DEEDS = {
    **{name: f"executed {name.upper()}" for name in PRIVILEGED},
    **{name: f"executed a MOV from {name[5:].upper()}" for name in PRIVILEGED if name.startswith("read_")},
    **{name: f"executed a MOV to {name[6:].upper()}" for name in PRIVILEGED if name.startswith("write_")},
    "jump_ring_0": "made a far jump to ring 0's code",
    "call_ring_0": "made a far call of ring 0's code",
    "retf_ring_0": "made a far return to ring 0's code",
    "iret_ring_0": "made an interrupt return to ring 0's code",
    "call_task": "made a far call to the selector of the TSS",
    "int_timer": "executed INT 32, which is the timer's",
    "int_fault": "executed INT 14, which is the page fault's",
    "load_kernel_ds": "loaded DS with the kernel's data segment",
    "load_kernel_ss": "loaded SS with the kernel's data segment",
    "load_user_ss": "loaded SS with the user's data segment",
    "jump_user_code": "made a far jump to the user's code segment",
    "run_kernel": "jumped to the kernel's code with its own code segment",
    "call_beyond": "called the kernel's code through its own code selector",
    "push_beyond": "pushed a word with ESP at KBASE + 4 KB",
    "call_on_beyond": "called a function with ESP at 0xfffffff8",
}
"""Each of these in words, and those of FENCE_BEYOND."""

INTERRUPT_FLAG, IOPL = 0x200, 0x3000

PLACES = {
    "KBASE": "KBASE",
    "KBASE-1": "KBASE - 1 (where three bytes of the word are the kernel's)",
    "0xFFFFFFFC": "0xfffffffc",
    "kernel-code": "the kernel's code",
    "screen": "the screen's memory",
    "GDT": "the GDT",
    "LDT": "the LDT",
    "TSS": "the TSS",
    "page-directory": "the page directory",
    "kernel-stack": "the kernel's stack",
}
"""Where the role `addresses` of probes/fence.c reads and writes."""

POPS = {
    "plain": "with the flags as they are",
    "iopl": "that sets IOPL to 3",
    "no-if": "that clears IF",
    "both": "that sets IOPL to 3 and clears IF",
}
"""The POPFs of the role `flags`."""


def started(boot: Boots, role: str, secret: int) -> Machine:
    """The probe in a role, with its secret planted."""
    machine = boot(PROBE, role=role, guest_seconds=6)
    come_to(machine, "main", PROBE, BEGINNING)
    plant(machine, "fence_secret", PROBE, word(secret))
    return machine


def expect_what_is_allowed(machine: Machine, report: Report, secret: int) -> None:
    """Ring 2 reads and writes PrivUser and ordinary memory, through its own selector and the user's."""
    for number, segment in enumerate(SEGMENTS):
        word = machine.nonce + number & 0xFFFFFFFF
        where = f"through {segment.upper()} with {{}}, a privcall returned"
        whose = {
            f"{own}-{segment}": f"{whose} selector" for own, whose in (("own", "ring 2's"), ("user", "the user's"))
        }
        expect_returns(report, f"for a word of ordinary memory, read {where}", dict.fromkeys(whose, word), whose)
        secrets = {f"secret-{segment}": secret}
        expect_returns(report, f"for a word of PrivUser, read through {segment.upper()}, a privcall returned", secrets)
    if judged(report, ["written"]):
        must(report["written"], machine.nonce, "after ring 2 wrote to a word of ordinary memory, ring 3 finds there")


@graded(
    stage=3,
    points=7,
    handout="the-fence",
    usually="the user's data segment, or one of PrivUser's, still reaches up to 4 GB",
    schedules=True,
)
def test_no_descriptor_of_an_outer_ring_reaches_the_kernel(boot: Boots) -> None:
    """In the GDT and in each LDT that is ever loaded, what an outer ring can load ends below KBASE, and no gate leads
    further in than ring 2.
    """
    machine = boot("calls", role="both", a=ROUNDS, programs={"hello": "ways"})
    come_to(machine, "main", "calls", BEGINNING)
    audit = Audit(machine)
    come_to(machine, "look_here", "calls", "the beginning of two more processes of the program", times=2)
    audit.look()
    come_to(machine, "calls_compute", "calls", "the function that a privcall names")
    audit.look()
    report = finish(machine, "the end of three processes that take turns with privcalls")
    audit.check()
    for key, number in (("first", 1), ("second", 2)):
        wanted = turns(FILES_SECRET, number, ROUNDS)
        must(report[key], wanted, f"of two processes that took turns with privcalls the {key} one computed")
    expect_ends(
        report, "a process of another program, which made privcalls of its own meanwhile, ended", {"other": DONE}
    )


@graded(
    stage=3,
    points=4,
    handout="stacks-ports-flags",
    usually="a table lies where ring 2 can write it, or SS1, the I/O bitmap's offset or IOPL was left open",
    schedules=True,
)
def test_ring_2_finds_no_table_stack_or_port_open(boot: Boots, seed: int) -> None:
    """While ring 2 runs, all tables are in the kernel's memory, ring 1 has no stack, and no port is allowed; POPF
    changes neither IOPL nor the interrupt flag.
    """
    machine = started(boot, "flags", drawn_word(seed))
    come_to(machine, "flags_after_popf", PROBE, "the function that a privcall names")
    now, task = machine.registers(), machine.tss()
    must(now.cpl, 2, "the function that a privcall names runs at CPL")
    for name, base in (("GDT", now.gdtr.base), ("IDT", now.idtr.base), ("LDT", now.ldtr.base), ("TSS", now.tr.base)):
        assert base >= KBASE, f"the {name} lies at {base:#010x}, below KBASE: ring 2 can write it"
    assert task.ss1 & ~3 == 0, f"there is a stack for ring 1: SS1 in the TSS is {task.ss1:#x}"
    inside = PRIVUSER_START < task.esp2 <= PRIVUSER_END
    assert inside, f"while ring 2 runs, ESP2 in the TSS is {task.esp2:#010x}, which is not in PrivUser"
    ports = task.allowed_ports()
    assert not ports, f"the I/O bitmap of the TSS allows ring 2 {len(ports)} ports, the first of which is {ports[0]:#x}"
    must(now.iopl, 0, "while ring 2 runs, IOPL in EFLAGS is")
    assert now.interrupts_enabled, f"ring 2 runs with interrupts off: EFLAGS is {now.eflags:#x}"
    Audit(machine, loads=0).check()
    come_to(machine, "look_here", PROBE, "the return of four privcalls that execute POPF")
    must(machine.registers().iopl, 0, "back in ring 3, after POPFs in ring 2, IOPL in EFLAGS is")
    report = finish(machine, "the end of a program that made five privcalls")
    place = report["secret-at"]
    assert PRIVUSER_START <= place < PRIVUSER_END, f"a privcall that returns an address in PrivUser returned {place:#x}"
    for case, pop in POPS.items():
        flags = report[case]
        assert not flags & IOPL, f"after a POPF in ring 2 {pop}, IOPL is {flags >> 12 & 3}: EFLAGS is {flags:#x}"
        assert flags & INTERRUPT_FLAG, f"after a POPF in ring 2 {pop}, interrupts are off: EFLAGS is {flags:#x}"


@graded(
    stage=3,
    points=5,
    handout="the-fence",
    usually="PrivUser's data segment has a limit that is too large, or counts the wrong way",
    witnesses=(Witness.BOCHS,),
)
def test_ring_2_cannot_touch_the_kernels_memory(boot: Boots, seed: int) -> None:
    """Reads and writes from KBASE - 1 to the last word of memory, of tables, stacks and the screen end ring 2 with
    vector 13.
    """
    secret = drawn_word(seed)
    machine = started(boot, "addresses", secret)
    come_to(machine, "look_here", PROBE, BEGINNING)
    now, task = machine.registers(), machine.tss()
    targets = [now.gdtr.base, now.ldtr.base, now.tr.base, (now.cr3 & ~0xFFF) + KBASE, task.esp0 - 4]
    plant(machine, "fence_targets", PROBE, b"".join(map(word, targets)))

    def judge(said: Report) -> None:
        expect_what_is_allowed(machine, said, secret)
        clause = "a process whose ring 2 read or wrote at {} ended"
        expect_ends(said, clause, dict.fromkeys(PLACES, GENERAL_PROTECTION), PLACES)

    finish(machine, "the end of 20 processes whose ring 2 reads or writes the kernel's memory", judge)


@graded(
    stage=3,
    points=4,
    handout="the-fence",
    usually="the user's own data segment is still flat: ring 2 may load it",
    witnesses=(Witness.BOCHS,),
)
def test_no_selector_helps_ring_2_over_the_fence(boot: Boots, seed: int) -> None:
    """Through every selector that ring 2 can load, in DS, ES, FS and GS, KBASE is out of reach; SS takes only ring 2's
    own, and ends there too.
    """
    secret = drawn_word(seed)
    machine = started(boot, "selectors", secret)

    def judge(said: Report) -> None:
        expect_what_is_allowed(machine, said, secret)
        expect_no_selector_beyond(said)

    report = finish(machine, "the end of processes whose ring 2 reads at KBASE", judge)
    found = report.all("selector")
    for selector, whose in ((0x14, "its own data segment"), (0x20, "the user's data segment")):
        assert selector in found, f"ring 2 cannot read through {selector:#x}, the selector of {whose}"


def expect_no_selector_beyond(report: Report) -> None:
    """Whatever ring 2 has in a segment register, nothing at KBASE or above it is to be had."""
    for number, selector in enumerate(report.all("selector")):
        for segment in DATA_SEGMENTS:
            ends = report.all(segment)[number : number + 1]
            one = Report([(segment, end) for end in ends])
            clause = f"a process whose ring 2 read at KBASE through selector {selector:#x} in {segment.upper()} ended"
            expect_ends(one, clause, dict.fromkeys(one, GENERAL_PROTECTION))
    beyond = {"own-ss-beyond": STACK_FAULT, "own-ss-last": STACK_FAULT}
    where = {"own-ss-beyond": "KBASE", "own-ss-last": "0xfffffffc"}
    expect_ends(report, "a process whose ring 2 read at {} through its own stack segment ended", beyond, where)
    loads = {"load-user-ss": "selector 0x23", "load-rpl2-ss": "selector 0x22"}
    clause = "a process whose ring 2 loaded SS with the user's data segment, by {}, ended"
    expect_ends(report, clause, dict.fromkeys(loads, GENERAL_PROTECTION), loads)


@graded(
    stage=3,
    points=5,
    handout="the-fence",
    usually="the code segment has no limit (one for data alone is not enough), or IOPL is not 0",
    witnesses=(Witness.QEMU, Witness.BOCHS),
    schedules=True,
)
def test_ring_2_runs_nothing_of_the_kernels(boot: Boots, seed: int) -> None:
    """Every privileged instruction, and every way to ring 0 but a system call, ends ring 2 with vector 13; so do, on a
    machine that checks limits, the kernel's code and a stack beyond the fence (vector 12).
    """
    secret = drawn_word(seed)
    limits = boot.witness is Witness.BOCHS
    machine = started(boot, "beyond" if limits else "privileged", secret)
    if limits:
        wanted = dict.fromkeys(["run_kernel", "call_beyond"], GENERAL_PROTECTION)
        wanted |= dict.fromkeys(["push_beyond", "call_on_beyond"], STACK_FAULT)
    else:
        wanted = dict.fromkeys(PRIVILEGED, GENERAL_PROTECTION)

    def judge(said: Report) -> None:
        expect_what_is_allowed(machine, said, secret)
        expect_ends(said, "a process whose ring 2 {} ended", wanted, DEEDS)

    report = finish(machine, "the end of processes whose ring 2 does what it may not", judge)
    expect_ends(report, "a process whose ring 2 did nothing that is forbidden ended", {"none": DONE})
    names = {GENERAL_PROTECTION: (13, "general protection"), STACK_FAULT: (12, "stack-segment fault")}
    expect_fault_lines(machine.serial, PROBE, [names[end] for end in wanted.values()])
