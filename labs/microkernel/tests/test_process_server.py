"""Stage 2: processes are created, waited for, killed and listed by a server in ring 3. Their clients notice no
difference.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from crew import ENDPOINTS, played

from grader.builds.build import Build
from grader.machine import Machine
from grader.testing.boots import Boots, program
from grader.testing.kernel_error import KILLED_STATUS, KernelError, fault_status
from grader.testing.message import at_least, must
from grader.testing.plugin import graded
from grader.testing.reported import Wanted

E_NO_CALL, E_NO_PROCESS = KernelError.E_NO_CALL, KernelError.E_NO_PROCESS

Start = Callable[..., Machine]


@pytest.fixture
def boot_served(boot: Boots, build: Build) -> Start:
    """Like `boot`, and makes sure that the first process is created by the process server, in ring 3."""

    def start(probe: str, **parameters: Any) -> Machine:
        machine = boot(probe, **parameters)
        assert "process_create" in machine.table("process_server"), (
            "the program process_server has no function process_create (or the compiler has inlined it)"
        )
        awaited = "the first process_create in the program process_server"
        machine.run_to("process_create", program="process_server", awaited=awaited)
        must(machine.registers().cpl, 3, "the first process_create in the program process_server ran in ring")
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
    assert "process_create" not in machine.symbols, "process_create is still in the kernel's image"
    server = machine.registers()
    must(server.iopl, 0, "the process server ran process_create with an IOPL of")
    assert not machine.walk(machine.symbol("kernel_main"), server.cr3).user, (
        "the page of kernel_main may be used from ring 3 in the process server's address space"
    )

    def each_creation(machine: Machine) -> None:
        for _ in range(3):
            awaited = "process_create in the process server, when a process was spawned,"
            machine.run_to("process_create", program="process_server", awaited=awaited)
            must(machine.registers().cpl, 3, "process_create ran, when a process was spawned, in ring")
            must(machine.registers().cr3, server.cr3, "process_create ran, when a process was spawned, with the CR3")

    played(
        machine,
        each_creation,
        right=(3, "of three processes that were created and waited for, those that ended with their own status were"),
        service=(ENDPOINTS, "ipc_service(1), which asks for the process server's endpoint, returned"),
    )


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
    gone = "is to be gone from the kernel, returned"
    played(
        boot_served("processes", role="old_calls"),
        spawn=(E_NO_CALL, f"the system call spawn (3), which {gone}"),
        wait=(E_NO_CALL, f"the system call wait (4), which {gone}"),
        list=(E_NO_CALL, f"the system call list_processes (14), which {gone}"),
        kill=(E_NO_CALL, f"the system call kill (5), which {gone}"),
        by_library=(0, "the library's kill of a child returned"),
        status=(KILLED_STATUS, "after the library's kill, the child's exit status was"),
    )


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
    cut = "an argument of 255 bytes did not arrive whole in the program that was spawned with it"
    accepted = "a spawn with an argument of 256 bytes, which is one too long, returned no error"
    played(
        boot_served("processes", role="arguments", files={"greeting": program(build.programs["hello"])}),
        right=(1, "a program that was spawned with an argument of 255 bytes ended with", {0: cut}),
        too_long=(1, "a spawn with an argument of 256 bytes returned", {0: accepted}),
        from_disk=(0, "a program that lies on the disk alone, once spawned, ended with"),
        missing=(KernelError.E_NOT_FOUND, "a spawn of a program that there is none of returned"),
        no_program=(KernelError.E_FORMAT, "a spawn of an archive's file that is no program returned"),
        long_name=(KernelError.E_NAME, "a spawn of a program by too long a name returned"),
    )


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
    report = played(
        boot_served("processes", role="hundred", memory_mb=6, guest_seconds=8),
        no_spawn="in 6 MB of memory, of a hundred processes one after the other, each with 128 KB, one spawn returned",
        right=(100, "of a hundred processes, one after the other, those that ended with their own status were"),
        twice=(0, "of the ids of a hundred processes, pairs that were the same were"),
        lost_pages=(range(1 << 32), "after a hundred processes, the memory that a program can get was less by pages:"),
    )
    lost = report.signed("lost_pages")
    assert lost < 50, f"after a hundred processes had ended, {lost} pages of memory were still taken"


@graded(
    stage=2,
    points=3,
    handout="process-server",
    usually="the table is written past its end, or a slot is not free again after the death",
    schedules=True,
)
def test_a_full_table_is_an_error(boot_served: Start) -> None:
    """When no process fits any more, spawn says E_FULL; as soon as one has ended, there is room again."""
    report = played(
        boot_served("processes", role="full", guest_seconds=8),
        no_spawn="in a full table one process ended; after that, a spawn returned",
        started=(range(32, 65), "processes could be started, until spawn returned an error, to the number of"),
        then=(KernelError.E_FULL, "a spawn when no process fits any more returned"),
        again=(KernelError.E_FULL, "a second spawn when no process fits any more returned"),
        listed=(range(65), "list_processes, when no process fits any more, returned"),
        killed=(KILLED_STATUS, "a process that was killed when the table was full ended with"),
        new_one=(77, "a process that was spawned when there was room again ended with"),
    )
    listed, started = report["listed"], report["started"]
    assert listed >= started + 2, (
        f"{started} children were started, but list_processes counted {listed} processes in all"
    )


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
    bad = (KernelError.E_FAULT, fault_status(14))
    other = "a wait for any child returned another child than the one that had ended, or an error"
    lost = "a wait was refused, whose status was to go into the kernel's memory, and then the child's status was lost"
    careless = "a wait for one of two children, which ends last, returned something else than its id"
    played(
        machine,
        kernels_status=(bad, "a program that had wait write the status into the kernel's memory ended with", {1: lost}),
        kernels_list=(bad, "a program that had list_processes write into the kernel's memory ended with"),
        no_child=(E_NO_PROCESS, "a wait for any child, by a process that has none, returned"),
        not_a_child=(E_NO_PROCESS, "a wait for a process that is no child of the caller returned"),
        any=(1, "a wait for any child, of which one ends before the other, returned", {0: other}),
        any_status=(0x80000001, "the status that a wait for any child gave was"),
        this_one=(1, "a wait for one certain child returned", {0: careless}),
        status=(machine.nonce, "the status that a wait for one certain child gave was"),
        waited=(at_least(33), "two children end 30 and 33 ticks after their start; waiting for both took ticks:"),
        twice=(E_NO_PROCESS, "a second wait for a child that had been waited for returned"),
        no_status=(
            1,
            "a wait without a place for the status returned",
            {0: "a wait without a place for the status failed"},
        ),
    )


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
    told = "that its parent was told was"
    played(
        boot_served("processes", role="faults"),
        divide_error=(fault_status(0), f"a child divided by zero; the status {told}"),
        invalid_opcode=(fault_status(6), f"a child executed an invalid opcode; the status {told}"),
        privileged=(fault_status(13), f"a child executed CLI; the status {told}"),
        kernel_write=(fault_status(14), f"a child wrote to the kernel's memory; the status {told}"),
        null_write=(fault_status(14), f"a child wrote to address 0; the status {told}"),
        harmless=(42, f"a child did nothing wrong after others did; the status {told}"),
    )


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
    victims = {
        "spinner": "a process that computes",
        "sleeper": "a process that sleeps",
        "listener": "a process that waits for a message",
        "parent": "a process that waits for a child",
    }
    kills: dict[str, Wanted] = {}
    for key, victim in victims.items():
        kills[key] = 0, f"kill of {victim} returned"
        kills[f"{key}_status"] = KILLED_STATUS, f"after a kill of {victim}, wait gave the status"
    played(
        boot_served("processes", role="kills"),
        **kills,
        dead=(E_NO_PROCESS, "kill of a process that has ended returned"),
        unknown=(E_NO_PROCESS, "kill of a process id that nobody ever had returned"),
        living_answers=(0, "a send to a process that nobody killed returned"),
        living=(14, "of the 14 words of a message to a process that nobody killed, it got right"),
    )


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
    played(
        boot_served("processes", role="lists"),
        server=(1, "list_processes showed", {0: "list_processes did not show a process by the name process_server"}),
        child=(1, "list_processes showed", {0: "list_processes did not show the caller's child by its program's name"}),
        its_parent=(1, "list_processes showed", {0: "list_processes showed the caller's child with another parent"}),
        itself=(1, "list_processes showed", {0: "list_processes did not show its caller by its program's name"}),
        at_most=(1, "list_processes, asked for one entry at most, returned"),
        one_less=(1, "after a child was killed and waited for, list_processes showed fewer processes by"),
        forgotten=(
            1,
            "list_processes showed",
            {0: "list_processes still showed a child that was killed and waited for"},
        ),
    )


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
    report = played(
        boot_served("processes", role="garbage", guest_seconds=8),
        after=(at_least(0), "after garbage was sent to the process server, list_processes returned"),
        before=(at_least(2), "before any garbage was sent, list_processes returned"),
        still_creates=(4711, "a child that was spawned after garbage was sent to the process server ended with"),
        letter=(0, "others tried the process server's system calls on a process; a send to that process then returned"),
        bystander=(14, "others tried the process server's system calls on a process; it ended with"),
    )
    must(report["after"], report["before"], "after garbage was sent to the process server, the processes listed were")


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
    played(
        boot_served("processes", role="orphans", guest_seconds=8),
        no_spawn="parents were killed, or ended without waiting for their children; then one more spawn returned",
        killed_parents=(4, "of four parents, killed while they waited for a child, the status was a killed one's for"),
        right=(20, "of 20 parents, 16 of which do not wait for their children, the status was right for"),
        left=(0, "when 20 parents and all their children had ended, processes that were still listed were"),
    )
