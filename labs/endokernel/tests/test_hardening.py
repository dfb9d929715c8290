"""Stage 4: what was checked is what is used, a file is the same file by any name, and what is unknown is denied."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from typing import Any

import pytest

from grader.builds.filesystem539 import CorruptFilesystem, read_filesystem
from grader.builds.image import filesystem_of
from grader.machine import Machine
from grader.testing import seeds
from grader.testing.boots import Boots
from grader.testing.kernel_error import KernelError
from grader.testing.plugin import graded

PRIVUSER_START = 0xA0000000
PART = 100
HARMLESS, HARMFUL = 100, 666
"""What a probe's child exits with (probes/crew.h)."""

FIRST_ERROR = 0xFFFF0000
"""Words from here on are negative errors."""

ALIASES_MAX = 16
"""As kernel/file_name.h has it."""

SWEEP_MOST = 36
"""Places at which a call is disturbed, at most."""

ALIAS_CHECKS = (
    "open_file of an alias of the secret",
    "read_file of it",
    "delete_file of it",
    "open_file of it as /./nickname",
    "open_file of an alias of the alias",
    "create_file in the place of an alias",
    "open_file of an alias of a public file",
    "read_file of that",
    "delete_file of that",
    "delete_file of an alias of a file that may be deleted",
    "handle_name: its length",
    "handle_name: the file's own name",
    "delete_handle of a file that may not be deleted",
    "link_file of the secret",
    "link_file of a public file",
    "open_file of that alias",
    "other bytes than the public file's were read",
)
"""What the role `aliases` of the probe `changer` checks, bit by bit."""

Start = Callable[..., Machine]


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


@pytest.fixture
def secret(seed: int) -> bytes:
    """The file `secret` of this run, which nothing in the machine knows."""
    return b"".join(seeds.number(str(seed), "secret", place).to_bytes(8, "little") for place in range(64))


@pytest.fixture
def boot_changed(boot: Boots, secret: bytes, seed: int) -> Start:
    """Boots a probe with the files of the probe `changer`'s policy on the disk."""

    def start(probe: str, **parameters: Any) -> Machine:
        known = content(seed & 0xFFFFFFFF, 600)
        files = {"secret": secret, "public": known, "ledger": known}
        return boot(probe, files=files, programs={"changer": "changer"}, seed=seed & 0xFFFFFFFF, **parameters)

    return start


def write(machine: Machine, symbol: str, program: str, data: bytes) -> None:
    """Write a variable of the program that runs."""
    place = machine.walk(machine.symbol(symbol, program)).physical
    assert place is not None
    machine.write_physical(place, data)


def accesses(machine: Machine, most: int) -> int:
    """Run a round of `changer` until the name in its memory was touched `most` times; how often that was."""
    name, end = machine.symbol("name", "changer"), machine.symbol("round_ends", "changer")
    with machine.watch(name, 4, reads=True), machine.watch(name + 4, 4, reads=True), machine.breakpoint(end):
        for count in range(most):
            if machine.run().watched is None:
                return count
    return most


def stack_page(machine: Machine) -> int:
    """The page that the stack pointer is in: each thread has PrivUser stacks of its own."""
    return machine.registers().esp >> 12


def kernel_calls_in(machine: Machine) -> list[tuple[int, int]]:
    """Run a round of `changer`: the system calls that its monitor makes for it, in order, each as the place that it is
    made at and the page of the stack.

    They are found by their instruction, `int 0x80` in PrivUser. There must be no second thread yet: each stop takes
    time, so that the next timer interrupt is due, and two that are stopped in turns would never get any further.
    """
    calls = machine.table("changer").matches(re.compile(b"\xcd\x80"))
    end, found = machine.symbol("round_ends", "changer"), [(0, 0)]
    with contextlib.ExitStack() as points:
        for place in [*(place for place, _ in calls if place >= PRIVUSER_START), end]:
            points.enter_context(machine.breakpoint(place))
        while found[-1][0] != end:
            found.append((machine.run().address, stack_page(machine)))
    return found[1:-1]


def run_to_kernel_call(machine: Machine, calls: list[tuple[int, int]], number: int) -> None:
    """Run a round of `changer` to before the kernel call of that number in `calls`, made on the same PrivUser stack."""
    run_to_round(machine)
    place, stack = calls[number]
    left = calls[: number + 1].count(calls[number])
    with machine.breakpoint(place):
        while left:
            machine.run()
            left -= stack_page(machine) == stack


def turn_alias(machine: Machine, alias: bytes, file: bytes) -> None:
    """What link_file does for an alias, in the table of the file layer (kernel/file_name.c).

    An alias that is gone, with a file that was just deleted, stays away.
    """
    table, size = machine.symbol("aliases"), 32
    for entry in range(table, table + ALIASES_MAX * 2 * size, 2 * size):
        if machine.read_virtual(entry, len(alias) + 1) == alias + b"\0":
            machine.write_virtual(entry + size, file.ljust(size, b"\0"))
            return


