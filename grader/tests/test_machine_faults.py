"""Guests and emulators that go wrong: each ends in bounded time, in the right kind of exception, in words that help."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from grader.faults import Ungradable
from grader.host.sandbox import Sandbox
from grader.machine import (
    GuestLeft,
    Hang,
    KernelPanic,
    Machine,
    MachineReset,
    MachineStopped,
    ProbeEnded,
    SymbolTable,
    TripleFault,
)
from grader.tests.boot_sectors import PROTECTED_MODE, SAY, STOP, boot_sector
from grader.tests.elf import Label, elf

WATCHDOG_OFF = "mov dx, 0x441\nout dx, al\n"
TIMER_OFF = "mov al, 0x30\nout 0x43, al\n"


def stopped(code: str, **options: object) -> MachineStopped:
    """How a guest of this code stops."""
    with Machine.start(boot_sector(code), **options) as machine:  # type: ignore[arg-type]
        with pytest.raises(MachineStopped) as caught:
            machine.wait_for_serial(b"this never comes")
        machine.describe()
        return caught.value


def test_a_guest_that_never_prints() -> None:
    """It spins: the report says where."""
    error = stopped("cli\njmp $")
    assert isinstance(error, Hang)
    assert "this never comes" in str(error)
    assert "the machine spins in 0x7c01" in str(error)
    assert "with interrupts disabled" in str(error)


def test_a_guest_that_prints_without_end() -> None:
    """The output is drained and bounded, and its beginning and end are kept."""
    code = "mov dx, 0x3F8\nmov al, '<'\nout dx, al\nmov al, 'x'\nagain: out dx, al\njmp again"
    with Machine.start(boot_sector(code)) as machine:
        with pytest.raises(Hang):
            machine.run()
        assert machine.serial_bytes > 1_000_000
        assert len(machine.serial) < 1_000_000
        assert machine.serial.startswith(b"<xxx")


def test_a_guest_that_prints_binary_and_escape_sequences() -> None:
    """The bytes are matched as they are, and shown so that no terminal obeys them."""
    nasty = bytes(range(256)) + b"\x1b[2J\x1b]0;title\x07\xe2\x80\xae"
    data = ", ".join(map(str, nasty))
    code = (
        f"mov si, text\nmov cx, {len(nasty)}\nmov dx, 0x3F8\nnext: lodsb\nout dx, al\nloop next\n{STOP}text: db {data}"
    )
    with Machine.start(boot_sector(code)) as machine:
        machine.wait_for_serial(b"\x1b]0;title\x07")
        with pytest.raises(Hang):
            machine.run()
        assert machine.serial == nasty
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", machine.serial_text())


def test_a_guest_that_halts() -> None:
    """HLT with interrupts disabled ends at once, without waiting for the time to pass in the host."""
    started = time.monotonic()
    error = stopped("cli\nhlt")
    assert isinstance(error, Hang)
    assert "halted for ever (HLT with interrupts disabled)" in str(error)
    assert time.monotonic() - started < 10


def test_a_guest_that_idles() -> None:
    """HLT with interrupts enabled is idleness."""
    error = stopped("again: sti\nhlt\njmp again")
    assert isinstance(error, Hang)
    assert "idle for ever" in str(error)


def test_a_guest_that_reboots() -> None:
    """The first reset is the end: no loop of reboots."""
    error = stopped("mov al, 0xFE\nout 0x64, al\njmp $")
    assert isinstance(error, MachineReset)
    assert "reset the machine itself" in str(error)


def test_a_guest_that_switches_off() -> None:
    """The machine's power button is said by name. (ACPI's register is where firmware put it: at port 0x604 here.)"""
    code = """
        mov dx, 0xCF8           ; PIIX4's power management: base 0x600, then enabled
        mov eax, 0x80000B40
        out dx, eax
        mov dx, 0xCFC
        mov eax, 0x601
        out dx, eax
        mov dx, 0xCF8
        mov eax, 0x80000B80
        out dx, eax
        mov dx, 0xCFC
        mov al, 1
        out dx, al
        mov dx, 0x604
        mov ax, 0x2000
        out dx, ax
        jmp $
    """
    error = stopped(code)
    assert isinstance(error, MachineReset)
    assert "switched the machine off" in str(error)


@pytest.mark.parametrize(
    ("instruction", "name"),
    [
        ("ud2", "an invalid opcode (vector 6)"),
        ("xor ecx, ecx\ndiv ecx", "a divide error (vector 0)"),
        ("mov ax, 0x1230\nmov ds, ax", "a general protection (vector 13)"),
        ("int 0x33", "a general protection (vector 13)"),
    ],
)
def test_a_guest_without_an_idt_that_makes_an_exception(instruction: str, name: str) -> None:
    """A triple fault: which exception, that the table has no gate for it, and where."""
    code = PROTECTED_MODE + "lidt [nothing]\n" + instruction + "\njmp $\nnothing: dw 0\ndd 0"
    error = stopped(code)
    assert isinstance(error, TripleFault)
    assert f"Triple fault: {name} at 0x7c" in str(error)
    assert "in ring 0" in str(error)
    assert "has no usable gate for" in str(error)


PAGING = (
    PROTECTED_MODE
    + """
        mov edi, 0x10000        ; page directory; its first entry: a page of 4 MB
        mov ecx, 1024
        xor eax, eax
        rep stosd
        mov dword [0x10000], 0x83
        mov dword [0x10004], 0x11003
        mov edi, 0x11000        ; page table of 4 MB to 8 MB; its first page is read-only
        mov ecx, 1024
        rep stosd
        mov dword [0x11000], 0x12001
        mov eax, 0x10
        mov cr4, eax            ; PSE
        mov eax, 0x10000
        mov cr3, eax
        mov eax, cr0
        or eax, 0x80010000      ; PG, WP
        mov cr0, eax
