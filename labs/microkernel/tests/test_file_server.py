"""Stage 4: files are served from ring 3, the disk's ports are the file server's alone, and servers may die."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest
from crew import ENDPOINTS, WORDS, played

from grader.builds.build import Build
from grader.builds.filesystem539 import FILESYSTEM_SECTORS, CorruptFilesystem, read_filesystem, sectors_for
from grader.builds.image import filesystem_of
from grader.machine import Machine
from grader.testing.boots import Boots, program
from grader.testing.kernel_error import KernelError, fault_status
from grader.testing.message import Every, at_least, at_most, in_words, must
from grader.testing.plugin import graded

E_NO_CALL, E_DEAD = KernelError.E_NO_CALL, KernelError.E_DEAD

BIG, BLOCK = 20000, 3000
"""Bytes of the file `poem` that is there at the start, and of the one that a probe creates."""

CRIMES = (
    *("CLI", "HLT", "a write to CR3", "LGDT", "an OUT to the interrupt controller"),
    *("a write to the kernel's memory", "a jump to address 0", "INT 14"),
)
"""Of the server probes/villain.c, from 1 on."""

DISK_PORTS = [*range(0x1F0, 0x1F8), 0x3F6]

Start = Callable[..., Machine]


def content(nonce: int, length: int) -> bytes:
    """What the probe `files` takes for a right file in a run with this nonce."""
    words = range(-(-length // 4))
    return b"".join((nonce + place * 0x9E3779B1 & 0xFFFFFFFF).to_bytes(4, "little") for place in words)[:length]


@pytest.fixture
def text(seed: int) -> int:
    """The number from which this run's files are made."""
    return seed & 0xFFFFFFFF


@pytest.fixture
def boot_filed(boot: Boots, text: int) -> Start:
    """Boots the probe `files` with the files `poem` and `old` on the disk, and more if `files` says so."""

    def start(role: str, files: dict[str, bytes] | None = None, **parameters: Any) -> Machine:
        on_disk = {"poem": content(text, BIG), "old": b"old" * 200, **(files or {})}
        return boot("files", role=role, seed=text, files=on_disk, **parameters)

    return start


def run_to_reply(machine: Machine) -> None:
    """Run until the file server, in ring 3, is about to answer a request."""
    assert "ipc_reply" in machine.table("file_server"), (
        "the file server answers nobody: no ipc_reply of user/ipc.c is linked into it, since nothing in it calls that"
    )
    machine.run_to("ipc_reply", program="file_server", awaited="a reply (ipc_reply) of the file server to a request")
    must(machine.registers().cpl, 3, "the file server replied to a request in ring")


def run_to_disk_port(machine: Machine, skip: int = 0) -> None:
    """Run until the file server is about to execute an instruction on a port of the disk, after `skip` others."""
    with contextlib.ExitStack() as stack:
        points = {
            place: stack.enter_context(machine.breakpoint(place)) for place in possible_port_instructions(machine)
        }
        while True:
            place = machine.run("an IN or OUT of the file server on a port of the disk").address
            if machine.registers().edx & 0xFFFF not in DISK_PORTS or machine.program_at(place) != "file_server":
                points[place].remove()  # something else stands there, or another program has code at that address
            elif skip == 0:
                return
            else:
                skip -= 1


def possible_port_instructions(machine: Machine) -> set[int]:
    """Where IN, OUT, INS or OUTS may begin in the file server: each such opcode, with and without prefixes.

    Some of these bytes are in the middle of other instructions: a breakpoint there is never met.
    """
    base = 0x00401000  # user.ld: where a program's code begins
    code = machine.table("file_server").code_at(base, 1 << 20)
    opcodes = [
        place
        for place, byte in enumerate(code)
        if byte in b"\xec\xed\xee\xef\x6c\x6d\x6e\x6f" and code[place - 1] != 0x83
    ]
    prefixed = {place - length for place in opcodes for length in (1, 2) if code[place - length] in b"\x66\xf2\xf3"}
    return {base + place for place in prefixed.union(opcodes)}


