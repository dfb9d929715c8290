"""What the kernel makes of the machine before it runs anything: tables, page tables, control registers, free memory."""

import pytest

from grader.machine import Machine
from grader.machine.descriptors import Segment
from grader.machine.witness import BOTH
from grader.testing.boots import Boots
from grader.testing.plugin import graded

KBASE = 0xC0000000
RING_0, RING_3 = 0, 3
BREAKPOINT, OVERFLOW, SYSTEM_CALL = 3, 4, 0x80
PAGE = 4096


def in_ring_3(boot: Boots) -> Machine:
    """A machine stopped at the first instruction of its first program."""
    machine = boot("quiet")
    machine.run_to("main", program="quiet")
    assert machine.registers().cpl == RING_3
    return machine


@graded(
    stage=2,
    points=2,
    handout="segments",
    usually="a limit is the last valid offset, one less than the size",
    witnesses=BOTH,
)
def test_the_gdt_holds_flat_segments_and_one_task_state(boot: Boots) -> None:
    """The GDT has its descriptors and no byte more, because too large a limit makes descriptors of what follows."""
    machine = in_ring_3(boot)
    registers, table = machine.registers(), machine.gdt()
    gdt = [entry for entry in table if isinstance(entry, Segment)]
    assert gdt == table, "there is a gate in the GDT"
    assert registers.gdtr.limit == 6 * 8 - 1
    assert gdt[0].null
    assert [(entry.code, entry.writable, entry.dpl) for entry in gdt[1:5]] == [
        (True, False, RING_0),
        (False, True, RING_0),
        (True, False, RING_3),
        (False, True, RING_3),
    ]
    assert all((entry.base, entry.limit, entry.present) == (0, 0xFFFFFFFF, True) for entry in gdt[1:5])
    assert gdt[5].kind == "TSS (busy)"
    assert (registers.cs.selector, registers.ss.selector, registers.ldtr.selector) == (0x1B, 0x23, 0)


@graded(
    stage=2,
    points=2,
    handout="segments",
    usually="SS0 or ESP0 lies outside of a task state that is too short",
    witnesses=BOTH,
)
def test_the_task_state_gives_ring_0_a_stack_and_ring_3_no_port(boot: Boots) -> None:
    """The task state segment is whole: entering the kernel needs SS0:ESP0, an I/O bitmap would open ports."""
    machine = in_ring_3(boot)
    tss = machine.tss()
    assert tss.limit == 104 - 1
    assert tss.ss0 == 0x10
    assert tss.io_map_base > tss.limit
    assert machine.registers().iopl == 0
    machine.run_to("isr_128")
    frame = 5 * 4  # SS, ESP, EFLAGS, CS, EIP
    assert machine.registers().esp == tss.esp0 - frame


@graded(
    stage=2,
    points=2,
    handout="interrupts",
    usually="a vector has no gate, or a gate may be used by any program",
    witnesses=BOTH,
)
def test_every_vector_has_its_gate_and_programs_may_use_three(boot: Boots) -> None:
    """Exceptions, devices and system calls have interrupt gates; INT n from a program passes only where DPL is 3."""
    machine = in_ring_3(boot)
    idt = machine.idt()
    present = [gate.index for gate in idt if gate.present]
    assert machine.registers().idtr.limit % 8 == 7
    assert present == [*range(48), SYSTEM_CALL]
    assert all(idt[vector].kind == "interrupt gate" and idt[vector].selector == 0x08 for vector in present)
    assert [vector for vector in present if idt[vector].dpl == RING_3] == [BREAKPOINT, OVERFLOW, SYSTEM_CALL]
    assert all(idt[vector].offset == machine.symbol(f"isr_{vector}") for vector in present)


@graded(
    stage=2,
    points=2,
    handout="paging",
    usually="CR0.WP is off, so read-only means nothing to the kernel",
    witnesses=BOTH,
)
def test_the_kernel_obeys_read_only_pages_and_leaves_floating_point_off(boot: Boots) -> None:
    """CR0.WP is set, and floating-point instructions fault, because nobody saves their registers."""
    registers = in_ring_3(boot).registers()
    assert registers.paging and registers.write_protect
    assert registers.cr0 & 0b1100 == 0b1100, "CR0.EM and CR0.TS"


