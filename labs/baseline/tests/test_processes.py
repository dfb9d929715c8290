"""Processes: preemption that nobody sees, exit, wait and kill, a full table, memory that comes back."""

import random

from hash_model import hashed

from grader.machine import Machine
from grader.machine.report import Report
from grader.machine.witness import BOTH
from grader.testing.boots import Boots
from grader.testing.plugin import graded

E_INVALID, E_FAULT, E_MEMORY, E_EXISTS, E_FULL, E_NO_PROCESS = -1, -2, -3, -5, -6, -11
EXIT_KILLED = -512
ZOMBIE, NOT_THERE = 4, 99
PROCESSES_MAX = 64
HASH_INSTRUCTIONS = 12


def signed_values(report: Report) -> dict[str, int]:
    """All values of a report as the ints they were."""
    return {key: report.signed(key) for key in report}


def heap_blocks(machine: Machine) -> list[tuple[int, bool]]:
    """The blocks of the kernel's heap in their order: length, and whether it is in use."""
    block, end = machine.read_variable("first"), machine.read_variable("end")
    blocks = []
    while block != end:
        header = machine.read_struct("block_t", block)
        blocks.append((header["length"], header["in_use"]))
        block += header["length"]
    return blocks


@graded(stage=3, points=4, handout="processes", usually="a register, a flag or a selector is not saved with the others")
def test_thousands_of_switches_change_no_register(boot: Boots, seed: int) -> None:
    """A process computes the same whether it is interrupted or not, at whichever instruction, 2,000 times over."""
    children, steps, switches = 5, 450, 2000
    machine = boot("registers", children=children, steps=steps, guest_seconds=30)
    moments = random.Random(seed)
    machine.run_to("hash_step_0", program="registers")
    places = [machine.symbol(f"hash_step_{number}", "registers") for number in range(HASH_INSTRUCTIONS)]
    before = machine.read_variable("ticks")
    for _ in range(switches):
        machine.inject_irq(0)
        machine.run_to(moments.choice(places))
    assert machine.read_variable("ticks") >= before + switches
    report = machine.finish()
    assert dict(report) == {f"child-{child}": hashed(child, machine.nonce, steps) for child in range(1, children + 1)}


@graded(
    stage=3,
    points=2,
    handout="processes",
    usually="a register that a C function may rely on is not kept",
    witnesses=BOTH,
)
def test_a_switch_gives_each_kernel_stack_its_registers_back(boot: Boots) -> None:
    """The kernel's own EBX, ESI, EDI and EBP come back with its stack, because C functions keep values in them."""
    machine = boot("registers", children=3, steps=600_000)
    machine.run_to("hash_step_0", program="registers")
    switch = machine.symbol("switch_stacks")
    machine.breakpoint(switch)
    left: dict[int, tuple[int, int, int, int]] = {}
    returned = 0
    for _ in range(60):
        stop, registers = machine.run(), machine.registers()
        kept = (registers.ebx, registers.esi, registers.edi, registers.ebp)
        if stop.address == switch:
            left[registers.esp + 4] = kept
            machine.breakpoint(machine.read_u32(registers.esp))
        elif registers.esp in left:
            assert left.pop(registers.esp) == kept
            returned += 1
    assert returned > 20


@graded(
    stage=3,
    points=2,
    handout="processes",
    usually="a switch leaves something of one process to the next",
    witnesses=BOTH,
)
def test_processes_that_never_give_way_all_come_forward(boot: Boots) -> None:
    """Five processes that compute for several ticks without a system call all end, by the timer's doing alone."""
    machine = boot("registers", children=5, steps=150_000, guest_seconds=4)
    report = machine.finish()
    assert all(not value >> 31 for value in report.values()), "a child found flags or selectors changed"
    assert machine.read_variable("ticks") >= 5 * 150_000 * HASH_INSTRUCTIONS // 625_000


@graded(
    stage=3,
    points=4,
    handout="processes",
    usually="a zombie is forgotten too early, too late, or twice",
    witnesses=BOTH,
)
def test_exit_wait_and_kill(boot: Boots) -> None:
    """A child's status is told once, to its parent; who is killed ends, whatever it was doing; orphans vanish."""
    report = signed_values(boot("family", guest_seconds=4).finish())
    assert report == {
        "wait-self": E_NO_PROCESS,
        "wait-nobody": E_NO_PROCESS,
        "wait-unknown": E_NO_PROCESS,
        "kill-unknown": E_NO_PROCESS,
        "kill-idle": E_NO_PROCESS,
        "zombie": ZOMBIE,
        "kill-zombie": E_NO_PROCESS,
        "wait": 1,
        "status": -1234567,
        "forgotten": NOT_THERE,
        "wait-again": E_NO_PROCESS,
        "kill-new": EXIT_KILLED,
        "kill-running": EXIT_KILLED,
        "kill-sleeping": EXIT_KILLED,
        "kill-reading": EXIT_KILLED,
        "kill-waiting": EXIT_KILLED,
        "kill-self": EXIT_KILLED,
        "any-first": 1,
        "any-second": 1,
        "any-none": E_NO_PROCESS,
        "orphan-lives": 1,
        "orphan-parent": 0,
        "orphan-wait": E_NO_PROCESS,
        "orphan-gone": NOT_THERE,
    }


