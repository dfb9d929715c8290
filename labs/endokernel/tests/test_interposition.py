"""Stage 1: each `int 0x80` of a mediated program arrives at its monitor, in ring 2, wherever it comes from."""

from __future__ import annotations

import re
from collections.abc import Callable

from grader.builds.filesystem539 import read_filesystem
from grader.builds.image import filesystem_of
from grader.machine import Machine, Report
from grader.machine.witness import Witness
from grader.testing.boots import Boots, program
from grader.testing.kernel_error import KILLED_STATUS, KernelError
from grader.testing.plugin import graded

PRIVUSER_START, PRIVUSER_END, PRIVUSER_CODE = 0xA0000000, 0xA0400000, 0x0E
"""As kernel/privuser.h has them."""

PROBES_START = 0x10000000
"""Where a probe's code begins."""

HARMLESS = 100
"""What a probe's child exits with when an attack did nothing (probes/crew.h)."""

SYSTEM_CALL_TICKS, SYSTEM_CALL_GETPID = 9, 8
"""Of two calls that the probe `interposed` makes, the one that its policy allows and the one that it forbids."""

E_PERMISSION, E_FORMAT = KernelError.E_PERMISSION, KernelError.E_FORMAT

EntryOf = Callable[[Machine, str], int]


def check_is_in_monitor(machine: Machine) -> None:
    """The processor is in ring 2, in PrivUser code, on a stack that ring 3 cannot touch."""
    now = machine.registers()
    assert now.cpl == 2
    assert now.cs.selector == PRIVUSER_CODE
    top = now.ss.base + now.esp & 0xFFFFFFFF
    assert PRIVUSER_START < top <= PRIVUSER_END, f"the stack pointer is {top:#x}: not on a PrivUser stack"
    stack = machine.walk(top - 4)
    assert stack.present
    assert stack.writable
    assert not stack.user


def named(word: int) -> str:
    """What a call returned: the error's name, or the number."""
    return KernelError(word).name if word in tuple(KernelError) else f"{word:#x}"


def check_are_denied(report: Report, *keys: str) -> None:
    """These calls of the probe, by the names that it reports them with, returned E_PERMISSION."""
    for key in keys:
        assert report[key] == E_PERMISSION, f"{key}: {named(report[key])} in place of E_PERMISSION"


def stops(machine: Machine, *places: int) -> int:
    """Run to the first of these places; returns which."""
    points = [machine.breakpoint(place) for place in places]
    while True:
        stop = machine.run()
        if stop.address in places:
            break
    for point in points:
        point.remove()
    return stop.address


def privuser_pages(machine: Machine) -> dict[int, tuple[int, bool, bool]]:
    """Each page of PrivUser: its frame, whether it may be written, whether ring 3 may touch it."""
    pages = machine.mappings(start=PRIVUSER_START, end=PRIVUSER_END)
    return {page.virtual: (page.physical, page.writable, page.user) for page in pages}


@graded(
    stage=1,
    points=3,
    handout="interposition",
    usually="the kernel performs the call itself, or enters the monitor in another ring or on another stack",
    schedules=True,
)
def test_a_system_call_of_ring_3_arrives_at_the_monitor_in_ring_2(boot: Boots, entry_of: EntryOf) -> None:
    """Between each `int 0x80` of the program and its next instruction the monitor's entry is executed once, at CPL 2 on
    a PrivUser stack; then the program goes on in ring 3 with the monitor's answer.
    """
    machine = boot("interposed", role="calls", a=4)
    entry = entry_of(machine, "interposed")
    trap, returned = (machine.symbol(f"trap_{place}", "interposed") for place in ("instruction", "returned"))
    for number in (SYSTEM_CALL_TICKS, SYSTEM_CALL_GETPID) * 4:
        machine.run_to(trap, program="interposed")
        assert machine.registers().cpl == 3
        assert machine.registers().eax == number
        assert stops(machine, entry, returned) == entry, "the call came back, and the monitor was never asked"
        check_is_in_monitor(machine)
        assert stops(machine, entry, returned) == returned, "the monitor was entered twice for one call"
        assert machine.registers().cpl == 3
        assert (machine.registers().eax == E_PERMISSION) == (number == SYSTEM_CALL_GETPID)
    report = machine.finish()
    assert report["performed"] == report["denied"] == 4
    assert report["nonce"] == machine.nonce