"""
)


def test_a_page_fault_that_cannot_be_handled() -> None:
    """The address, and what the page tables say of it."""
    error = stopped(PAGING + "mov eax, [0x800123]\njmp $")
    assert isinstance(error, TripleFault)
    assert "a page fault (vector 14) at 0x7c" in str(error)
    assert "a read by supervisor code, whose page is not present" in str(error)
    assert "0x00800123 (CR2); that page is not mapped" in str(error)


def test_a_write_to_a_read_only_page() -> None:
    """The rights of the page are said."""
    error = stopped(PAGING + "mov [0x400123], eax\njmp $")
    assert isinstance(error, TripleFault)
    assert "0x00400123 (CR2); that page is mapped read-only" in str(error)
    assert "physical 0x00012123, supervisor, read-only" in str(error)


def test_memory_is_read_through_the_guests_own_tables() -> None:
    """Pages of 4 MB and of 4 KB, side by side."""
    code = PAGING + "mov dword [0x12345], 'real'\nmov dx, 0x3F8\nmov al, '!'\nout dx, al\n" + STOP
    with Machine.start(boot_sector(code)) as machine:
        machine.wait_for_serial(b"!")
        assert machine.read_virtual(0x12345, 4) == b"real"
        assert machine.read_virtual(0x400345, 4) == b"real"
        assert machine.walk(0x12345).page_bytes == 4 << 20
        assert machine.walk(0x400345).physical == 0x12345
        assert not machine.walk(0x400345).writable
        assert not machine.walk(0x401000).present
        assert [(page.virtual, page.physical, page.page_bytes) for page in machine.mappings()] == [
            (0, 0, 4 << 20),
            (0x400000, 0x12000, 4096),
        ]


def test_a_guest_that_overwrites_page_0() -> None:
    """Whatever becomes of it is its own doing."""
    error = stopped("cld\nxor di, di\nmov es, di\nmov ax, 0xFFFF\nmov cx, 0x800\nrep stosw\nsti\nint 0x10\njmp $")
    assert error.diagnosis.sentences


def test_a_guest_cannot_leave_when_there_is_no_exit() -> None:
    """Without isa-debug-exit the port leads nowhere."""
    code = f"mov al, 0\nout 0xF4, al\nmov si, text\ncall say\n{STOP}{SAY}text: db 'still here', 0"
    with Machine.start(boot_sector(code)) as machine:
        assert machine.wait_for_serial(b"still here")


def test_a_guest_that_ends_its_emulator() -> None:
    """With isa-debug-exit the status is there, and what was printed before."""
    code = f"mov si, text\ncall say\nmov al, 0x15\nout 0xF4, al\n{STOP}{SAY}text: db 'bye', 0"
    with Machine.start(boot_sector(code), exit_device=True) as machine:
        with pytest.raises(GuestLeft, match="writing 0x15 to port 0xF4") as caught:
            machine.run()
        assert caught.value.status == 0x2B
        assert machine.serial == b"bye"


@pytest.mark.parametrize(
    "code",
    [
        "jmp $",  # the instructions are counted
        TIMER_OFF + "cli\nhlt",  # neither instructions nor time pass
        "again: sti\nhlt\njmp again",  # time passes, hardly any instruction
    ],
)
def test_a_guest_that_switches_the_watchdog_off(code: str) -> None:
    """It fails like any other that hangs; it is never the grader's fault."""
    error = stopped(WATCHDOG_OFF + code)
    assert isinstance(error, Hang)


def test_the_hosts_time_is_no_verdict() -> None:
    """A host that is too slow makes a test ungradable."""
    with Machine.start(boot_sector("jmp $"), guest_seconds=30, wall_cap=0.2) as machine, pytest.raises(Ungradable):
        machine.run()