def kill_server_here(machine: Machine) -> None:
    """Let the file server meet a privileged instruction in the place of its next one, for this time only."""
    registers = machine.registers()
    must(registers.cpl, 3, "the file server, in the middle of a request, was in ring")
    place = machine.walk(registers.eip).physical
    assert place is not None, (
        f"the file server's instruction at {registers.eip:#010x} lies on a page that is not mapped"
    )
    code = machine.read_physical(place, 1)
    machine.write_physical(place, b"\xf4")
    machine.step()
    must(machine.registers().cpl, 0, "the file server executed HLT, which only ring 0 may: what came next ran in ring")
    machine.write_physical(place, code)


def files_on(machine: Machine) -> dict[str, bytes]:
    """The files on the machine's disk, read from outside. A disk that is damaged fails the test."""
    try:
        return read_filesystem(filesystem_of(machine.disk()))
    except CorruptFilesystem as error:
        raise AssertionError(f"the disk's filesystem is damaged: {error}") from error


@graded(
    stage=4,
    points=3,
    handout="file-server",
    usually="the server's messages lose a part of a file, or the kernel still serves files",
)
def test_files_are_served_from_ring_3_as_before(boot_filed: Start, text: int) -> None:
    """The library's file functions work as ever, by messages to a server in ring 3, on the same disk."""
    machine = boot_filed("files")
    for name in ("read_disk", "write_disk", "create_file"):
        assert name not in machine.symbols, f"{name} is still in the kernel's image"
    played(
        machine,
        run_to_reply,
        service=(ENDPOINTS, "ipc_service(3), which asks for the file server's endpoint, returned"),
        poem=(BIG, "a read_file of the file `poem`, of 20,000 bytes, brought", right_bytes),
        listed=(BIG, "list_files showed the file `poem`, of 20,000 bytes, with a length of", length),
        part=(1000, "of 1,000 bytes from the middle of `poem`, read_file got right"),
        end=(10, "a read_file of 1,000 bytes, 10 before the file's end, returned"),
        create=(0, "create_file of a new file of 3,000 bytes returned"),
        new=(BLOCK, "a read_file of a file of 3,000 bytes that was just created brought", right_bytes),
        delete=(0, "delete_file of a file that was there returned"),
        gone=(0xFFFFFFFF, "list_files showed a file that had been deleted with a length of", length),
        empty=(0, "create_file of a file of no bytes returned"),
        empty_length=(0, "list_files showed a file of no bytes with a length of", length),
    )
    files = files_on(machine)
    holds(files, "poem", content(text, BIG))
    holds(files, "new", content(text, BLOCK))
    holds(files, "empty", b"")
    assert "old" not in files, "a file that was deleted, `old`, is still on the disk"


def right_bytes(word: int) -> str:
    """What a probe reports of a read."""
    return in_words(word) if word >> 31 else f"{word} right bytes"


def length(word: int) -> str:
    """What a probe reports of a listed file."""
    return "nothing, for it is not listed" if word == 0xFFFFFFFF else str(word)


def holds(files: dict[str, bytes], name: str, wanted: bytes) -> None:
    """Check a file on the disk, as it is seen from outside."""
    assert name in files, f"the file `{name}` is not on the disk"
    seen = files[name]
    wrong = sum(byte != other for byte, other in zip(seen, wanted, strict=False)) + abs(len(seen) - len(wanted))
    assert seen == wanted, (
        f"the file `{name}` has {len(seen)} bytes on the disk; {wrong} are wrong, missing or too many"
    )