def run_to_round(machine: Machine) -> None:
    """Run to where the next round begins."""
    machine.run_to("round_begins", program="changer")


@graded(
    stage=4,
    points=4,
    handout="time-of-check",
    usually="the monitor checks the name where it lies, and then passes the same pointer on",
)
def test_a_name_that_changes_while_it_is_checked_deceives_nobody(boot_changed: Start, secret: bytes) -> None:
    """As by a second thread, the name is changed after each access of the monitor or the kernel to it, in each of four
    file calls: no other file than the checked one is opened, read, deleted or created.
    """
    machine = boot_changed("changer", role="names", guest_seconds=6)
    for other in (b"secret", b"secret", b"secret", b"strange"):
        run_to_round(machine)
        count = accesses(machine, SWEEP_MOST)
        assert count > 0, "the name was never read"
        for after in range(1, count + 1):
            run_to_round(machine)
            accesses(machine, after)
            write(machine, "name", "changer", other + b"\0")
        run_to_round(machine)
        write(machine, "enough", "changer", b"\1")
    report = machine.finish()
    for times in ("first", "last"):
        opened, read, deleted, created = report.all(times)
        assert opened < 16
        assert read == PART
        assert deleted == created == 0
    assert report["secret"] == KernelError.E_PERMISSION
    assert report["harm"] == 0, "bytes of another file than the one that was checked were read"
    files = files_on(machine)
    assert files.get("secret") == secret
    assert "strange" not in files


@graded(
    stage=4,
    points=4,
    handout="aliases",
    usually="the name that was asked for is judged, and not the file that it leads to",
)
def test_a_file_is_the_same_file_by_any_name(boot_changed: Start, secret: bytes) -> None:
    """An alias of a secret, and an alias of the alias, is denied to whoever is denied the secret, although a rule has
    its name; an alias of a public file is as good as its own name, for each of the file calls.
    """
    machine = boot_changed("plain", role="linker")
    report = machine.finish()
    assert report["linked"] == 4
    wrong = [check for place, check in enumerate(ALIAS_CHECKS) if not report["changer"] >> place & 1]
    assert report["changer"] < FIRST_ERROR, "the process that tries the aliases did not come to its end"
    assert not wrong, f"these were answered wrongly: {', '.join(wrong)}"
    files = files_on(machine)
    assert files.get("secret") == secret
    assert "public" in files
    assert "ledger" not in files


@graded(
    stage=4,
    points=4,
    handout="time-of-check",
    usually="a file is judged by its name, and then found once more by its name",
)
def test_a_name_that_is_turned_to_another_file_deceives_nobody(boot_changed: Start, secret: bytes) -> None:
    """As by another process, an alias is turned from a public file to the secret before any one of the kernel calls
    that the monitor makes: the file that is opened, read or deleted is the one that was judged.
    """
    machine = boot_changed("plain", role="turner", guest_seconds=6)
    for first in (b"public", b"public", b"diary"):
        run_to_round(machine)
        calls = kernel_calls_in(machine)
        assert calls, "the monitor asked nothing of the kernel"
        for number in range(min(len(calls), 22)):
            run_to_kernel_call(machine, calls, number)
            turn_alias(machine, b"nickname", b"secret")
            machine.run_to("round_ends", program="changer")
            turn_alias(machine, b"nickname", first)
        run_to_round(machine)
        write(machine, "enough", "changer", b"\1")
    report = machine.finish()
    assert report["linked"] == 1
    assert report["changer"] != HARMFUL, "a file was opened or read that is not the one that was judged"
    assert report["changer"] == 6, "the public file could not be opened, read or deleted by its alias"
    assert files_on(machine).get("secret") == secret, "the secret was deleted in the place of the file that was judged"


@graded(
    stage=4,
    points=3,
    handout="aliases",
    usually="a file is opened to be judged, and any thread may use the handle until it is closed again",
)
def test_a_handle_that_is_still_being_judged_is_nobodys(boot_changed: Start) -> None:
    """While the monitor makes up its mind about a file, a second thread comes at each of the monitor's kernel calls,
    tries the handle that it must have opened, and reads nothing; nor does a third one change the decision.
    """
    machine = boot_changed("plain", role="linker", a=40, b=1, guest_seconds=6)
    run_to_round(machine)
    calls = kernel_calls_in(machine)
    assert calls, "the monitor asked nothing of the kernel"
    for number in range(min(len(calls), 18)):
        for injected in (
            False,
            True,
        ):  # a stop takes time, and is often a timer interrupt by itself; two undo each other
            run_to_kernel_call(machine, calls, number)
            if injected:
                machine.inject_irq(0)
    report = machine.finish()
    assert report["linked"] == 4
    assert report["changer"] == HARMLESS, "the secret was opened, or read by a handle of a denied call"
