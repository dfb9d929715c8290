"""Stage 3: the fence. To paging ring 2 is the supervisor, so only the limits of segments keep it out of the kernel."""

from __future__ import annotations

from privuser import (
    DONE,
    FILES_SECRET,
    GENERAL_PROTECTION,
    KBASE,
    PRIVUSER_END,
    PRIVUSER_START,
    STACK_FAULT,
    drawn_word,
    expect,
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

INTERRUPT_FLAG, IOPL = 0x200, 0x3000


def started(boot: Boots, role: str, secret: int) -> Machine:
    """The probe in a role, with its secret planted."""
    machine = boot(PROBE, role=role, guest_seconds=6)
    machine.run_to("main", program=PROBE)
    plant(machine, "fence_secret", PROBE, word(secret))
    return machine


def expect_what_is_allowed(machine: Machine, report: Report, secret: int) -> None:
    """Ring 2 reads and writes PrivUser and ordinary memory, through its own selector and the user's."""
    own = {f"own-{segment}": machine.nonce + number & 0xFFFFFFFF for number, segment in enumerate(SEGMENTS)}
    users = {f"user-{segment}": machine.nonce + number & 0xFFFFFFFF for number, segment in enumerate(SEGMENTS)}
    expect(report, "ring 2 reads ordinary memory", {**own, **users, "written": machine.nonce})
    expect(report, "ring 2 reads PrivUser", {f"secret-{segment}": secret for segment in SEGMENTS})


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
    machine.run_to("main", program="calls")
    audit = Audit(machine)
    machine.run_to("look_here", program="calls", times=2)
    audit.look()
    machine.run_to("calls_compute", program="calls")
    audit.look()
    report = machine.finish()
    audit.check()
    wanted = {key: turns(FILES_SECRET, number, ROUNDS) for key, number in (("first", 1), ("second", 2))}
    expect(report, "the processes", {**wanted, "other": DONE})


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
    machine.run_to("flags_after_popf", program=PROBE)
    now, task = machine.registers(), machine.tss()
    assert now.cpl == 2
    for name, base in (("GDT", now.gdtr.base), ("IDT", now.idtr.base), ("LDT", now.ldtr.base), ("TSS", now.tr.base)):
        assert base >= KBASE, f"the {name} lies at {base:#010x}, below KBASE: ring 2 can write it"
    assert task.ss1 & ~3 == 0, f"there is a stack for ring 1: SS1 is {task.ss1:#x}"
    assert PRIVUSER_START < task.esp2 <= PRIVUSER_END, f"ESP2 is {task.esp2:#010x}, not in PrivUser"
    ports = task.allowed_ports()
    assert not ports, f"the I/O bitmap allows {len(ports)} ports, the first is {ports[0]:#x}"
    assert now.iopl == 0, f"IOPL is {now.iopl} in ring 2"
    assert now.interrupts_enabled, "interrupts are off in ring 2"
    Audit(machine, loads=0).check()
    machine.run_to("look_here", program=PROBE)
    assert machine.registers().iopl == 0, "a POPF in ring 2 left another IOPL behind"
    report = machine.finish()
    assert PRIVUSER_START <= report["secret-at"] < PRIVUSER_END
    for case in ("plain", "iopl", "no-if", "both"):
        flags = report[case]
        assert not flags & IOPL, f"POPF in ring 2 set IOPL: EFLAGS is {flags:#x} ({case})"
        assert flags & INTERRUPT_FLAG, f"ring 2 runs with interrupts off: EFLAGS is {flags:#x} ({case})"


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
    machine.run_to("look_here", program=PROBE)
    now, task = machine.registers(), machine.tss()
    targets = [now.gdtr.base, now.ldtr.base, now.tr.base, (now.cr3 & ~0xFFF) + KBASE, task.esp0 - 4]
    plant(machine, "fence_targets", PROBE, b"".join(map(word, targets)))
    report = machine.finish()
    places = ["KBASE", "KBASE-1", "0xFFFFFFFC", "kernel-code", "screen", "GDT", "LDT", "TSS", "page-directory"]
    expect(report, "ring 2 reads, writes at", dict.fromkeys([*places, "kernel-stack"], GENERAL_PROTECTION))
    expect_what_is_allowed(machine, report, secret)


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
    report = machine.finish()
    found = report.all("selector")
    assert 0x14 in found and 0x20 in found, f"ring 2 can read through {found}, not through its own and the user's"
    beyond = dict.fromkeys(DATA_SEGMENTS, GENERAL_PROTECTION)
    expect(report, f"ring 2 reads at KBASE through the selectors {', '.join(map(hex, found))}", beyond)
    expect(report, "ring 2 reads beyond its stack segment", {"own-ss-beyond": STACK_FAULT, "own-ss-last": STACK_FAULT})
    loads = dict.fromkeys(["load-user-ss", "load-rpl2-ss"], GENERAL_PROTECTION)
    expect(report, "ring 2 loads SS with the user's segment", loads)
    expect_what_is_allowed(machine, report, secret)


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
    report = machine.finish()
    if limits:
        wanted = dict.fromkeys(["run_kernel", "call_beyond"], GENERAL_PROTECTION)
        wanted |= dict.fromkeys(["push_beyond", "call_on_beyond"], STACK_FAULT)
    else:
        wanted = dict.fromkeys(PRIVILEGED, GENERAL_PROTECTION)
    expect(report, "in ring 2", wanted)
    expect(report, "a privcall without such an instruction", {"none": DONE})
    names = {GENERAL_PROTECTION: (13, "general protection"), STACK_FAULT: (12, "stack-segment fault")}
    expect_fault_lines(machine.serial, PROBE, [names[end] for end in wanted.values()])
    expect_what_is_allowed(machine, report, secret)