@graded(
    stage=4, points=1, handout="file-server", usually="the old system calls were left in the kernel beside the server"
)
def test_the_kernel_no_longer_knows_files(boot_filed: Start, text: int) -> None:
    """The system calls for files are gone (E_NO_CALL); the library reads by messages."""
    machine = boot_filed("old_calls")
    gone = "is to be gone from the kernel, returned"
    played(
        machine,
        create=(E_NO_CALL, f"the system call create_file (10), which {gone}"),
        read=(E_NO_CALL, f"the system call read_file (11), which {gone}"),
        list=(E_NO_CALL, f"the system call list_files (12), which {gone}"),
        delete=(E_NO_CALL, f"the system call delete_file (13), which {gone}"),
        by_library=(BIG, "the library's read_file of the file `poem`, of 20,000 bytes, brought", right_bytes),
    )
    holds(files_on(machine), "poem", content(text, BIG))


@graded(
    stage=4,
    points=2,
    handout="file-server",
    usually="an error of the server does not come back as the function's result",
)
def test_file_errors_are_what_they_were(boot_filed: Start, build: Build) -> None:
    """A missing file, a second one of the same name, a bad name, a buffer in the kernel, a full disk: the same errors,
    and no harm done.
    """
    machine = boot_filed("errors", files={"filler": bytes(512 * room_for_filler(build, leave=30))})
    bad = (KernelError.E_FAULT, fault_status(14))
    played(
        machine,
        run_to_reply,
        kernels_read=(bad, "a program that had read_file write into the kernel's memory ended with"),
        kernels_data=(bad, "a program that had create_file take data from the kernel's memory ended with"),
        kernels_list=(bad, "a program that had list_files write into the kernel's memory ended with"),
        read_missing=(KernelError.E_NOT_FOUND, "read_file of a file that is not there returned"),
        delete_missing=(KernelError.E_NOT_FOUND, "delete_file of a file that is not there returned"),
        create_twice=(KernelError.E_EXISTS, "create_file by the name of a file that is there returned"),
        long_name=(KernelError.E_NAME, "create_file by too long a name returned"),
        empty_name=(KernelError.E_NAME, "create_file by an empty name returned"),
        too_large=(KernelError.E_FULL, "create_file of 20,000 bytes, for which the disk has no room, returned"),
        poem=(
            BIG,
            "after all these errors a read_file of the file `poem`, of 20,000 bytes, brought",
            right_bytes,
        ),
        fits=(0, "create_file of 100 bytes, for which the full disk has room, returned"),
    )
    files = files_on(machine)
    small = len(files.get("small", b""))
    assert small == 100, f"a file of 100 bytes was created on a disk with little room: on the disk it has {small}"
    assert "large" not in files, "a file that found no room, `large`, is on the disk all the same"
    assert "stolen" not in files, "a file whose data were the kernel's memory, `stolen`, is on the disk"


def room_for_filler(build: Build, leave: int) -> int:
    """How many sectors of data a file may have that leaves so many free, beside the tree's programs, poem and old."""
    lengths = [len(program(elf)) for elf in build.programs.values()] + [BIG, 600]
    used = 1 + sum(1 + sectors_for(length) for length in lengths)
    return FILESYSTEM_SECTORS - used - 1 - leave


@graded(
    stage=4,
    points=3,
    handout="file-server",
    usually="the I/O bitmap is set once for all, or the server runs with an IOPL of 3",
)
def test_only_the_file_server_is_granted_the_disks_ports(boot_filed: Start) -> None:
    """When the file server is at a port of the disk, the I/O bitmap of the TSS grants these ports and no others;
    to the next process, none.
    """
    machine = boot_filed("ports")
    run_to_reply(machine)
    run_to_disk_port(machine)
    registers = machine.registers()
    must(registers.cpl, 3, "the file server was at a port of the disk in ring")
    must(registers.iopl, range(3), "the file server was at a port of the disk with an IOPL of")
    state = machine.tss()
    refused = [f"{port:#x}" for port in DISK_PORTS if not state.port_allowed(port)]
    assert not refused, (
        f"while the file server runs, the I/O bitmap does not grant the disk's ports {', '.join(refused)}"
    )
    others = [f"{port:#x}" for port in state.allowed_ports() if port not in (*DISK_PORTS, 0x3F7)]
    assert not others, (
        f"while the file server runs, the I/O bitmap grants {len(others)} beside the disk's, {others[0]} the first"
    )
    played(machine, poem=(BIG, "a read_file of the file `poem`, of 20,000 bytes, brought", right_bytes))
    left = [f"{port:#x}" for port in DISK_PORTS if machine.tss().port_allowed(port)]
    assert not left, f"while another process runs, the I/O bitmap still grants the disk's ports {', '.join(left)}"