@graded(
    stage=1,
    points=2,
    handout="interposition",
    usually="the way back leaves the monitor's registers, flags or null segments to the program",
    witnesses=(Witness.QEMU, Witness.BOCHS),
)
def test_a_mediated_call_gives_and_leaves_what_the_kernels_would(boot: Boots) -> None:
    """Allowed calls work as ever; all registers but EAX keep their values, DF, NT and AC too, DS and ES are good to be
    used, and TF shows nothing of ring 2. Null selectors and DF are nothing to the monitor.
    """
    report = boot("interposed", role="registers").finish()
    assert report.all("no_segments") == [5, 5], "of five calls with null selectors in DS and ES, some went wrong"
    assert report.all("right") == [9, 9], "of the nine calls, some gave another result than the kernel's"
    assert report["changed"] == 0, "registers changed: bit 0 to 7 stand for EBX ECX EDX ESI EDI EBP ESP DS-GS"
    assert report["flags_changed"] == 0
    assert report["traced"] == 1


@graded(
    stage=1,
    points=2,
    handout="policy",
    usually="the monitor passes every call on, or denies a call after it was performed",
)
def test_a_call_that_the_policy_does_not_allow_is_denied(boot: Boots) -> None:
    """Calls without a bit in the domain's `calls` are E_PERMISSION and do nothing, be their number what it may; calls
    with one work, and so does exit, which needs none.
    """
    machine = boot("interposed", role="forbidden", programs={"sealed": "sealed"}, files={"doomed": b"still here"})
    machine.send(b"a line for a forbidden read\n")
    report = machine.finish()
    check_are_denied(report, "getpid", "kill", "delete", "shutdown", "open")
    number = report["sealed"]
    assert number == HARMLESS, f"a call without a bit in `calls` was not E_PERMISSION: number {number:#x}"
    assert report["victim"] == 77, "the victim of a kill that was denied did not live to its own end"
    assert report["nonce"] == machine.nonce
    files = read_filesystem(filesystem_of(machine.disk()))
    assert "doomed" in files
    assert "planted" not in files


@graded(
    stage=1,
    points=1,
    handout="policy",
    usually="the number is used as an index before it is checked, or compared as a signed number",
    schedules=True,
)
def test_what_is_no_call_is_denied(boot: Boots, entry_of: EntryOf) -> None:
    """Numbers that no call has, large and negative ones too, come to the monitor and back as errors, under a policy
    whose every bit is set; calls that there are still work.
    """
    machine = boot("filer", role="numbers", guest_seconds=4)
    machine.run_to("numbers_begin", program="filer")
    machine.run_to(entry_of(machine, "filer"))
    check_is_in_monitor(machine)
    report = machine.finish()
    assert report["denied"] == report["numbers"] > 60
    assert report["ticks"] < 0x80000000
    assert report["nonce"] == machine.nonce


@graded(
    stage=1,
    points=2,
    handout="interposition",
    usually="the monitor is asked only by the library's wrapper, or the kernel looks at where the call comes from",
)
def test_ten_thousand_places_to_call_from_make_no_difference(boot: Boots) -> None:
    """An `int 0x80` at 10,000 random addresses, on the stack too, is mediated like the library's own."""
    report = boot("interposed", role="places", a=10_000, guest_seconds=4).finish()
    assert report["denied"] == 10_000
    assert report["performed"] == 625
    assert report["stack"] == E_PERMISSION


@graded(
    stage=1,
    points=2,
    handout="interposition",
    usually="a stub in ring 3 does a part of the checking, which a jump behind it skips",
)
def test_a_jump_into_the_middle_of_a_stub_gets_nowhere(boot: Boots) -> None:
    """Whoever jumps to any byte of the library's system_call or of privcall, with the registers of a forbidden kill,
    kills nobody.
    """
    programs = {"interposed": "interposed", "plain": "plain"}
    machine = boot("plain", role="jumps", a=64, programs=programs, guest_seconds=6)
    report = machine.finish()
    assert report["mediated"] == HARMLESS
    assert report["tried"] == 128
    assert report["alive"] == 0, "the process that no jump should have killed is dead"
    assert report["status"] == KILLED_STATUS


