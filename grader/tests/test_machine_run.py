"""Running a machine: breakpoints, steps, watchpoints, serial, interrupts; and that a run repeats to the instruction."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator

import pytest

from grader.host.sandbox import Sandbox
from grader.machine import GuestLeft, Hang, Machine, MachineReset, NotAsRequired
from grader.machine.disk import Disk
from grader.tests.boot_sectors import PROTECTED_MODE, SAY, STOP, boot_sector

HELLO = boot_sector(f"mov si, text\ncall say\n{STOP}{SAY}\ntext: db 'hello', 10, 0")
ECHO = boot_sector(
    """
        mov dx, 0x3FD
wait_:  in al, dx
        test al, 1
        jz wait_
        mov dx, 0x3F8
        in al, dx
        inc al
        out dx, al
        mov dx, 0x3FD
        jmp wait_
"""
)
COUNTER = boot_sector(
    PROTECTED_MODE
    + """
        mov ecx, 100
again:  inc dword [0x9000]
        loop again
        jmp $
"""
)
COUNTER_LOOP = 0x7C00 + COUNTER.index(b"\xff\x05\x00\x90\x00\x00")


def test_what_the_guest_prints_is_there() -> None:
    """The serial line brings the bytes, whole."""
    with Machine.start(HELLO) as machine:
        assert machine.wait_for_serial(b"hello\n")[0] == b"hello\n"
        assert machine.serial == b"hello\n"
        assert machine.serial_text() == "hello\n"


def test_patterns_are_found_one_after_the_other() -> None:
    """Each wait begins where the last one's find ended, and a pattern may be an expression."""
    with Machine.start(HELLO) as machine:
        assert machine.wait_for_serial(b"hel")
        assert machine.wait_for_serial(re.compile(rb"l(.)\n"))[1] == b"o"
        with pytest.raises(Hang):
            machine.wait_for_serial(b"hel")


def test_the_guest_hears_what_is_sent() -> None:
    """Bytes arrive in their order, more of them than the receiver's buffer holds."""
    sent = bytes(range(1, 100))
    with Machine.start(ECHO) as machine:
        machine.send(sent)
        assert machine.wait_for_serial(bytes(byte + 1 for byte in sent))


KEYBOARD = boot_sector(
    """
        mov word [0x9 * 4], key
        mov [0x9 * 4 + 2], cs
        mov word [0x8 * 4], tick
        mov [0x8 * 4 + 2], cs
        mov al, 0xFC          ; timer and keyboard
        out 0x21, al
        sti
idle:   hlt
        jmp idle
key:    in al, 0x60
        mov dx, 0x3F8
        out dx, al
tick:   mov al, 0x20
        out 0x20, al
        iret
"""
)


def test_keys_come_one_after_the_other_however_fast_an_idle_guests_time_flies() -> None:
    """Each scan code is there when the last one was taken, and none is lost; the time limit begins anew with each."""
    with Machine.start(KEYBOARD, guest_seconds=2) as machine:
        machine.send_keys("shift-1", "left", *["a"] * 20)
        codes = bytes([0x2A, 0x02, 0x82, 0xAA, 0xE0, 0x4B, 0xE0, 0xCB]) + bytes([0x1E, 0x9E]) * 20
        assert machine.wait_for_serial(codes)


def test_a_key_that_the_guest_never_takes_is_its_hang() -> None:
    """Also when it is one of many."""
    with Machine.start(boot_sector(STOP)) as machine, pytest.raises(Hang):
        machine.send_keys("a", "b")
        machine.run()


def test_no_such_key() -> None:
    """A mistake in a test."""
    with Machine.start(HELLO) as machine, pytest.raises(LookupError, match="'any'"):
        machine.send_keys("any")


def test_what_came_before_a_reset_has_come_and_the_reset_is_told_next() -> None:
    """Whether the machine could be stopped in between depends on the host, so neither way may it matter."""
    code = "mov dx, 0x3F8\nmov al, '!'\nout dx, al\nmov al, 0xFE\nout 0x64, al\n" + STOP
    for _ in range(5):
        with Machine.start(boot_sector(code)) as machine:
            assert machine.wait_for_serial(b"!")
            for _ in range(2):
                with pytest.raises(MachineReset):
                    machine.run()


def test_what_came_before_the_guest_left_has_come_and_its_leaving_is_told_next() -> None:
    """As with a reset."""
    code = "mov dx, 0x3F8\nmov al, '!'\nout dx, al\nmov al, 1\nout 0xF4, al\n" + STOP
    for _ in range(5):
        with Machine.start(boot_sector(code), exit_device=True) as machine:
            assert machine.wait_for_serial(b"!")
            with pytest.raises(GuestLeft):
                machine.run()


