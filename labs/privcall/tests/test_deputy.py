"""Stage 4: the kernel may touch all of PrivUser. It must not do so for ring 3."""

from __future__ import annotations

from demands import (
    come_to,
    ended_by_fault,
    expect_ends,
    expect_errors,
    expect_returns,
    finish,
    listed,
)
from privuser import (
    BEGINNING,
    DONE,
    address_of,
    drawn_bytes,
    expect_out_of_reach,
    plant,
    word,
)

from grader.builds.build import Build
from grader.machine import Machine
from grader.machine.report import Report
from grader.testing.boots import Boots
from grader.testing.kernel_error import KILLED_STATUS, KernelError
from grader.testing.message import in_words, must
from grader.testing.plugin import graded

DEPUTY_PLACES = ["secret", "program", "argument", "file", "new", "key", "room"]
RING_3_CALLS = {
    "write": "write",
    "spawn": "spawn",
    "create-file": "create_file",
    "read-file": "read_file",
    "delete-file": "delete_file",
    "parameter": "parameter",
    "read": "read",
    "list-files": "list_files",
    "list-processes": "list_processes",
    "answer": "answer",
    "thread-create": "thread_create",
    "wait": "wait",
}
"""What ring 3 asks of the kernel in the role `ring_3`, by the key of the report."""

DEPUTY_CALLS = [
    *("write", "parameter", "spawn", "wait", "create_file", "read_file", "list_files", "delete_file"),
    "list_processes",
]
"""Bits of what the privcalls of probes/deputy.h return."""


def deputy(boot: Boots, role: str, secret: bytes) -> Machine:
    """The probe in a role, with its secret planted and told where its PrivUser has what."""
    machine = boot("deputy", role=role, guest_seconds=4)
    come_to(machine, "look_here", "deputy", BEGINNING)
    plant(machine, "deputy_secret", "deputy", secret)
    places = [machine.symbol(f"deputy_{place}", "deputy") for place in DEPUTY_PLACES]
    plant(machine, "deputy_places", "deputy", b"".join(map(word, places)))
    return machine


def variables(machine: Machine) -> bytes:
    """The bytes of the probe's PrivUser variables, which no call may change."""
    names = [f"deputy_{place}" for place in DEPUTY_PLACES]
    return b"".join(machine.read_virtual(machine.symbol(name, "deputy"), 8) for name in names)


@graded(
    stage=4,
    points=3,
    handout="the-deputy",
    usually="the kernel's check of pointers allows all below KBASE, whoever asks",
)
def test_the_kernel_reads_and_writes_no_privuser_for_ring_3(boot: Boots, seed: int) -> None:
    """Every system call of ring 3 that names PrivUser, in a buffer, a name, a status or a stack, is an error and does
    nothing; with memory of its own, and for PrivUser itself, the same calls work.
    """
    secret = drawn_bytes(seed, 32)
    machine = deputy(boot, "ring_3", secret)
    expect_out_of_reach(machine)
    before = variables(machine)
    come_to(machine, "look_here", "deputy", "the end of system calls of ring 3 that name PrivUser")
    changed = variables(machine) != before
    report = finish(machine, "the end of system calls of ring 3 that name PrivUser")
    expect_refused(report)
    assert not changed, (
        "system calls of ring 3 that name PrivUser returned errors, but PrivUser's variables have changed"
    )
    assert secret not in machine.serial, (
        "a secret in PrivUser was printed by a system call of ring 3, which returned an error"
    )
    expect_ends(
        report, "a child that was waited for with pointers to PrivUser, and then rightly, ended", {"child": DONE}
    )
    own = {"create": 0, "read-back": 4, "delete": 0, "written": 7}
    words = {"create": "create_file", "read-back": "read_file", "delete": "delete_file", "written": "write"}
    expect_returns(report, "{}, with names and buffers of ring 3's own, returned", own, words)
    alive = report["alive"]
    failed = listed(name for bit, name in enumerate(DEPUTY_CALLS) if alive >> 31 or not alive >> bit & 1)
    assert not failed, f"system calls that ring 2 made with PrivUser's memory, as it may, did not work: {failed}"
    must(report["files"], 1, "of one list_files call with a buffer of ring 3's own, the number that listed files is")
    must(report["parameter-right"], 1, "of one parameter call with buffers of ring 3's own, the number that worked is")