@pytest.mark.parametrize("memory_mb", [8, 32, 300])
@graded(
    stage=2, points=1, handout="paging", usually="a kernel page has its U bit set, or its W bit wrong", witnesses=BOTH
)
def test_page_tables_let_programs_see_nothing_of_the_kernel(boot: Boots, memory_mb: int) -> None:
    """No page above KBASE is for ring 3; all RAM up to 256 MB is there, and the kernel's text is read-only."""
    machine = boot("quiet", memory_mb=memory_mb)
    machine.run_to("main", program="quiet")
    kernel = machine.mappings(start=KBASE)
    text, data, end = (machine.symbol(name) for name in ("kernel_start", "kernel_writable", "kernel_end"))
    assert not any(page.user for page in kernel)
    assert {page.virtual for page in kernel if not page.writable} == set(range(text, data, PAGE))
    assert all(page.physical == page.virtual - KBASE and page.page_bytes == PAGE for page in kernel)
    expected = min(memory_mb, 256) * 1024 * 1024
    assert expected - 1024 * 1024 < len(kernel) * PAGE <= expected
    assert end - KBASE < expected


@graded(
    stage=2, points=2, handout="paging", usually="a segment's flags are not carried over to its pages", witnesses=BOTH
)
def test_a_programs_pages_have_the_rights_of_its_segments(boot: Boots) -> None:
    """A program's text cannot be written and its data can; its stack has a guard below, and page 0 is never there."""
    machine = in_ring_3(boot)
    user = machine.mappings(end=KBASE)
    by_address = {page.virtual: page for page in user}
    stack = range(0xBFFFA000, 0xBFFFE000, PAGE)
    text, log = machine.symbol("main", "quiet"), machine.symbol("probe_log", "quiet")
    assert all(page.user for page in user)
    assert not by_address[text & -PAGE].writable
    assert by_address[log & -PAGE].writable
    assert all(by_address[address].writable for address in stack)
    assert stack[0] - PAGE not in by_address and stack[-1] + PAGE not in by_address
    assert 0 not in by_address
    frames = [page.physical for page in user]
    assert len(set(frames)) == len(frames)
    assert all(frame >= machine.symbol("kernel_end") - KBASE for frame in frames)


@graded(stage=2, points=2, handout="paging", usually="all processes share one page directory", witnesses=BOTH)
def test_two_processes_share_the_kernels_tables_and_nothing_else(boot: Boots) -> None:
    """Each process has a directory of its own whose upper quarter leads to the same page tables."""
    machine = boot("registers", children=2, steps=2_000_000)
    directories = []
    for _ in range(2):
        machine.run_to("hash_registers", program="registers")
        directories.append(machine.registers().cr3)
    first, second = (machine.read_physical(directory, PAGE) for directory in directories)
    frames = [{page.physical for page in machine.mappings(cr3, end=KBASE)} for cr3 in directories]
    assert directories[0] != directories[1]
    assert first[3072:] == second[3072:]
    assert not frames[0] & frames[1]


@pytest.mark.parametrize("memory_mb", [4, 8, 32, 64, 300])
@graded(stage=2, points=1, handout="memory", usually="the memory map of the BIOS is not read", witnesses=BOTH)
def test_the_kernel_uses_the_memory_that_is_there(boot: Boots, memory_mb: int) -> None:
    """Free memory follows what the BIOS reports, up to the 256 MB that the kernel maps."""
    machine = boot("quiet", memory_mb=memory_mb)
    machine.run_to("main", program="quiet")
    usable = min(memory_mb, 256) * 256
    heap = min(1024, usable // 8)
    free = machine.read_variable("free_count")
    assert usable - heap - 500 < free < usable - 256
    machine.finish()


@graded(
    stage=2,
    points=1,
    handout="boot",
    usually="variables without a value hold what was in memory before",
    witnesses=BOTH,
)
def test_variables_are_zero_at_the_start(boot: Boots) -> None:
    """.bss is zeroed by the kernel itself: memory is not empty when it starts."""
    machine = boot("quiet")
    machine.run_to(0x7C00)
    start, end = (machine.symbol(name) - KBASE for name in ("bss_start", "bss_end"))
    machine.write_physical(start, b"\xa5" * (end - start))
    machine.finish()