def test_no_emulator(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is missing is named."""
    monkeypatch.setenv("KERNELIST_QEMU", "/nowhere/qemu")
    with pytest.raises(Ungradable, match="/nowhere/qemu is not installed"):
        Machine.start(boot_sector("jmp $"))


def test_an_emulator_that_ends_at_its_start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What it said is passed on."""
    tmp_path.chmod(0o755)
    tmp_path.parent.chmod(0o755)
    program = tmp_path / "qemu"
    program.write_text("#!/bin/sh\necho 'no such machine' >&2\nexit 3\n")
    program.chmod(0o755)
    monkeypatch.setenv("KERNELIST_QEMU", str(program))
    with pytest.raises(Ungradable, match=r"status \d+.*"):
        Machine.start(boot_sector("jmp $"))


def test_an_emulator_that_is_killed() -> None:
    """Not the guest's fault."""
    with Machine.start(boot_sector("jmp $")) as machine:
        os.kill(machine.emulator.process.pid, signal.SIGKILL)
        with pytest.raises(Ungradable):
            machine.run()


SYMBOLS = [Label("start", 0x7C00), Label("panic_halt", 0x7C10), Label("after", 0x7C20)]


@pytest.mark.parametrize(
    ("eip", "what"),
    [
        (0x7C21, "a page fault (vector 14) at after+0x1"),
        (0xA0000010, "it took for its own a page fault (vector 14) at 0xa0000010"),
    ],
)
def test_a_panic_is_seen_at_once(eip: int, what: str) -> None:
    """The kernel's own words, with the places that the symbols know, and a fault that was not the kernel's."""
    text = f"PANIC: vector 14 (page fault) error_code 0x2 eip {eip:#010x} cr2 0x00000010"
    code = f"""
        mov si, text
        call say
        jmp panic_halt
        times 0x10 - ($ - $$) nop
panic_halt:
        hlt
        jmp panic_halt
        times 0x20 - ($ - $$) nop
after:  nop
{SAY}text: db "{text}", 10, 0"""
    with Machine.start(boot_sector(code), symbols=SymbolTable(elf(SYMBOLS))) as machine:
        with pytest.raises(KernelPanic) as caught:
            machine.run_to("start", times=2)
        assert f"The kernel panicked: {what}" in str(caught.value)
        assert "0x00000010 (CR2)" in str(caught.value)


def test_a_probe_that_ends_before_what_was_awaited(tmp_path: Path) -> None:
    """No waiting for the limit: it will not come any more."""
    image = boot_sector("finish: jmp finish")
    probe = tmp_path / "probe.elf"
    probe.write_bytes(elf([Label("probe_finish", 0x7C00)], code=image[:512], base=0x7C00))
    with Machine.start(image, programs={"probe": probe}, probe="probe") as machine:
        with pytest.raises(ProbeEnded, match="The probe probe ended before"):
            machine.wait_for_serial(b"never")
        assert machine.instructions() < 100_000


ORPHAN = """
import sys, time
from grader.machine import Machine
from grader.host.sandbox import Sandbox
from grader.tests.boot_sectors import boot_sector
sandbox = Sandbox.detect() if sys.argv[1] == "sandbox" else None
machine = Machine.start(boot_sector("jmp $"), sandbox=sandbox, guest_seconds=30)
print("started", flush=True)
machine.run()
"""


@pytest.mark.parametrize(
    ("how", "ending"), [("sandbox", signal.SIGKILL), ("direct", signal.SIGKILL), ("direct", signal.SIGINT)]
)
def test_nothing_is_left_when_the_grader_ends(how: str, ending: signal.Signals) -> None:
    """Killed or interrupted, the grader takes its emulators along."""
    if how == "sandbox" and not Sandbox.detect().active:
        pytest.skip(Sandbox.detect().warning)
    top = str(Path(__file__).resolve().parents[2])
    grader = subprocess.Popen(
        [sys.executable, "-c", ORPHAN, how],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": top},
    )
    assert grader.stdout is not None
    assert grader.stdout.readline() == b"started\n"
    family = _descendants(grader.pid)
    assert family
    grader.send_signal(ending)
    grader.wait(10)
    grader.stdout.close()
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and any(_alive(pid) for pid in family):
        time.sleep(0.02)
    assert not any(_alive(pid) for pid in family)


def test_no_port_is_opened() -> None:
    """All lines of the emulator are unnamed sockets and pipes."""
    with Machine.start(boot_sector("jmp $")) as machine:
        process = Path(f"/proc/{machine.emulator.process.pid}")
        sockets = {str(file.readlink()) for file in (process / "fd").iterdir() if "socket" in str(file.readlink())}
        tables = "".join((process / "net" / name).read_text() for name in ("tcp", "tcp6", "udp", "udp6"))
        assert sockets
        assert not any(re.search(rf"\b{name[8:-1]}\b", tables) for name in sockets)


def _descendants(pid: int) -> set[int]:
    """All processes below one."""
    parents = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(status.parent.name)] = int(fields[1])
    family, grown = {pid}, True
    while grown:
        more = {child for child, parent in parents.items() if parent in family}
        grown = not more <= family
        family |= more
    return family - {pid}


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False