@graded(
    stage=4,
    points=2,
    handout="file-server",
    usually="the bitmap stays as it was for the server when another process runs",
)
def test_a_process_that_touches_the_disks_ports_is_ended(boot_filed: Start) -> None:
    """IN from a port of the disk is a general protection fault for any other process, also right after it was
    served.
    """
    served, told = "just served by the file server", "the status that its parent was told was"
    fault = fault_status(13)
    played(
        boot_filed("ports"),
        run_to_reply,
        poem=(BIG, "a read_file of the file `poem`, of 20,000 bytes, brought", right_bytes),
        status=(fault, f"an ordinary process read the disk's port 0x1f7; {told}"),
        after_service=(fault, f"an ordinary process, {served}, read the disk's port 0x1f7; {told}"),
        control=(fault, f"an ordinary process, {served}, read the disk's port 0x3f6; {told}"),
        poem_again=(BIG, "after others had touched the disk's ports, a read_file of `poem` brought", right_bytes),
    )


@graded(stage=4, points=1, handout="file-server", usually="the server keeps one client's place in a file for all")
def test_two_clients_read_at_once(boot_filed: Start) -> None:
    """Two processes that read at the same time each get the whole file."""
    both = "two processes read `poem`, of 20,000 bytes, twice at the same time, which brought"
    played(
        boot_filed("clients"),
        run_to_reply,
        first=(2 * BIG, f"{both} the first one", right_bytes),
        second=(2 * BIG, f"{both} the second one", right_bytes),
        service=(ENDPOINTS, "ipc_service(3), which asks for the file server's endpoint, returned"),
    )


@graded(
    stage=4,
    points=2,
    handout="survival",
    usually="the client of a dead server waits for ever, or nobody starts the server anew",
)
def test_the_file_server_may_die_in_the_middle_of_a_read(boot_filed: Start) -> None:
    """Its client gets E_DEAD, and within 100 ticks a new server has the same files."""

    def end_server_in_a_read(machine: Machine) -> None:
        machine.run_to("request_starts", program="files", awaited="the start of the read in which the file server dies")
        run_to_reply(machine)
        kill_server_here(machine)

    report = played(
        boot_filed("read_through"),
        end_server_in_a_read,
        during=(E_DEAD, "a read_file, in which the test had the file server fault, returned"),
        afterwards=(
            BIG,
            "after the file server's death, a read_file of `poem`, tried for 120 ticks, brought",
            right_bytes,
        ),
        waited=(at_most(100), "after the file server's death, read_file worked again when the ticks gone by were"),
        new=(ENDPOINTS, "ipc_service(3), after the file server had died and come back, returned"),
    )
    old, new = report["old"], report["new"]
    assert new != old, f"the file server died and was started anew, but its endpoint is {old} as before"


@graded(
    stage=4,
    points=2,
    handout="survival",
    usually="metadata is written before the data it speaks of, or the new server trusts the old one's memory",
)
def test_the_file_server_may_die_in_the_middle_of_a_write(boot_filed: Start, text: int) -> None:
    """Files that were there are whole, the new one can be created after all, and the disk is sound."""

    def end_server_in_a_write(machine: Machine) -> None:
        machine.run_to(
            "request_starts", program="files", awaited="the start of the write in which the file server dies"
        )
        run_to_disk_port(machine, skip=12)
        kill_server_here(machine)

    machine = boot_filed("write_through")
    played(
        machine,
        end_server_in_a_write,
        during=(E_DEAD, "a create_file, in which the test was to have the file server fault at a disk port, returned"),
        poem=(BIG, "after the file server's death, a read_file of `poem`, tried for 120 ticks, brought", right_bytes),
        create=(0, "the file server died in a create_file; the same again, once there was a new server, returned"),
        new=(BLOCK, "a read_file of the file in whose writing the file server had died at first brought", right_bytes),
    )
    files = files_on(machine)
    holds(files, "poem", content(text, BIG))
    holds(files, "new", content(text, BLOCK))
    holds(files, "old", b"old" * 200)


