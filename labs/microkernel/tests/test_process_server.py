"""Stage 2: processes are created, waited for, killed and listed by a server in ring 3. Their clients notice no
difference.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from grader.builds.build import Build
from grader.machine import Machine
from grader.testing.boots import Boots, program
from grader.testing.kernel_error import KILLED_STATUS, KernelError, fault_status
from grader.testing.plugin import graded

E_NO_CALL, E_NO_PROCESS = KernelError.E_NO_CALL, KernelError.E_NO_PROCESS

Start = Callable[..., Machine]


@pytest.fixture
def boot_served(boot: Boots, build: Build) -> Start:
    """Like `boot`, and makes sure that the first process is created by the process server, in ring 3."""

    def start(probe: str, **parameters: Any) -> Machine:
        machine = boot(probe, **parameters)
        assert "process_create" in machine.table("process_server")
        machine.run_to("process_create", program="process_server")
        assert machine.registers().cpl == 3
        return machine

    return start


@graded(
    stage=2,
    points=4,
    handout="process-server",
    usually="process_create is still the kernel's, or the server only passes requests on",
    schedules=True,
)
def test_processes_are_created_in_ring_3(boot_served: Start) -> None:
    """process_create has left the kernel, and each creation runs it at CPL 3 in the process server, which is no
    more than a program.
    """
    machine = boot_served("processes", role="create", a=3)
    assert "process_create" not in machine.symbols
    server = machine.registers()
    assert server.iopl == 0
    assert not machine.walk(machine.symbol("kernel_main"), server.cr3).user
    for _ in range(3):
        machine.run_to("process_create", program="process_server")
        assert machine.registers().cpl == 3
        assert machine.registers().cr3 == server.cr3
    report = machine.finish()
    assert report["right"] == 3
    assert report["service"] // 64 >= 1


@graded(
    stage=2,
    points=2,
    handout="process-server",
    usually="the old system calls were left in the kernel beside the server",
    schedules=True,
)
def test_the_kernel_no_longer_manages_processes(boot_served: Start) -> None:
    """The system calls spawn, wait, kill and list_processes are gone (E_NO_CALL); the library's functions work by
    messages.
    """
    report = boot_served("processes", role="old_calls").finish()
    for call in ("spawn", "wait", "list", "kill"):
        assert report[call] == E_NO_CALL
    assert report["by_library"] == 0
    assert report["status"] == KILLED_STATUS


@graded(
    stage=2,
    points=2,
    handout="process-server",
    usually="a long argument is cut, or an error of the server does not come back",
)
def test_spawn_takes_the_same_arguments_and_gives_the_same_errors(boot_served: Start, build: Build) -> None:
    """An argument of 255 bytes arrives whole, and a program may lie on the disk; too long an argument, a missing
    program, a file that is no program are the errors they were.
    """
    report = boot_served("processes", role="arguments", files={"greeting": program(build.programs["hello"])}).finish()
    assert report["right"] == 1
    assert report["too_long"] == 1
    assert report["from_disk"] == 0
    assert report["missing"] == KernelError.E_NOT_FOUND
    assert report["no_program"] == KernelError.E_FORMAT
    assert report["long_name"] == KernelError.E_NAME


@graded(
    stage=2,
    points=3,
    handout="process-server",
    usually="the memory of a process that ended is not given back, or a pid is a slot",
    schedules=True,
)
def test_a_hundred_processes_have_a_hundred_ids(boot_served: Start) -> None:
    """A hundred processes, one after the other, each with an id of its own, and the memory of each is used again: all
    of it, the kernel's part too.
    """
    report = boot_served("processes", role="hundred", memory_mb=6, guest_seconds=8).finish()
    assert report["right"] == 100
    assert report["twice"] == 0
    assert signed(report["lost_pages"]) < 50


def signed(word: int) -> int:
    """A word of a report, taken for a signed number."""
    return word - (word >> 31 << 32)


@graded(
    stage=2,
    points=3,
    handout="process-server",
    usually="the table is written past its end, or a slot is not free again after the death",
    schedules=True,
)
def test_a_full_table_is_an_error(boot_served: Start) -> None:
    """When no process fits any more, spawn says E_FULL; as soon as one has ended, there is room again."""
    report = boot_served("processes", role="full", guest_seconds=8).finish()
    assert 32 <= report["started"] <= 64
    assert report["then"] == KernelError.E_FULL
    assert report["again"] == KernelError.E_FULL
    assert report["listed"] >= report["started"] + 2
    assert report["killed"] == KILLED_STATUS
    assert report["new_one"] == 77


@graded(
    stage=2,
    points=2,
    handout="process-server",
    usually="the server answers wait at once, or blocks itself instead of its client",
    schedules=True,
)
def test_wait_works_as_before(boot_served: Start) -> None:
    """Wait returns a child's status when it has ended, for one child or any, once; for others, and for a status in
    memory that is not the caller's, it is an error.
    """
    machine = boot_served("processes", role="waits")
    report = machine.finish()
    for careless in ("kernels_status", "kernels_list"):
        assert report[careless] in (KernelError.E_FAULT, fault_status(14))
    assert report["no_child"] == E_NO_PROCESS
    assert report["not_a_child"] == E_NO_PROCESS
    assert report["any"] == 1
    assert report["any_status"] == 0x80000001
    assert report["this_one"] == 1
    assert report["status"] == machine.nonce
    assert report["waited"] >= 33
    assert report["twice"] == E_NO_PROCESS
    assert report["no_status"] == 1


@graded(
    stage=2,
    points=2,
    handout="process-server",
    usually="the kernel ends a faulting process without telling the server",
    schedules=True,
)
def test_a_fault_ends_its_process_and_its_parent_is_told(boot_served: Start) -> None:
    """A process that divides by zero, or touches what is not its own, ends with the exception's status, and nobody
    else does.
    """
    report = boot_served("processes", role="faults").finish()
    assert report["divide_error"] == fault_status(0)
    assert report["invalid_opcode"] == fault_status(6)
    assert report["privileged"] == fault_status(13)
    assert report["kernel_write"] == fault_status(14)
    assert report["null_write"] == fault_status(14)
    assert report["harmless"] == 42


@graded(
    stage=2,
    points=2,
    handout="process-server",
    usually="a process that waits for somebody cannot be killed",
    schedules=True,
)
def test_kill_ends_a_process_whatever_it_does(boot_served: Start) -> None:
    """A process that computes, sleeps, waits for a message or for a child is killed; one that is not there is an
    error.
    """
    report = boot_served("processes", role="kills").finish()
    for victim in ("spinner", "sleeper", "listener", "parent"):
        assert report[victim] == 0
        assert report[f"{victim}_status"] == KILLED_STATUS
    assert report["dead"] == E_NO_PROCESS
    assert report["unknown"] == E_NO_PROCESS
    assert report["living_answers"] == 0
    assert report["living"] == 14


@graded(
    stage=2,
    points=1,
    handout="process-server",
    usually="the server does not list itself, or keeps the dead",
    schedules=True,
)
def test_the_list_shows_the_living_by_name(boot_served: Start) -> None:
    """list_processes names the server, the caller and its child, with the child's parent, and forgets the child
    when it is gone.
    """
    report = boot_served("processes", role="lists").finish()
    for listed in ("server", "child", "its_parent", "itself", "at_most", "one_less", "forgotten"):
        assert report[listed] == 1


@graded(
    stage=2,
    points=2,
    handout="process-server",
    usually="the server trusts what a message says, or waits for a client that does not wait; or the kernel does for "
    "everybody what it should do for the server",
    schedules=True,
)
def test_garbage_does_not_harm_the_process_server(boot_served: Start) -> None:
    """Requests of unknown types, with forged ids, or from clients that want no answer, and the server's own system
    calls in the hands of others, change nothing and stop nobody's service.
    """
    report = boot_served("processes", role="garbage", guest_seconds=8).finish()
    assert report["before"] >= 2
    assert report["after"] == report["before"]
    assert report["still_creates"] == 4711
    assert report["letter"] == 0
    assert report["bystander"] == 14


@graded(
    stage=2,
    points=2,
    handout="process-server",
    usually="the server stumbles over a client that is gone, or never forgets an orphan",
)
def test_parents_that_die_are_no_burden(boot_served: Start) -> None:
    """A parent killed while it waits, and 16 parents that do not wait for their four children, leave no process
    behind.
    """
    report = boot_served("processes", role="orphans", guest_seconds=8).finish()
    assert report["killed_parents"] == 4
    assert report["right"] == 20
    assert report["left"] == 0
