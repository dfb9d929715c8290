"""The machine on Bochs: the same interface and the same verdicts as on QEMU, and what only Bochs enforces."""

from __future__ import annotations

import functools
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from grader.builds.build import Build, build_tree
from grader.host.sandbox import Sandbox
from grader.labs.lab_file import load_lab
from grader.labs.tree import Answer, compose
from grader.machine import (
    Hang,
    KernelPanic,
    Machine,
    MachineReset,
    NotOnThisMachine,
    TripleFault,
    Ungradable,
)
from grader.machine.bochs_process import find_bochs
from grader.machine.bochs_state import next_request
from grader.machine.disk import Disk
from grader.machine.registers import TRAP
from grader.machine.symbols import SymbolTable
from grader.machine.witness import Witness
from grader.paths import Project
from grader.testing.boots import Boots
from grader.testing.boots import compose as image_of
from grader.tests.boot_sectors import PROTECTED_MODE, boot_sector
from grader.tests.elf import Label, elf

try:
    find_bochs()
    MISSING = ""
except Ungradable as error:
    MISSING = str(error)

needs_bochs = pytest.mark.skipif(bool(MISSING), reason=MISSING)

SAY = """
; Writes the CX bytes at SI to COM1, each when the UART takes it, which QEMU's always does and this one does not.
say:    mov dx, 0x3FD
        in al, dx
        test al, 0x20
        jz say
        mov dx, 0x3F8
        lodsb
        out dx, al
        loop say
        ret
"""


def bochs(image: bytes, *, symbols: SymbolTable | None = None, guest_seconds: float = 0.2) -> Machine:
    """A machine on Bochs, in the sandbox."""
    return Machine.start(
        image, symbols=symbols, guest_seconds=guest_seconds, sandbox=Sandbox.detect(), witness=Witness.BOCHS
    )


@functools.cache
def baseline() -> Build:
    """The baseline with its probes."""
    project = Project.here()
    return build_tree(project, compose(project, load_lab(project, "baseline"), Answer("none")), Sandbox.detect())


@needs_bochs
def test_both_emulators_show_the_same_machine() -> None:
    """At kernel_main, and what the kernel then says; three runs on Bochs are one and the same."""
    build = baseline()
    symbols, image = SymbolTable.load(build.kernel_elf), image_of(build, {})
    seen, runs = [], []
    for witness in (Witness.QEMU, Witness.BOCHS, Witness.BOCHS, Witness.BOCHS):
        with Machine.start(image, symbols=symbols, sandbox=Sandbox.detect(), witness=witness) as machine:
            assert machine.witness is witness
            machine.run_to("kernel_main")
            now = machine.registers()
            segments = {name: getattr(now, name) for name in ("cs", "ss", "ds", "es", "tr")}
            described = {name: (held.selector, held.base, held.limit) for name, held in segments.items()}
            numbers = (now.eip, now.esp, now.ebp, now.cpl, now.cr0, now.cr3, now.cr4, now.gdtr, now.idtr)
            tables = ([str(entry) for entry in machine.gdt()[1:5]], machine.idt(), machine.ldt(), machine.tss())
            seen.append((described, numbers, tables, machine.walk(now.esp), machine.place(), len(machine.mappings())))
            machine.run_to("serial_write", times=3)
            runs.append((machine.instructions(), machine.serial, machine.read_physical(0x100000, 1 << 16)))
    assert seen[0] == seen[1] == seen[2] == seen[3]
    assert runs[1] == runs[2] == runs[3]
    assert runs[0][1] == runs[1][1]


@needs_bochs
@pytest.mark.parametrize("witness", list(Witness))
def test_a_probe_comes_to_its_end(witness: Witness) -> None:
    """Its reports are on the console to the last byte, though COM1 takes its time on Bochs."""
    with Boots(baseline(), seed="test", test="bochs", sandbox=Sandbox.detect(), witness=witness) as boot:
        machine = boot("flags")
        report = machine.finish()
        assert report
        assert machine.serial.endswith(b"\n")
        assert machine.registers().cpl == 3


@needs_bochs
def test_an_exception_that_cannot_be_delivered() -> None:
    """A triple fault, told with its cause; the machine can be looked at as it was."""
    with bochs(boot_sector(PROTECTED_MODE + "ud2")) as machine:
        with pytest.raises(TripleFault, match=r"Triple fault: an invalid opcode \(vector 6\) at 0x7c"):
            machine.run()
        assert machine.registers().protected
        assert machine.read_virtual(machine.registers().eip, 2) == b"\x0f\x0b"