def test_it_stops_at_a_breakpoint_for_the_nth_time() -> None:
    """The count in the guest's memory tells how often the breakpoint was passed."""
    with Machine.start(COUNTER) as machine:
        machine.run_to(COUNTER_LOOP, times=7)
        assert machine.registers().eip == COUNTER_LOOP
        assert machine.read_physical(0x9000, 4) == b"\6\0\0\0"
        machine.run_to(COUNTER_LOOP)
        assert machine.read_u32(0x9000) == 7


def test_it_steps_by_instructions() -> None:
    """One step is one instruction, and the count of executed instructions says so too."""
    with Machine.start(COUNTER) as machine:
        machine.run_to(COUNTER_LOOP)
        before = machine.instructions()
        assert machine.step(4) == 4
        assert machine.instructions() - before == 4
        assert machine.read_u32(0x9000) == 2
        assert machine.eip() == COUNTER_LOOP


def test_a_step_into_a_halt_returns() -> None:
    """A processor that halts executes no next instruction; the stepping ends there."""
    with Machine.start(boot_sector(STOP)) as machine:
        machine.run_to(0x7C00)
        assert machine.step(10) < 10


def test_it_stops_when_memory_is_written() -> None:
    """A watchpoint says which address was touched."""
    with Machine.start(COUNTER) as machine:
        with machine.watch(0x9000) as _:
            stop = machine.run()
        assert stop.watched == 0x9000
        assert machine.read_u32(0x9000) == 1


def test_breakpoints_leave_the_code_as_it_is() -> None:
    """Nothing of the guest's memory changes by being watched."""
    with Machine.start(COUNTER) as machine:
        with machine.breakpoint(COUNTER_LOOP):
            machine.run()
            assert machine.read_physical(COUNTER_LOOP, 10) == COUNTER[COUNTER_LOOP - 0x7C00 :][:10]


def test_registers_show_what_no_program_can_read() -> None:
    """Privilege level, cached descriptors, table registers."""
    with Machine.start(COUNTER) as machine:
        machine.run_to(0x7C00)
        assert not machine.registers().protected
        machine.run_to(COUNTER_LOOP)
        registers = machine.registers()
        assert registers.protected
        assert registers.cpl == 0
        assert registers.cs.selector == 8
        assert registers.cs.limit == 0xFFFFFFFF
        assert registers.gdtr.limit == 23
        assert [str(entry) for entry in machine.gdt()][1:] == [
            "0x0008: code, DPL 0, base 0x00000000, limit 0xffffffff",
            "0x0010: data, DPL 0, base 0x00000000, limit 0xffffffff",
        ]


INTERRUPTED = boot_sector(
    """
        xor ax, ax
        mov ds, ax
        mov word [0x08 * 4], on_timer
        mov [0x08 * 4 + 2], ax
        mov word [0x02 * 4], on_nmi
        mov [0x02 * 4 + 2], ax
        mov al, 0x36            ; a timer that does not fire in the next 50 ms
        out 0x43, al
        xor al, al
        out 0x40, al
        out 0x40, al
        sti
spin:   inc cx
        jmp spin
on_timer:
        push ax
        mov al, 0x20            ; end of interrupt
        out 0x20, al
        pop ax
        iret
on_nmi: iret
"""
)


def _label(image: bytes, code: bytes) -> int:
    return 0x7C00 + image.index(code)


SPIN = _label(INTERRUPTED, b"\x41\xeb\xfd")
ON_TIMER = SPIN + 3
ON_NMI = ON_TIMER + 7


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_an_interrupt_comes_at_the_chosen_instruction(steps: int) -> None:
    """The timer's line is raised while the guest is stopped: its routine is entered before the next instruction."""
    with Machine.start(INTERRUPTED) as machine:
        machine.run_to(SPIN)
        machine.step(steps)
        where, before = machine.eip(), machine.instructions()
        machine.inject_irq(0)
        machine.run_to(ON_TIMER)
        assert machine.instructions() == before
        assert machine.read_physical(machine.registers().esp, 2) == where.to_bytes(2, "little")


def test_an_nmi_comes_at_once() -> None:
    """Nothing masks it."""
    with Machine.start(INTERRUPTED) as machine:
        machine.run_to(SPIN)
        machine.inject_nmi()
        machine.run_to(ON_NMI)


def _run_once() -> tuple[int, bytes]:
    with Machine.start(BUSY) as machine:
        machine.wait_for_serial(b"end")
        with pytest.raises(Hang):
            machine.run()
        return machine.instructions(), machine.serial


