"""Exceptions and interrupts: a program's mistake ends that program, the kernel's own is a panic, devices are served."""

import pytest
from hash_model import hashed

from grader.machine.diagnosis import fault_lines
from grader.machine.faults import KernelPanic
from grader.machine.witness import BOTH, Witness
from grader.testing.boots import Boots
from grader.testing.plugin import graded

KBASE = 0xC0000000
NO_ERROR_CODE = 0
IN_IDT, USER, WRITE, PRESENT = 2, 4, 2, 1
INVALID_OPCODE = b"\x0f\x0b"

MEGAHERTZ = {Witness.QEMU: 1000, Witness.BOCHS: 62.5}
"""Of the time-stamp counter. The probe takes it for a thousand."""

MISTAKES = {
    "divide": (0, NO_ERROR_CODE),
    "step": (1, NO_ERROR_CODE),
    "breakpoint": (3, NO_ERROR_CODE),
    "overflow": (4, NO_ERROR_CODE),
    "bound": (5, NO_ERROR_CODE),
    "opcode": (6, NO_ERROR_CODE),
    "float": (7, NO_ERROR_CODE),
    "nested": (10, 0),
    "halt": (13, 0),
    "cli": (13, 0),
    "port": (13, 0),
    "cr3": (13, 0),
    "timer": (13, 32 << 3 | IN_IDT),
    "vector8": (13, 8 << 3 | IN_IDT),
    "no_gate": (13, 0x81 << 3 | IN_IDT),
    "kernel_ds": (13, 0x10),
    "kernel_cs": (13, 0x08),
    "task": (13, 0x28),
    "null": (14, USER),
    "kernel_read": (14, USER | PRESENT),
    "kernel_write": (14, USER | WRITE | PRESENT),
    "text_write": (14, USER | WRITE | PRESENT),
    "guard": (14, USER | WRITE),
    "jump": (14, USER | PRESENT),
    "stack_gone": (14, USER | WRITE),
}
"""What a program can do wrong: vector and error code (Intel SDM volume 3, 6.13 and 6.15)."""

FAULTING_ADDRESS = {
    "null": 0,
    "kernel_read": 0xC0100000,
    "kernel_write": 0xC0100004,
    "guard": 0xBFFF9FFC,
    "jump": 0xC0100000,
    "stack_gone": 0xFFFFFFFC,
}


@graded(
    stage=2,
    points=4,
    handout="exceptions",
    usually="an error code is not popped, or the process runs on",
    witnesses=BOTH,
)
def test_a_mistake_ends_its_process_and_nobody_else(boot: Boots) -> None:
    """Each exception that a program can cause ends that program alone, and one line says what it was and where."""
    machine = boot("faults", guest_seconds=4)
    report = machine.finish()
    lines = fault_lines(machine.serial)
    assert [line.program for line in lines] == ["faults"] * len(MISTAKES)
    assert [line.pid for line in lines] == report.all("pid")
    for line, (name, (vector, error_code)), status in zip(lines, MISTAKES.items(), report.all("status"), strict=True):
        eip = 0xC0100000 if name == "jump" else report[name]
        assert (name, line.vector, line.error_code, line.eip) == (name, vector, error_code, eip)
        assert (name, status - 2**32) == (name, -(256 + vector))
        if name in FAULTING_ADDRESS:
            assert (name, line.cr2) == (name, FAULTING_ADDRESS[name])


@graded(
    stage=2,
    points=2,
    handout="exceptions",
    usually="the handler returns to the instruction that faulted",
    witnesses=BOTH,
)
def test_an_exception_in_the_kernel_is_a_panic(boot: Boots) -> None:
    """An exception in ring 0 stops the machine and names vector and place: going on would be with a broken kernel."""
    machine = boot("quiet")
    machine.run_to("main", program="quiet")
    handler = machine.symbol("system_call_handler")
    machine.write_physical(handler - KBASE, INVALID_OPCODE)
    with pytest.raises(KernelPanic):
        machine.finish()
    assert machine.serial.count(b"PANIC: ") == 1
    assert f"PANIC: vector 6 (invalid opcode) error_code 0x0 eip {handler:#010x} cr2 ".encode() in machine.serial
    assert machine.registers().cpl == 0
    assert not machine.registers().interrupts_enabled