@graded(
    stage=3,
    points=2,
    handout="processes",
    usually="the table is written beyond its end, or a pid is used twice",
    witnesses=BOTH,
)
def test_a_full_table_is_an_error_and_pids_are_never_used_again(boot: Boots) -> None:
    """The 64th process is the last: one more is an error, not a crash, and who comes later has a pid of its own."""
    machine = boot("table", guest_seconds=4)
    machine.run_to("main", program="table")
    heap = heap_blocks(machine)
    report = machine.finish()
    others = PROCESSES_MAX - 1
    assert report.all("spawned") == [others, others]
    assert [value - 2**32 for value in report.all("error")] == [E_FULL, E_FULL]
    assert report.all("growing") == [1, 1]
    assert report.all("lost") == [0, 0]
    (first, first_again), (last, last_again) = report.all("first"), report.all("last")
    assert (last - first, last_again - first_again) == (others - 1, others - 1)
    assert first_again > last
    assert machine.read_variable("processes_count") == 1
    assert heap_blocks(machine) == heap, "free blocks beside each other were not joined"


@graded(
    stage=3, points=1, handout="memory", usually="what was allocated before the failure is not freed", witnesses=BOTH
)
def test_a_kernel_out_of_memory_says_so_and_recovers(boot: Boots) -> None:
    """On a machine of 4 MB the kernel's heap is full before the table is: an error, and nothing is left behind."""
    machine = boot("table", memory_mb=4, guest_seconds=4)
    machine.run_to("main", program="table")
    before = machine.read_variable("free_count"), heap_blocks(machine)
    report = machine.finish()
    first, again = report.all("spawned")
    assert 10 < first == again < PROCESSES_MAX - 1
    assert [value - 2**32 for value in report.all("error")] == [E_MEMORY, E_MEMORY]
    assert report.all("lost") == [0, 0]
    assert (machine.read_variable("free_count"), heap_blocks(machine)) == before


@graded(
    stage=3,
    points=4,
    handout="memory",
    usually="a page table, a kernel stack or a control block is not freed",
    witnesses=BOTH,
)
def test_a_thousand_processes_leave_no_memory_behind(boot: Boots) -> None:
    """After 1,000 processes, and 100 that could not be started, as much memory is free as before, to the byte."""
    machine = boot("spawns", rounds=1000, guest_seconds=10)

    def free() -> tuple[int, list[tuple[int, bool]]]:
        machine.run_to("checkpoint", program="spawns")
        return machine.read_variable("free_count"), heap_blocks(machine)

    before = free()
    assert before == free()
    assert machine.finish()["failed"] == 0


@graded(
    stage=3,
    points=3,
    handout="memory",
    usually="a frame is not zeroed, or is lost when memory runs out",
    witnesses=BOTH,
)
def test_a_process_can_take_all_memory_and_give_it_back(boot: Boots) -> None:
    """Out of memory is an error to who asked, what was given back can be had again, and it is always zero."""
    report = signed_values(boot("memory", guest_seconds=4, memory_mb=8).finish())
    assert report.pop("first") == report.pop("second") > 500
    assert report == {
        "unaligned": E_INVALID,
        "nothing": E_INVALID,
        "null": E_INVALID,
        "kernel": E_INVALID,
        "into-kernel": E_INVALID,
        "wraps": E_INVALID,
        "guard": E_INVALID,
        "own-text": E_EXISTS,
        "too-much": E_MEMORY,
        "unmap-nothing": E_FAULT,
        "unmap-kernel": E_INVALID,
        "two-pages": 0,
        "not-zero": 0,
        "overlap": E_EXISTS,
        "half-unmap": E_FAULT,
        "unmap": 0,
        "spawn": E_MEMORY,
        "give-back": 0,
        "dirty": 0,
    }


@graded(stage=3, points=2, handout="processes", usually="the processor spins when nobody can run", witnesses=BOTH)
def test_the_processor_halts_when_nobody_can_run(boot: Boots) -> None:
    """While the only process sleeps the processor waits in HLT: a second takes it next to no instructions."""
    machine = boot("quiet", ticks=100)
    machine.run_to("main", program="quiet")
    before = machine.instructions()
    machine.finish()
    assert machine.instructions() - before < 1_000_000


@graded(stage=3, points=1, handout="processes", usually="a process that ended is run again", witnesses=BOTH)
def test_when_all_processes_have_ended_the_kernel_says_so(boot: Boots) -> None:
    """The end of the last process is no crash: the kernel says that none is left, and stops."""
    machine = boot("faults", child=0)
    machine.run_to("shutdown")
    assert machine.serial.endswith(b"no process is left\n")
