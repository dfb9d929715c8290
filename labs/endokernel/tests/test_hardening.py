"""Stage 4: what was checked is what is used, a file is the same file by any name, and what is unknown is denied."""

from __future__ import annotations

import contextlib
import re
from typing import Any

import pytest
from mediated import (
    E_PERMISSION,
    FIRST_ERROR,
    GAVE_UP,
    HARMFUL,
    HARMLESS,
    PART,
    PRIVUSER_START,
    Start,
    content,
    ended,
    expect_file,
    files_on,
    place_of,
)

from grader.machine import Machine
from grader.testing.boots import Boots
from grader.testing.message import must
from grader.testing.plugin import graded
from grader.testing.reported import must_report

NOT_DENIED = 200
"""What probes/changer.c exits with when a file was opened that must not be."""

ALIASES_MAX = 16
"""As kernel/file_name.h has it."""

SWEEP_MOST = 36
"""Places at which a call is disturbed, at most."""

ALIAS_CHECKS = [
    "open_file of an alias of the secret was not denied",
    "read_file of an alias of the secret was not denied",
    "delete_file of an alias of the secret was not denied",
    "open_file of an alias of the secret, as /./nickname, was not denied",
    "open_file of an alias of an alias of the secret was not denied",
    "create_file in the place of an alias was not refused",
    "open_file and read_handle of an alias of a public file did not bring its bytes",
    "read_file of an alias of a public file did not bring its bytes",
    "delete_file of an alias of a public file, which may only be read, was not denied",
    "delete_file of an alias of a file that may be deleted did not return 0",
    "handle_name of a file that was opened by its alias did not return the length of its own name",
    "handle_name of a file that was opened by its alias did not give its own name",
    "delete_handle of a file that was opened by its alias, and may only be read, was not denied",
    "link_file of the secret, which may not be read, was not denied",
    "link_file of a public file did not return 0",
    "open_file and read_handle of a new alias of a public file did not bring its bytes",
    "a call with an alias brought other bytes than the public file's",
]
"""What the role `aliases` of the probe `changer` checks, bit by bit."""


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
    machine.write_physical(place_of(machine, symbol, program), data)


def accesses(machine: Machine, most: int) -> int:
    """Run a round of `changer` until the name in its memory was touched `most` times; how often that was."""
    name, end = machine.symbol("name", "changer"), machine.symbol("round_ends", "changer")
    with machine.watch(name, 4, reads=True), machine.watch(name + 4, 4, reads=True), machine.breakpoint(end):
        for count in range(most):
            if machine.run("the next look of the monitor or the kernel at a file's name").watched is None:
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
            found.append((machine.run("the next kernel call of the monitor").address, stack_page(machine)))
    return found[1:-1]


def run_to_kernel_call(machine: Machine, calls: list[tuple[int, int]], number: int) -> None:
    """Run a round of `changer` to before the kernel call of that number in `calls`, made on the same PrivUser stack."""
    run_to_round(machine)
    place, stack = calls[number]
    left = calls[: number + 1].count(calls[number])
    with machine.breakpoint(place):
        while left:
            machine.run("a kernel call that the monitor makes in each such file call")
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
    machine.run_to("round_begins", program="changer", awaited="the next file call of the program")


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

    def change_the_name(machine: Machine) -> None:
        for other in (b"secret", b"secret", b"secret", b"strange"):
            run_to_round(machine)
            count = accesses(machine, SWEEP_MOST)
            assert count > 0, "a file call came back, and neither monitor nor kernel has read the file's name"
            for after in range(1, count + 1):
                run_to_round(machine)
                accesses(machine, after)
                write(machine, "name", "changer", other + b"\0")
            run_to_round(machine)
            write(machine, "enough", "changer", b"\1")

    wanted: dict[str, tuple[object, str]] = {}
    for times, when in (("first", "before"), ("last", "after")):
        others = f"{when} others whose name was changed meanwhile,"
        wanted |= {
            f"{times}0": (range(16), f"open_file of a file that may be read, {others} returned"),
            f"{times}1": (PART, f"read_file of a file that may be read, {others} returned"),
            f"{times}2": (0, f"delete_file of a file that may be deleted, {others} returned"),
            f"{times}3": (0, f"create_file of a file that may be created, {others} returned"),
        }
    changed = "the name was changed to the secret's while file calls of a public file were judged"
    report = must_report(
        machine, change_the_name, harm=(0, f"{changed}; the calls that read other bytes are"), **GAVE_UP
    )
    expect_file(
        machine, "secret", secret, "delete_file of another file, whose name was changed to its, is all that was asked"
    )
    expect_file(machine, "strange", None, "it may not be created: a name was changed to its while it was judged")
    for key, (value, clause) in wanted.items():
        must(report[key], value, clause)
    must(report["secret"], E_PERMISSION, "after that open_file of the secret returned")


