"""What this lab's tests share: where things are, what the probes' exit statuses mean, files on the disk, and the words
for calls that must be refused.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence

from grader.builds.filesystem539 import CorruptFilesystem, read_filesystem
from grader.builds.image import filesystem_of
from grader.machine import Machine
from grader.machine.diagnosis import an_exception
from grader.machine.faults import MachineStopped, ProbeEnded
from grader.testing.kernel_error import KILLED_STATUS, KernelError, faults_vector
from grader.testing.message import in_words
from grader.testing.reported import so_far

KBASE = 0xC0000000
PRIVUSER_START, PRIVUSER_END, PRIVUSER_CODE = 0xA0000000, 0xA0400000, 0x0E
"""As kernel/privuser.h has them."""

DOMAIN_START, DOMAIN_SIZE = 0x80000000, 0x400000
"""As kernel/endokernel.h has them."""

HARMLESS, HARMFUL = 100, 666
"""What a probe's child exits with when an attack did nothing, and when it went through (probes/crew.h)."""

FIRST_ERROR = 0xFFFF0000
"""Words from here on are negative errors."""

PART = 100
"""Bytes of a file that probes read at a time."""

E_PERMISSION, E_NO_CALL, E_FULL = KernelError.E_PERMISSION, KernelError.E_NO_CALL, KernelError.E_FULL

SYSTEM_CALLS = [
    *("exit", "write", "read", "spawn", "wait", "kill", "yield", "sleep", "getpid", "ticks", "create_file"),
    *("read_file", "delete_file", "list_files", "list_processes", "memory_map", "memory_unmap", "parameter"),
    "shutdown",
]
LAB_CALLS = {32: "thread_create", 33: "ask", 34: "answer"}
HANDLE_CALLS = [
    *("open_file", "read_handle", "close_handle", "duplicate_handle", "handle_name", "delete_handle", "link_file")
]

GAVE_UP = {
    "no_spawn": "spawn, of a program that may be started, returned",
    "no_wait": "wait, for a child that there is, returned",
    "no_memory": "memory_map, of free pages of ordinary memory, was refused; the probe reports",
    "no_thread": "thread_create, with a stack in ordinary memory, returned",
}
"""What a probe reports when it cannot go on, for `must_report`."""

FORBIDDEN = "getpid, which the policy forbids,"
"""Of the probes `interposed` and `borders`."""

Start = Callable[..., Machine]
EntryOf = Callable[[Machine, str], int]


def system_call_name(number: int) -> str:
    """A system call by its number: `yield (6)`."""
    names = {**dict(enumerate(SYSTEM_CALLS)), **LAB_CALLS, **dict(enumerate(HANDLE_CALLS, 40))}
    return f"system call {names[number]} ({number})" if number in names else f"system call {number_in_words(number)}"


def denied(call: str) -> tuple[KernelError, str]:
    """For `must_report`: this call returns E_PERMISSION."""
    return E_PERMISSION, f"{call} returned"


def refused(attempts: Sequence[str]) -> tuple[int, str, dict[int | None, str]]:
    """For `must_report`, as `taken`: of these attempts, in the probe's order, each was refused."""
    first: dict[int | None, str] = {number: f"{attempt} was not refused" for number, attempt in enumerate(attempts)}
    first[None] = "the calls that must be refused did not all come back"
    return len(attempts), "of calls that must be refused, the number of the first one that was not is", first


def ended(status: int) -> str:
    """How a process with this exit status ended."""
    vector = faults_vector(status)
    if vector is not None:
        return f"by {an_exception(vector)}"
    return "by a kill" if status == KILLED_STATUS else f"by itself (with status {in_words(status)})"


@contextlib.contextmanager
def told_of_the_last(machine: Machine, what: str) -> Iterator[None]:
    """Say of a machine that stopped what the probe was trying: it reports that as `trying`, for `what` to name."""
    try:
        yield
    except MachineStopped as stopped:
        said = so_far(machine)
        if "trying" not in said:
            raise
        tried = said["trying"]
        headline = f"{str(stopped)[:1].lower()}{str(stopped)[1:]}"
        raise AssertionError(f"{what.format(number_in_words(tried))}: {headline}") from stopped


def number_in_words(number: int) -> str:
    """A number of a call, domain or entry: decimal as in the handout, large ones in hexadecimal."""
    return str(number) if number < 256 else f"{number:#x}"


def content(start: int, length: int) -> bytes:
    """What the probes take for a right file in a run with this seed."""
    words = range(-(-length // 4))
    return b"".join((start + place * 0x9E3779B1 & 0xFFFFFFFF).to_bytes(4, "little") for place in words)[:length]


def files_on(machine: Machine) -> dict[str, bytes]:
    """The files on the machine's disk, read from outside. A disk that is damaged fails the test."""
    try:
        return read_filesystem(filesystem_of(machine.disk()))
    except CorruptFilesystem as error:
        raise AssertionError(f"the disk's filesystem is damaged: {error}") from error


def expect_file(machine: Machine, name: str, right: bytes | None, whatever: str) -> None:
    """The disk has this file with these bytes, or, for None, has it not. `whatever`: what was asked of the kernel."""
    found = files_on(machine).get(name)
    if right is None:
        assert found is None, f"the file {name} is on the disk, although {whatever}"
    else:
        assert found is not None, f"the file {name} is no longer on the disk, although {whatever}"
        assert found == right, f"the file {name} on the disk has other bytes, although {whatever}"


def place_of(machine: Machine, symbol: str, program: str) -> int:
    """The physical address of a variable of the program that runs."""
    walk = machine.walk(machine.symbol(symbol, program))
    assert walk.physical is not None, f"a page of the program {program} is not there while it runs: {walk}"
    return walk.physical


def come_to(machine: Machine, where: str | int, program: str, awaited: str) -> None:
    """Run to a place of a program's, which is what `awaited` says."""
    machine.run_to(where, program=program, awaited=awaited)


def arrive(machine: Machine, where: int, program: str | None, awaited: str) -> None:
    """The same, where nothing that the probe reports would tell why it ends before."""
    try:
        machine.run_to(where, program=program, awaited=awaited)
    except ProbeEnded as early:
        said = f"{awaited} never came: the test's program went on to its end without it"
        raise AssertionError(f"{said}\n{early}") from early