@graded(
    stage=1,
    points=2,
    handout="interposition",
    usually="mediation begins with the first privcall, or with a call that the program has to make",
)
def test_mediation_begins_before_the_first_instruction(boot: Boots, entry_of: EntryOf) -> None:
    """A forbidden call in the place of the program's very first instruction comes to the monitor and is denied."""
    machine = boot("interposed", role="first")
    entry = entry_of(machine, "interposed")
    machine.run_to("_start", program="interposed")
    start = machine.registers()
    assert start.cpl == 3
    machine.set_register("eax", SYSTEM_CALL_GETPID)
    machine.set_register("eip", machine.symbol("trap_instruction", "interposed"))
    returned = machine.symbol("trap_returned", "interposed")
    assert stops(machine, entry, returned) == entry, "the call came back, and the monitor was never asked"
    check_is_in_monitor(machine)
    machine.run_to(returned, program="interposed")
    assert machine.registers().eax == E_PERMISSION
    machine.set_register("eip", start.eip)
    machine.set_register("eax", start.eax)
    report = machine.finish()
    assert report["nonce"] == machine.nonce


@graded(
    stage=1,
    points=2,
    handout="threads",
    usually="threads share one PrivUser stack, or only the first thread is mediated",
)
def test_fifty_threads_are_mediated_at_the_same_time(boot: Boots, entry_of: EntryOf) -> None:
    """Fifty threads wait in the monitor at once, each on a PrivUser stack of its own; what is forbidden is denied to
    each of them.
    """
    machine = boot("interposed", role="threads", guest_seconds=4)
    entry = entry_of(machine, "interposed")
    stacks = set()
    for _ in range(10):
        machine.run_to("thread_begins", program="interposed")
        machine.run_to(entry)
        check_is_in_monitor(machine)
        stacks.add(machine.registers().esp >> 12)
    report = machine.finish()
    assert report["ended"] == report["slept"] == 50
    assert report["denied"] == 100
    assert len(stacks) >= 8, f"the monitor ran on {len(stacks)} stacks for 10 threads"


@graded(
    stage=1,
    points=2,
    handout="children",
    usually="spawn passes the monitor, so that a child without one does what its parent may not",
)
def test_children_are_mediated_or_not_born(boot: Boots) -> None:
    """A child with a PrivUser is mediated, and its children; a program without one is not started, be it in the archive
    or on the disk.
    """
    files = {"escape": program(boot.build.probes["plain"])}
    machine = boot("interposed", role="children", programs={"plain": "plain"}, files=files)
    report = machine.finish()
    assert report["child"] == HARMLESS
    check_are_denied(report, "unmediated", "from_disk", "of_the_tree")
    assert report["lives"] == 0
    assert report["denied"] == E_PERMISSION
    assert report["again"] == HARMLESS


@graded(
    stage=1,
    points=1,
    handout="interposition",
    usually="the kernel believes the header of a file that anybody may have written",
)
def test_a_program_whose_entry_lies_is_not_started(boot: Boots) -> None:
    """A header whose system_call_entry is in ring 3's memory, in PrivUser but not in its code, in the kernel or
    nowhere makes no program; the same file with its own header does.
    """
    honest = program(boot.build.probes["interposed"])
    header = re.search(rb"PRIV..\x00\xa0(..\x00\xa0)", honest, re.S)
    assert header is not None, "the PrivUser header of interposed has no system_call_entry"
    lies = (PROBES_START, PRIVUSER_END - 0x1000, 0xC0100000, 0)
    files = {
        f"liar{number}": honest[: header.start(1)] + lie.to_bytes(4, "little") + honest[header.end(1) :]
        for number, lie in enumerate(lies)
    }
    report = boot("plain", role="liars", files={**files, "honest": honest}).finish()
    assert report.all("liar") == [E_FORMAT] * 4
    assert report["honest"] == HARMLESS