@graded(
    stage=4,
    points=4,
    handout="aliases",
    usually="the name that was asked for is judged, and not the file that it leads to",
)
def test_a_file_is_the_same_file_by_any_name(boot_changed: Start, secret: bytes, seed: int) -> None:
    """An alias of a secret, and an alias of the alias, is denied to whoever is denied the secret, although a rule has
    its name; an alias of a public file is as good as its own name, for each of the file calls.
    """
    machine = boot_changed("plain", role="linker")
    report = must_report(
        machine,
        linked=(4, "of four link_file calls by a process without a PrivUser, those that returned 0 are"),
        **GAVE_UP,
    )
    answers = report["changer"]
    assert answers < FIRST_ERROR, f"a process that makes file calls with aliases ended {ended(answers)}"
    wrong = [check for bit, check in enumerate(ALIAS_CHECKS) if not answers >> bit & 1]
    more = f" (and {len(wrong) - 1} other calls were answered wrongly)" if len(wrong) > 1 else ""
    assert not wrong, f"{wrong[0]}{more}"
    expect_file(machine, "secret", secret, "delete_file of its alias was denied")
    expect_file(machine, "public", content(seed & 0xFFFFFFFF, 600), "delete_file of its alias was denied")
    expect_file(machine, "ledger", None, "delete_file of its alias returned 0")


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

    def turn_before_each_call(machine: Machine) -> None:
        for first in (b"public", b"public", b"diary"):
            run_to_round(machine)
            calls = kernel_calls_in(machine)
            assert calls, "a file call came back, and the monitor has asked nothing of the kernel"
            for number in range(min(len(calls), 22)):
                run_to_kernel_call(machine, calls, number)
                turn_alias(machine, b"nickname", b"secret")
                machine.run_to("round_ends", program="changer", awaited="the return of a file call")
                turn_alias(machine, b"nickname", first)
            run_to_round(machine)
            write(machine, "enough", "changer", b"\1")

    turned = "an alias was turned to the secret while a call by it was judged"
    must_report(
        machine,
        turn_before_each_call,
        linked=(1, "of one link_file call by a process without a PrivUser, those that returned 0 are"),
        changer=(
            6,
            "of six undisturbed calls that open, read and delete files by an alias, those that did so are",
            {HARMFUL: f"{turned}, which had led to a public file, and the secret was opened or read"},
        ),
        **GAVE_UP,
    )
    kept = files_on(machine).get("secret") == secret
    assert kept, f"{turned}, which had led to a file that may be deleted, and the secret was deleted"


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

    def interrupt_each_call(machine: Machine) -> None:
        run_to_round(machine)
        calls = kernel_calls_in(machine)
        assert calls, "a file call came back, and the monitor has asked nothing of the kernel"
        for number in range(min(len(calls), 18)):
            # A stop takes time, and is often a timer interrupt by itself; two undo each other.
            for injected in (False, True):
                run_to_kernel_call(machine, calls, number)
                if injected:
                    machine.inject_irq(0)

    must_report(
        machine,
        interrupt_each_call,
        linked=(4, "of four link_file calls by a process without a PrivUser, those that returned 0 are"),
        changer=(
            HARMLESS,
            "a process with three threads, one of which is denied a file, ended with",
            {
                HARMFUL: "while a file was denied to one thread, another one read it by a handle that it tried",
                NOT_DENIED: "open_file of a file, which is denied, returned no error while other threads made calls",
            },
        ),
        **GAVE_UP,
    )