def expect_refused(report: Report) -> None:
    """Every system call of ring 3 that names PrivUser was an error."""
    for key, call in RING_3_CALLS.items():
        for result in report.all(key) or [report[key]]:
            named = f"{call}, from ring 3 with PrivUser's memory in its arguments,"
            if result == KILLED_STATUS:
                raise AssertionError(f"{named} was not refused, but waited for what it was to write there")
            failed = result in set(KernelError) or (key == "thread-create" and ended_by_fault(result))
            must("an error" if failed else in_words(result), "an error", f"{named} returned")


@graded(
    stage=4,
    points=1,
    handout="the-deputy",
    usually="the kernel refuses PrivUser's memory to ring 2 as well, or KBASE's to nobody",
)
def test_the_kernel_serves_privuser_itself(boot: Boots, seed: int) -> None:
    """The same system calls from ring 2 work on PrivUser's memory and on ordinary memory, not on the kernel's."""
    machine = deputy(boot, "ring_2", drawn_bytes(seed, 32))
    report = finish(machine, "the end of system calls that ring 2 makes")
    for key, what in (
        ("own", "from ring 2 with names and buffers in PrivUser, did not do what they must"),
        ("ordinary", "from ring 2 with names in PrivUser and a buffer in ordinary memory, did not do what they must"),
        ("kernels", "from ring 2 with a name or buffer in the kernel's memory, were not refused"),
    ):
        value = report[key]
        failed = listed(name for bit, name in enumerate(DEPUTY_CALLS) if value >> 31 or not value >> bit & 1)
        assert not failed, f"these system calls, {what}: {failed}"
    must(
        machine.serial.count(b"from ring 2"),
        2,
        "of two lines that ring 2 wrote to the console, the number that came there is",
    )
    mapping = ["memory_map of a hole", "memory_map across the end", "memory_unmap of a variable", "memory_unmap of all"]
    taken = listed(name for bit, name in enumerate(mapping) if not report["pages"] >> bit & 1)
    assert not taken, f"these calls about PrivUser's pages were not refused to ring 2: {taken}"


@graded(
    stage=4,
    points=1,
    handout="the-deputy",
    usually="who is in ring 2 is noted for the process, not taken from the frame",
    schedules=True,
)
def test_a_thread_in_ring_2_lends_its_rights_to_nobody(boot: Boots, build: Build, seed: int) -> None:
    """While one thread is in ring 2, system calls of another one, in ring 3, get no PrivUser memory, as ever."""
    secret = drawn_bytes(seed, 32)
    machine = boot("threads", role="beside", a=hex(address_of(build.probes["threads"], "threads_secret")))
    come_to(machine, "main", "threads", BEGINNING)
    plant(machine, "threads_secret", "threads", secret)
    awaited = "the end of one thread's system calls in ring 3 while another is in ring 2"
    come_to(machine, "look_here", "threads", awaited, times=4)
    kept = machine.read_virtual(machine.symbol("threads_secret", "threads"), 32) == secret
    report = finish(machine, awaited)
    beside = "with PrivUser's memory in its arguments, from a thread in ring 3 while another one was in ring 2,"
    calls = {"write": "write", "read-file": "read_file", "list": "list_processes", "parameter": "parameter"}
    expect_errors(report, f"{{}}, {beside} returned", [*calls, "map"], {**calls, "map": "memory_map"})
    assert kept, f"system calls, {beside} returned errors, but the secret there has changed"
    assert secret not in machine.serial, f"system calls, {beside} returned errors, but the secret was printed"
    must(
        report["own-list"],
        1,
        "of one list_processes call with ring 3's own buffer, beside a thread in ring 2, these worked:",
    )
    waiting = "a thread whose privcall waited in ring 2 while another thread made system calls"
    expect_returns(report, f"wait, for {waiting}, gave the status", {"thread": 0})
    must(report["dwelt"], machine.nonce, f"{waiting}, added to the result 0 the number 0x{machine.nonce:x} and got")
    must(report["dwelt-too"], 0, "a privcall of the first thread, which waited in ring 2 for another thread, returned")
    must(
        report["let-go"],
        machine.nonce,
        f"the other thread added to its privcall's result 0 the number 0x{machine.nonce:x} and got",
    )