@needs_bochs
def test_a_guest_that_reboots() -> None:
    """No triple fault; the machine stands before the instruction that did it, though Bochs forgets."""
    with bochs(boot_sector("mov al, 0xFE\nout 0x64, al\njmp $")) as machine:
        with pytest.raises(MachineReset, match="reset the machine itself at 0x7c02"):
            machine.run_to(0x9000)
        assert machine.registers().eip == 0x7C02


@needs_bochs
@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("jmp $", "spins in 0x7c00"),
        ("cli\nhlt", r"halted for ever \(HLT with interrupts disabled\)"),
        ("mov al, 0xFF\nout 0x21, al\nsti\nhlt", "idle for ever"),
        ("again: sti\nhlt\njmp again", "idle for ever"),
        (f"mov si, 0x7C00\nagain: mov cx, 1\ncall say\njmp again\n{SAY}", "the machine spins in"),
    ],
)
def test_a_guest_that_never_comes_there(code: str, said: str) -> None:
    """The limit is guest time: the same verdict, in the same words, each time; printing does not change that."""
    verdicts = set()
    for _ in range(2):
        with bochs(boot_sector(code)) as machine, pytest.raises(Hang, match=said) as caught:
            machine.run_to(0x9000)
        verdicts.add(caught.value.diagnosis.sentences[0] if "spins" in said else said)
    assert len(verdicts) == 1


@needs_bochs
def test_bytes_of_all_values_come_through() -> None:
    """What a guest prints comes as it is, and at a breakpoint all of it has come."""
    numbers = ", ".join(map(str, range(256)))
    code = f"mov si, bytes\nmov cx, 256\ncall say\nend: jmp end\n{SAY}bytes: db {numbers}"
    disk = boot_sector(code)
    with bochs(disk) as machine:
        machine.run_to(0x7C00 + disk.index(b"\xeb\xfe"))
        assert machine.serial == bytes(range(256))


@needs_bochs
def test_the_guest_hears_what_is_sent() -> None:
    """Each byte, in its order, at any speed of the guest."""
    echo = f"""
again:  mov dx, 0x3FD
        in al, dx
        test al, 1
        jz again
        mov dx, 0x3F8
        in al, dx
        inc al
        mov [0x9000], al
        mov si, 0x9000
        mov cx, 1
        call say
        jmp again
{SAY}"""
    sent = bytes(range(30, 60))
    with bochs(boot_sector(echo), guest_seconds=1) as machine:
        machine.send(sent)
        machine.wait_for_serial(bytes(byte + 1 for byte in sent))


@needs_bochs
def test_a_panic_is_seen_at_once() -> None:
    """With what the kernel says of it."""
    code = f"""
        mov si, text
        mov cx, text.end - text
        call say
        jmp panic_halt
        times 0x20 - ($ - $$) nop
panic_halt:
        hlt
        jmp panic_halt
{SAY}text: db "PANIC: no more frames", 10
.end:"""
    symbols = SymbolTable(elf([Label("start", 0x7C00), Label("panic_halt", 0x7C20)]))
    with bochs(boot_sector(code), symbols=symbols) as machine:
        with pytest.raises(KernelPanic, match="The kernel panicked: no more frames"):
            machine.run_to("start", times=2)


BEYOND = """
        mov eax, 0x18
        mov fs, eax
        mov byte [fs:0x200], 1
beyond: jmp beyond
"""
BEYOND_THE_LIMIT = boot_sector(
    PROTECTED_MODE.replace("0x00CF92000000FFFF", "0x00CF92000000FFFF, 0x00409200000000FF").replace("dw 23", "dw 31")
    + BEYOND
)
PLACE_BEYOND = 0x7C00 + BEYOND_THE_LIMIT.index(b"\xeb\xfe")


@needs_bochs
def test_a_segments_limit_holds_on_bochs_alone() -> None:
    """A write beyond the limit of its segment: QEMU does it, Bochs makes a general protection."""
    with Machine.start(BEYOND_THE_LIMIT) as machine:
        machine.run_to(PLACE_BEYOND)
        assert machine.registers().fs.limit == 0xFF
    with bochs(BEYOND_THE_LIMIT) as machine:
        with pytest.raises(TripleFault, match=r"general protection \(vector 13\)"):
            machine.run_to(PLACE_BEYOND)
        assert machine.registers().fs.limit == 0xFF


COUNTER = boot_sector(PROTECTED_MODE + "mov ecx, 100\nagain: inc dword [0x9000]\nloop again\njmp $")
COUNTER_LOOP = 0x7C00 + COUNTER.index(b"\xff\x05\x00\x90\x00\x00")