@graded(
    stage=1,
    points=2,
    handout="interposition",
    usually="ring 2 runs with interrupts off, or the kernel waits for the monitor",
)
def test_a_monitor_that_loops_can_be_killed(boot: Boots, entry_of: EntryOf) -> None:
    """A process whose monitor jumps to itself, or whose PrivUser function never returns, is killed by another, and the
    rest of the machine goes on meanwhile.
    """
    machine = boot("plain", role="killer", programs={"interposed": "interposed"}, guest_seconds=4)
    entry = entry_of(machine, "interposed")
    machine.run_to(entry)
    check_is_in_monitor(machine)
    place = machine.walk(entry).physical
    assert place is not None
    machine.write_physical(place, b"\xeb\xfe")  # jmp $
    report = machine.finish()
    assert report.all("killed") == [0, 0]
    assert report.all("status") == [KILLED_STATUS, KILLED_STATUS]
    assert 8 <= report["ticks"] <= 60
    assert report["mediated"] == HARMLESS


@graded(
    stage=1,
    points=2,
    handout="deputy",
    usually="the monitor passes a pointer on in ring 2, where the kernel lets PrivUser be named",
)
def test_the_monitors_memory_is_no_buffer(boot: Boots) -> None:
    """Whatever call is given PrivUser memory for a buffer, wholly, in part or around the end of memory, is refused, and
    nothing of it is printed or written; ordinary buffers right beside it are good.
    """
    machine = boot("borders", role="buffers")
    secret = b"treasure %08x" % (machine.nonce ^ 0xFFFFFFFF)
    machine.run_to("buffers_begin", program="borders")
    place = machine.walk(machine.symbol("treasure", "borders")).physical
    assert place is not None
    machine.write_physical(place, secret)
    report = machine.finish()
    assert report["refusals"] == report["attempts"] >= 40
    assert secret not in machine.serial, "what lies in PrivUser was printed"
    assert machine.read_physical(place, len(secret)) == secret, "PrivUser memory was written"
    assert report["wait"] == report["pid"], "a wait with a bad pointer must not forget the child"
    assert report["status"] == HARMLESS
    assert report["nonce"] == machine.nonce
    assert report["border"] >= 1
    assert report["denied"] == E_PERMISSION


@graded(
    stage=1,
    points=1,
    handout="deputy",
    usually="the monitor passes memory_map and memory_unmap on without a look at the range",
    schedules=True,
)
def test_nothing_is_mapped_over_the_monitor(boot: Boots) -> None:
    """Mapping, unmapping or growing memory over PrivUser, holes included, is refused as a whole; memory next to it is
    the program's.
    """
    machine = boot("borders", role="maps")
    machine.run_to("maps_begin", program="borders")
    before = privuser_pages(machine)
    report = machine.finish()
    assert report["refusals"] == report["attempts"] == 11
    assert report["below"] == report["above"] == 0
    assert report["kept"] == machine.nonce
    assert report["code"] == E_PERMISSION, "the program's code can be unmapped, and other code mapped in its place"
    assert report["denied"] == E_PERMISSION
    assert before.items() <= privuser_pages(machine).items(), "pages of PrivUser are gone, or are others"


@graded(
    stage=1,
    points=1,
    handout="interposition",
    usually="the monitor's own calls are sent to the monitor again, or mediation is switched for all processes at once",
    schedules=True,
)
def test_only_ring_3_of_mediated_processes_is_mediated(boot: Boots) -> None:
    """Code in PrivUser may ask the kernel what its program may not; and a program without PrivUser makes its calls as
    ever, in turns with mediated ones.
    """
    machine = boot("interposed", role="own_calls")
    report = machine.finish()
    assert report["same"] == 1, "PrivUser code asked for its process id, and got another answer"
    assert report["sum"] == (machine.nonce >> 8) + 9
    assert report["denied"] == E_PERMISSION
    report = boot("plain", role="mixed", programs={"interposed": "interposed"}).finish()
    assert report["own"] == 20
    assert report.all("mediated") == [HARMLESS] * 3
