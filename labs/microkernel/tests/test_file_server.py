"""Stage 4: files are served from ring 3, the disk's ports are the file server's alone, and servers may die."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest

from grader.builds.build import Build
from grader.builds.filesystem539 import FILESYSTEM_SECTORS, CorruptFilesystem, read_filesystem, sectors_for
from grader.builds.image import filesystem_of
from grader.machine import Machine
from grader.testing.boots import Boots, program
from grader.testing.kernel_error import KernelError, fault_status
from grader.testing.plugin import graded

E_NO_CALL, E_DEAD = KernelError.E_NO_CALL, KernelError.E_DEAD

BIG, BLOCK = 20000, 3000
"""Bytes of the file `poem` that is there at the start, and of the one that a probe creates."""

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
    machine.run_to("ipc_reply", program="file_server")
    assert machine.registers().cpl == 3


def run_to_disk_port(machine: Machine, skip: int = 0) -> None:
    """Run until the file server is about to execute an instruction on a port of the disk, after `skip` others."""
    with contextlib.ExitStack() as stack:
        points = {
            place: stack.enter_context(machine.breakpoint(place)) for place in possible_port_instructions(machine)
        }
        while True:
            place = machine.run().address
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
    assert registers.cpl == 3
    place = machine.walk(registers.eip).physical
    assert place is not None
    code = machine.read_physical(place, 1)
    machine.write_physical(place, b"\xf4")
    machine.step()
    assert machine.registers().cpl == 0
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
        assert name not in machine.symbols
    run_to_reply(machine)
    report = machine.finish()
    assert report["service"] // 64 >= 1
    assert report["poem"] == report["listed"] == BIG
    assert report["part"] == 1000
    assert report["end"] == 10
    assert report["create"] == 0
    assert report["new"] == BLOCK
    assert report["delete"] == 0
    assert report["gone"] == 0xFFFFFFFF
    assert report["empty"] == report["empty_length"] == 0
    files = files_on(machine)
    assert files["poem"] == content(text, BIG)
    assert files["new"] == content(text, BLOCK)
    assert files["empty"] == b""
    assert "old" not in files


@graded(
    stage=4, points=1, handout="file-server", usually="the old system calls were left in the kernel beside the server"
)
def test_the_kernel_no_longer_knows_files(boot_filed: Start, text: int) -> None:
    """The system calls for files are gone (E_NO_CALL); the library reads by messages."""
    machine = boot_filed("old_calls")
    report = machine.finish()
    for call in ("create", "read", "list", "delete"):
        assert report[call] == E_NO_CALL
    assert report["by_library"] == BIG
    assert files_on(machine)["poem"] == content(text, BIG)


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
    run_to_reply(machine)
    report = machine.finish()
    for careless in ("kernels_read", "kernels_data", "kernels_list"):
        assert report[careless] in (KernelError.E_FAULT, fault_status(14))
    assert report["read_missing"] == KernelError.E_NOT_FOUND
    assert report["delete_missing"] == KernelError.E_NOT_FOUND
    assert report["create_twice"] == KernelError.E_EXISTS
    assert report["long_name"] == KernelError.E_NAME
    assert report["empty_name"] == KernelError.E_NAME
    assert report["too_large"] == KernelError.E_FULL
    assert report["poem"] == BIG
    assert report["fits"] == 0
    files = files_on(machine)
    assert len(files["small"]) == 100
    assert "large" not in files
    assert "stolen" not in files


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
    assert registers.cpl == 3
    assert registers.iopl < 3
    state = machine.tss()
    assert all(state.port_allowed(port) for port in DISK_PORTS)
    assert set(state.allowed_ports()) <= {*DISK_PORTS, 0x3F7}
    report = machine.finish()
    assert report["poem"] == BIG
    assert not any(machine.tss().port_allowed(port) for port in DISK_PORTS)


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
    machine = boot_filed("ports")
    run_to_reply(machine)
    report = machine.finish()
    assert report["poem"] == BIG
    for thief in ("status", "after_service", "control"):
        assert report[thief] == fault_status(13)
    assert report["poem_again"] == BIG


@graded(stage=4, points=1, handout="file-server", usually="the server keeps one client's place in a file for all")
def test_two_clients_read_at_once(boot_filed: Start) -> None:
    """Two processes that read at the same time each get the whole file."""
    machine = boot_filed("clients")
    run_to_reply(machine)
    report = machine.finish()
    assert report["first"] == 2 * BIG
    assert report["second"] == 2 * BIG
    assert report["service"] // 64 >= 1


@graded(
    stage=4,
    points=2,
    handout="survival",
    usually="the client of a dead server waits for ever, or nobody starts the server anew",
)
def test_the_file_server_may_die_in_the_middle_of_a_read(boot_filed: Start) -> None:
    """Its client gets E_DEAD, and within 100 ticks a new server has the same files."""
    machine = boot_filed("read_through")
    machine.run_to("request_starts", program="files")
    run_to_reply(machine)
    kill_server_here(machine)
    report = machine.finish()
    assert report["during"] == E_DEAD
    assert report["afterwards"] == BIG
    assert report["waited"] <= 100
    assert report["new"] // 64 >= 1
    assert report["new"] != report["old"]


@graded(
    stage=4,
    points=2,
    handout="survival",
    usually="metadata is written before the data it speaks of, or the new server trusts the old one's memory",
)
def test_the_file_server_may_die_in_the_middle_of_a_write(boot_filed: Start, text: int) -> None:
    """Files that were there are whole, the new one can be created after all, and the disk is sound."""
    machine = boot_filed("write_through")
    machine.run_to("request_starts", program="files")
    run_to_disk_port(machine, skip=12)
    kill_server_here(machine)
    report = machine.finish()
    assert report["during"] == E_DEAD
    assert report["poem"] == BIG
    assert report["create"] == 0
    assert report["new"] == BLOCK
    files = files_on(machine)
    assert files["poem"] == content(text, BIG)
    assert files["new"] == content(text, BLOCK)
    assert files["old"] == b"old" * 200


@graded(stage=4, points=1, handout="survival", usually="the library keeps the endpoint of the first server for ever")
def test_a_killed_file_server_is_started_anew_each_time(boot_filed: Start) -> None:
    """Killed three times, the file server is back within 100 ticks each time, with another endpoint, and the
    library finds it.
    """
    machine = boot_filed("killed", a=3, guest_seconds=6)
    run_to_reply(machine)
    report = machine.finish()
    assert report["right"] == 6
    assert report["longest"] <= 100
    assert report["new_endpoints"] == 3


@graded(stage=4, points=2, handout="survival", usually="a fault in a server is taken for a fault of the kernel")
def test_a_servers_crimes_end_the_server_alone(boot: Boots) -> None:
    """Privileged instructions, a write to the kernel, a jump to 0: each ends the server that did it, its client is
    told, the rest goes on.
    """
    report = boot("files", role="crimes", programs={"file_server": "villain"}, guest_seconds=12).finish()
    assert report["alive_before"] == 0b1_1111_1110
    assert report["dead_after"] == 0b1_1111_1110
    assert report["alive_at_last"] == 0
    assert report["sent"] == 0
    assert report["bystander"] == 14 + 1024


@graded(stage=4, points=1, handout="survival", usually="only the file server is watched")
def test_a_dead_scheduler_is_started_anew(boot: Boots) -> None:
    """A scheduler server that was killed is back within 100 ticks, and decides again, in ring 3."""
    machine = boot("scheduling", role="restarted", guest_seconds=4)
    machine.run_to("scheduler_is_back", program="scheduling")
    machine.run_to("scheduler", program="scheduler_server")
    assert machine.registers().cpl == 3
    report = machine.finish()
    assert report["killed"] == 0
    assert report["new"] // 64 >= 1
    assert report["new"] != report["old"]
    assert report["after"] <= 100
    assert report["first"] > 0
    assert report["second"] > 0