@needs_bochs
@pytest.mark.parametrize("witness", list(Witness))
def test_stops_steps_and_changes(witness: Witness) -> None:
    """Breakpoints, watchpoints, steps, registers and memory, as a test uses them on either emulator."""
    with Machine.start(COUNTER, witness=witness) as machine:
        machine.run_to(COUNTER_LOOP, times=7)
        assert machine.read_u32(0x9000) == 6
        before = machine.instructions()
        assert machine.step(4) == 4
        assert machine.instructions() - before == 4
        assert machine.eip() == COUNTER_LOOP
        machine.run_to(COUNTER_LOOP)
        assert machine.read_u32(0x9000) == 9  # the breakpoint at the present instruction does not count
        with machine.watch(0x9000):
            assert machine.run().watched == 0x9000
        machine.write_physical(0x9000, b"\x21\x43\x65\x87")
        machine.set_register("ecx", 2)
        assert machine.registers().ecx == 2
        machine.run_to(COUNTER_LOOP)
        assert machine.read_u32(0x9000) == 0x87654321
        machine.set_register("eip", 0x7C00)
        assert machine.eip() == 0x7C00
        machine.set_register("eip", COUNTER_LOOP)
        machine.set_register("eflags", machine.registers().eflags | TRAP)
        assert machine.registers().eflags & TRAP
        with pytest.raises(LookupError):
            machine.set_register("cr0", 0)
        with pytest.raises(TripleFault):
            machine.run()  # the trap after one instruction, and no IDT
        assert machine.read_u32(0x9000) == 0x87654322


@needs_bochs
def test_what_it_cannot_do_is_said() -> None:
    """The author of the test named the wrong witnesses."""
    for words in ({"screen": True}, {"exit_device": True}, {"disk": Disk.UNREADABLE}):
        with pytest.raises(NotOnThisMachine):
            Machine.start(COUNTER, witness=Witness.BOCHS, **words)
    with bochs(COUNTER) as machine:
        for attempt in (lambda: machine.silence_disk(), lambda: machine.emulator):
            with pytest.raises(NotOnThisMachine):
                attempt()


def test_bochs_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody's fault but the host's, with how to mend it."""
    monkeypatch.setenv("KERNELIST_BOCHS", "/nowhere/bochs")
    with pytest.raises(Ungradable, match=r"/nowhere/bochs is not installed.*bochs"):
        bochs(COUNTER)


ORPHAN = """
import sys
from grader.host.sandbox import Sandbox
from grader.machine import Machine
from grader.machine.witness import Witness
from grader.tests.boot_sectors import boot_sector
sandbox = Sandbox.detect() if sys.argv[1] == "sandbox" else None
machine = Machine.start(boot_sector("jmp $"), sandbox=sandbox, guest_seconds=30, witness=Witness.BOCHS)
if sys.argv[2] == "close":
    machine.close()
print("started", flush=True)
if sys.argv[2] == "run":
    machine.run()
sys.stdin.read()
"""


@needs_bochs
@pytest.mark.parametrize(("how", "what"), [("sandbox", "run"), ("direct", "run"), ("sandbox", "close")])
def test_nothing_is_left(how: str, what: str) -> None:
    """Neither after the machine's end nor after the grader's, however sudden."""
    top = str(Path(__file__).resolve().parents[2])
    grader = subprocess.Popen(
        [sys.executable, "-c", ORPHAN, how, what], cwd=top, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert grader.stdin is not None and grader.stdout is not None
    assert grader.stdout.readline() == b"started\n"
    family = set(_descendants(grader.pid))
    assert bool(family) is (what == "run")
    grader.send_signal(signal.SIGINT if how == "direct" else signal.SIGKILL)
    grader.communicate(timeout=10)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and any(_alive(pid) for pid in family):
        time.sleep(0.02)
    assert not any(_alive(pid) for pid in family)


def _descendants(pid: int) -> Iterator[int]:
    listed = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    pairs = [(int(child), int(parent)) for child, parent in re.findall(r"(\d+)\s+(\d+)", listed)]
    for child, parent in pairs:
        if parent == pid and _alive(child):
            yield child
            yield from _descendants(child)


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_which_request_an_interrupt_controller_serves() -> None:
    """The highest line that is neither masked nor below one in service."""
    idle = {"lowest_priority": 7, "special_mask": 0, "irr": 0, "imr": 0, "isr": 0}
    assert next_request(idle) is None
    assert next_request({**idle, "irr": 0b11000}) == 3
    assert next_request({**idle, "irr": 0b11000, "imr": 0b01000}) == 4
    assert next_request({**idle, "irr": 0b11000, "isr": 0b00100}) is None
    assert next_request({**idle, "irr": 0b00010, "isr": 0b00100}) == 1
    assert next_request({**idle, "irr": 0b11000, "isr": 0b00100, "special_mask": 1}) == 3