@graded(stage=4, points=1, handout="survival", usually="the library keeps the endpoint of the first server for ever")
def test_a_killed_file_server_is_started_anew_each_time(boot_filed: Start) -> None:
    """Killed three times, the file server is back within 100 ticks each time, with another endpoint, and the
    library finds it.
    """
    thrice = "the file server was killed three times"
    played(
        boot_filed("killed", a=3, guest_seconds=6),
        run_to_reply,
        reads=(3, f"{thrice}; of the reads afterwards, tried for up to 120 ticks, those that got the whole file were"),
        kills=(3, "of three kills of the file server, those that returned 0 (success) were"),
        longest=(at_most(100), f"{thrice}; ticks until read_file worked again were, the longest time,"),
        new_endpoints=(3, f"{thrice}; how often ipc_service(3) named another endpoint than before was"),
    )


@graded(stage=4, points=2, handout="survival", usually="a fault in a server is taken for a fault of the kernel")
def test_a_servers_crimes_end_the_server_alone(boot: Boots) -> None:
    """Privileged instructions, a write to the kernel, a jump to 0: each ends the server that did it, its client is
    told, the rest goes on.
    """
    crimes = Every(CRIMES, first=1)
    criminal = "a server commits eight crimes, and is started anew after each"
    played(
        boot("files", role="crimes", programs={"file_server": "villain"}, guest_seconds=12),
        alive_before=(
            crimes,
            f"{criminal}: it was there and served before",
            {None: f"{criminal}: after one its client waits on"},
        ),
        dead_after=(crimes, f"{criminal}: its client was told E_DEAD after"),
        alive_at_last=(0, "a server was started anew after its last crime; a call to it then returned"),
        sent=(0, "a send to a process that had lived beside a criminal server returned"),
        bystander=(WORDS + 1024, "of the 1,038 words of a process beside a criminal server, unharmed were"),
    )


@graded(stage=4, points=1, handout="survival", usually="only the file server is watched")
def test_a_dead_scheduler_is_started_anew(boot: Boots) -> None:
    """A scheduler server that was killed is back within 100 ticks, and decides again, in ring 3."""

    def see_the_new_one(machine: Machine) -> None:
        machine.run_to("scheduler_is_back", program="scheduling", awaited="a new scheduler server, after a kill,")
        awaited = "scheduler, in the new scheduler server,"
        machine.run_to("scheduler", program="scheduler_server", awaited=awaited)
        must(machine.registers().cpl, 3, "scheduler, in the new scheduler server, ran in ring")

    rounds = "after the scheduler server was killed and came back, rounds of its loop that a process did were, for the"
    same = "the scheduler server was killed, and for 120 ticks ipc_service(2) named the endpoint that it had before"
    played(
        boot("scheduling", role="restarted", guest_seconds=4),
        see_the_new_one,
        killed=(0, "kill of the scheduler server returned"),
        new=(ENDPOINTS, "ipc_service(2), asked for up to 120 ticks after the scheduler server was killed, returned"),
        another=(1, "after a kill of the scheduler server ipc_service(2) named another one:", {0: same}),
        after=(at_most(100), "after the scheduler server was killed, there was a new one when the ticks gone by were"),
        first=(at_least(1), f"{rounds} first of two,"),
        second=(at_least(1), f"{rounds} second of two,"),
    )