@graded(stage=2, points=2, handout="interrupts", usually="the handler changes a register, or ends the process")
def test_an_nmi_at_any_moment_does_no_harm(boot: Boots) -> None:
    """A non-maskable interrupt comes at any instruction, in ring 3 and in the middle of the kernel, and is survived."""
    children, steps = 3, 2000
    machine = boot("registers", children=children, steps=steps)
    places = ["hash_step_0", "hash_step_5", "hash_step_11"] * 5
    for place in places:
        machine.run_to(place, program="registers")
        machine.inject_nmi()
    inside = ["timer_handler", "process_tick", "scheduler", "run_next_process", "switch_stacks"] * 3
    for place in inside:
        machine.run_to(place)
        machine.inject_nmi()
    report = machine.finish()
    assert machine.read_variable("nmi_count") == len(places + inside)
    assert dict(report) == {f"child-{child}": hashed(child, machine.nonce, steps) for child in range(1, children + 1)}


@pytest.mark.parametrize("irq", [7, 15])
@graded(
    stage=2,
    points=1,
    handout="interrupts",
    usually="an interrupt that is not in service is ended nevertheless",
    witnesses=BOTH,
)
def test_a_spurious_interrupt_is_ignored(boot: Boots, irq: int) -> None:
    """What arrives at a PIC's last line without being in service was asked for by no device and must not be ended."""
    machine = boot("quiet")
    machine.run_to("main", program="quiet")
    table = machine.registers().idtr.base - KBASE
    system_call, spurious = (machine.read_physical(table + 8 * vector, 8) for vector in (0x80, 32 + irq))
    # For once INT 0x80 leads to the line's routine: a real interrupt, and no line is in service.
    machine.write_physical(table + 8 * 0x80, spurious[:5] + system_call[5:6] + spurious[6:])
    machine.run_to("pic_interrupt")
    machine.write_physical(table + 8 * 0x80, system_call)
    machine.run_to("trap_return")
    assert machine.read_variable("spurious_interrupts") == 1
    machine.finish()
    machine.run_to("timer_handler", times=2)


@graded(
    stage=2,
    points=2,
    handout="interrupts",
    usually="the second PIC is never told that its interrupt was taken",
    witnesses=BOTH,
)
def test_interrupts_of_the_second_pic_come_again_and_again(boot: Boots) -> None:
    """A device at lines 8 to 15 needs an end-of-interrupt at both chips, or it interrupts once and never again."""
    machine = boot("spin_here")
    machine.run_to("pic_enable")
    argument = machine.registers().esp + 4 - KBASE
    machine.write_physical(argument, (12).to_bytes(4, "little"))
    machine.run_to("main", program="spin_here")
    for _ in range(3):
        machine.inject_irq(12)
        machine.run_to("pic_interrupt")
        assert machine.read_u32(machine.registers().esp + 4) == 12
        machine.run_to("trap_return")


@graded(
    stage=2,
    points=2,
    handout="interrupts",
    usually="the timer's interrupt is ended only after the switch",
    witnesses=BOTH,
)
def test_the_timer_ticks_a_hundred_times_a_second(boot: Boots) -> None:
    """The timer runs at 100 Hz, told from the guest's own clock and counted from outside, idle or not."""
    machine = boot("clock", guest_seconds=4)
    report = machine.finish()
    assert (report["sleep-1"], report["sleep-50"]) == (1, 50)
    microseconds = {key: report[key] * 1000 / MEGAHERTZ[boot.witness] for key in ("microseconds", "busy")}
    assert abs(microseconds["microseconds"] - 500_000) < 1_000
    assert abs(microseconds["busy"] - 100_000) < 1_000
    assert report.signed("sleep-forever") == -1
    assert machine.read_variable("ticks") >= 61