BUSY = boot_sector(
    """
        xor ax, ax
        mov ds, ax
        mov word [0x1C * 4], on_tick
        mov [0x1C * 4 + 2], ax
        mov dx, 0x3F8
        sti
work:   inc ebx
        cmp byte [ticks], 4
        jb work
        mov al, 'e'
        out dx, al
        mov al, 'n'
        out dx, al
        mov al, 'd'
        out dx, al
        mov eax, ebx
        mov cx, 4
.next:  out dx, al
        shr eax, 8
        loop .next
"""
    + STOP
    + """
on_tick:
        inc byte [ticks]
        mov si, 300
        mov al, '.'
.more:  out dx, al              ; a burst, longer than a socket would take
        dec si
        jnz .more
        iret
ticks:  db 0
"""
)


def test_a_run_repeats_to_the_instruction() -> None:
    """Twenty runs of a guest that prints bursts and counts between timer interrupts: one outcome."""
    assert len({_run_once() for _ in range(20)}) == 1


def test_a_run_repeats_on_a_busy_host() -> None:
    """The same with two loops beside it that take all the processors."""
    alone = _run_once()
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2)]
    try:
        assert {_run_once() for _ in range(10)} == {alone}
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def test_machines_run_side_by_side() -> None:
    """Two machines at once, each with its own lines."""
    other = boot_sector(f"mov si, text\ncall say\n{STOP}{SAY}\ntext: db 'other', 10, 0")
    with Machine.start(HELLO) as first, Machine.start(other) as second:
        second.wait_for_serial(b"other\n")
        first.wait_for_serial(b"hello\n")
        assert (first.serial, second.serial) == (b"hello\n", b"other\n")


def test_the_sandbox_changes_nothing() -> None:
    """The same instructions inside the sandbox as outside."""
    sandbox = Sandbox.detect()
    if not sandbox.active:
        pytest.skip(sandbox.warning)
    with Machine.start(COUNTER) as outside, Machine.start(COUNTER, sandbox=sandbox) as inside:
        outside.run_to(COUNTER_LOOP, times=50)
        inside.run_to(COUNTER_LOOP, times=50)
        assert outside.instructions() == inside.instructions()


WRITES_DISK = boot_sector(
    """
        mov dx, 0x1F6
        mov al, 0xE0
        out dx, al
        mov dx, 0x1F2
        mov al, 1
        out dx, al
        inc dx
        mov al, 5               ; sector 5
        out dx, al
        inc dx
        xor al, al
        out dx, al
        inc dx
        out dx, al
        mov dx, 0x1F7
        mov al, 0x30            ; write
        out dx, al
.wait:  in al, dx
        test al, 0x88
        js .wait
        jz .wait
        mov dx, 0x1F0
        mov cx, 256
        mov ax, 'OK'
.next:  out dx, ax
        loop .next
        mov dx, 0x1F7
.busy:  in al, dx
        test al, 0x80
        jnz .busy
        mov dx, 0x3F8
        mov al, '!'
        out dx, al
"""
    + STOP
)


def test_the_disk_is_a_copy_that_can_be_read_back() -> None:
    """What the guest wrote is seen from outside; the image given is not changed."""
    with Machine.start(WRITES_DISK) as machine:
        machine.wait_for_serial(b"!")
        assert machine.disk()[5 * 512 : 6 * 512] == b"OK" * 256
        assert machine.disk()[: 5 * 512] == WRITES_DISK[: 5 * 512]


def test_a_machine_without_a_disk_boots_too() -> None:
    """The firmware has a copy of its own."""
    with Machine.start(HELLO, disk=Disk.MISSING) as machine:
        assert machine.wait_for_serial(b"hello")


SCREEN = boot_sector(
    """
        mov si, text
.next:  lodsb
        test al, al
        jz stop
        mov ah, 0x0E
        mov bx, 7
        int 0x10
        jmp .next
"""
    + STOP
    + "text: db 'on the screen', 0"
)


def test_the_screen_can_be_read() -> None:
    """With a graphics card, text memory shows what the BIOS wrote."""
    with Machine.start(SCREEN, screen=True) as machine:
        with pytest.raises(Hang):
            machine.run()
        assert any("on the screen" in line for line in machine.screen_text())


@pytest.fixture
def stopped() -> Iterator[Machine]:
    """A machine in protected mode."""
    with Machine.start(COUNTER) as machine:
        machine.run_to(COUNTER_LOOP)
        yield machine


def test_names_that_are_not_there_fail_the_test(stopped: Machine) -> None:
    """A missing symbol is the hand-in's fault, not the grader's."""
    with pytest.raises(NotAsRequired, match="no symbol 'run_next_process'"):
        stopped.symbol("run_next_process")
    with pytest.raises(NotAsRequired, match="no variable"):
        stopped.read_variable("processes")


def test_memory_that_is_not_there_fails_the_test(stopped: Machine) -> None:
    """An address from the guest may be anything."""
    with pytest.raises(NotAsRequired):
        stopped.read_physical(0x3000_0000, 4)
