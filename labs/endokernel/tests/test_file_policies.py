"""Stage 2: which files a program may read, create and delete is its policy's to say, and the monitor's to see to."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest

from grader.builds.filesystem539 import CorruptFilesystem, read_filesystem
from grader.builds.image import filesystem_of
from grader.machine import Machine, Report
from grader.testing import seeds
from grader.testing.boots import Boots
from grader.testing.kernel_error import KernelError
from grader.testing.plugin import graded

PART = 100
"""Bytes that the probe `filer` reads at a time."""

E_PERMISSION, E_FULL, E_EXISTS = KernelError.E_PERMISSION, KernelError.E_FULL, KernelError.E_EXISTS

FIRST_ERROR = 0xFFFF0000
"""Words from here on are negative errors."""

Start = Callable[..., Machine]


def content(start: int, length: int) -> bytes:
    """What the probes take for a right file in a run with this seed."""
    words = range(-(-length // 4))
    return b"".join((start + place * 0x9E3779B1 & 0xFFFFFFFF).to_bytes(4, "little") for place in words)[:length]


def checksum(data: bytes) -> int:
    """As crew_checksum of the probes."""
    result = len(data)
    for byte in data:
        result = (result * 31 + byte) & 0xFFFFFFFF
    return result


def files_on(machine: Machine) -> dict[str, bytes]:
    """The files on the machine's disk, read from outside. A disk that is damaged fails the test."""
    try:
        return read_filesystem(filesystem_of(machine.disk()))
    except CorruptFilesystem as error:
        raise AssertionError(f"the disk's filesystem is damaged: {error}") from error


@pytest.fixture
def known(seed: int) -> bytes:
    """The file `public` of this run, which the probes know."""
    return content(seed & 0xFFFFFFFF, 600)


@pytest.fixture
def secret(seed: int) -> bytes:
    """The file `secret` of this run, which nothing in the machine knows."""
    return b"".join(seeds.number(str(seed), "secret", place).to_bytes(8, "little") for place in range(64))


@pytest.fixture
def boot_filed(boot: Boots, known: bytes, secret: bytes, seed: int) -> Start:
    """Boots a probe with the files of `filer`'s policy on the disk, and some beside them."""

    def start(probe: str, **parameters: Any) -> Machine:
        files = {
            "secret": secret,
            "public": known,
            "public2": known,
            "publi": known,
            "trash": b"old" * 40,
            "ledger": known,
        }
        programs = {"filer": "filer", "plain": "plain"}
        return boot(probe, files=files, programs=programs, seed=seed & 0xFFFFFFFF, **parameters)

    return start


def named(word: int) -> str:
    """What a call returned: the error's name, or the number."""
    return KernelError(word).name if word in tuple(KernelError) else f"{word:#x}"


def check_are_denied(report: Report, *keys: str) -> None:
    """These calls of the probe, by the names that it reports them with, returned E_PERMISSION."""
    for key in keys:
        assert report[key] == E_PERMISSION, f"{key}: {named(report[key])} in place of E_PERMISSION"


def check_is_kept_from(machine: Machine, secret: bytes) -> None:
    """No part of the secret lies in a page that the running program can read in ring 3, or was printed."""
    assert secret[:PART] not in machine.serial
    pieces = [secret[at : at + 16] for at in range(0, 64, 16)]
    for page in machine.mappings():
        if page.user:
            with contextlib.suppress(ValueError):
                held = machine.read_physical(page.physical, page.page_bytes)
                assert not any(piece in held for piece in pieces), f"the secret lies in the program's page {page}"


@graded(
    stage=2,
    points=4,
    handout="files",
    usually="a file call is allowed by its number alone, or another domain's rule is taken",
)
def test_a_file_without_a_rule_is_out_of_reach(boot_filed: Start, secret: bytes) -> None:
    """Neither the old calls nor the new ones open, read, create or delete what the domain has no rule for, be its name
    like that of another; what has a rule is read.
    """
    machine = boot_filed("filer", role="no_rule")
    report = machine.finish()
    check_are_denied(report, "open", "read", "longer", "shorter", "delete", "create")
    assert report["untouched"] == 1
    assert report["by_handle"] == report["by_name"] == PART
    check_is_kept_from(machine, secret)
    files = files_on(machine)
    assert files.get("secret") == secret
    assert "stranger" not in files


@graded(
    stage=2,
    points=4,
    handout="files",
    usually="there is one policy for all programs, or the kernel has none for the programs it starts later",
)
def test_each_program_has_its_own_policy(boot_filed: Start, secret: bytes) -> None:
    """A program with a rule for the secret reads it, whole; its child, with other rules, gets not a byte, and reads
    what its own rules allow.
    """
    report = boot_filed("keeper", role="reads").finish()
    for way in ("handle", "name", "again"):
        assert report[way] == checksum(secret)
    assert report["public"] == E_PERMISSION
    assert report["delete"] == E_PERMISSION
    assert report["thief"] == 0, "the child got bytes of a file that is not its own"


@graded(
    stage=2,
    points=5,
    handout="files",
    usually="any rule for the file is enough, whatever right it gives",
)
def test_each_right_allows_what_it_names_and_nothing_else(boot_filed: Start, known: bytes) -> None:
    """To read, to create and to delete are three rights: each file call needs its own, link_file too, and the disk
    shows which calls were performed.
    """
    machine = boot_filed("filer", role="rights")
    report = machine.finish()
    for allowed in ("new_diary", "delete_diary", "again_diary", "new_inbox", "delete_trash"):
        assert report[allowed] == 0, f"{allowed}: {named(report[allowed])} in place of 0"
    assert report["read_diary"] == len(b"dear diary\0")
    check_are_denied(report, "read_inbox", "open_inbox", "delete_inbox", "read_trash", "open_trash", "new_trash")
    check_are_denied(report, "link_secret", "link_trash")
    assert report["trash_handle"] < 16, "a file that may be deleted, and not read, cannot be opened"
    assert report["link_public"] == 0
    assert report["new_public"] in (E_PERMISSION, E_EXISTS)
    assert report["delete_public"] == E_PERMISSION
    assert report["read_public"] == PART
    nonce = machine.nonce.to_bytes(4, "little")
    files = files_on(machine)
    assert files.get("diary") == files.get("inbox") == nonce
    assert files.get("public") == known
    assert "trash" not in files


@graded(
    stage=2,
    points=4,
    handout="names",
    usually="the rule is compared with the string that the program wrote, or with its beginning",
)
def test_the_way_a_name_is_written_makes_no_difference(boot_filed: Start, secret: bytes) -> None:
    """Whatever stands of `/` and `./` before a name, the decision is the same; other strings are other files."""
    machine = boot_filed("filer", role="tricks")
    report = machine.finish()
    assert report["refused"] == 20, "of 20 readings of the secret by odd names, some were not refused"
    assert report["kept"] == 10
    assert report["right"] == 20, "of 20 readings of a public file by odd names, some were refused"
    assert report["strangers"] == 8
    assert report["at_the_edge"] == PART
    assert report["create"] == E_PERMISSION
    assert report["inbox"] == 0
    check_is_kept_from(machine, secret)
    files = files_on(machine)
    assert files.get("secret") == secret
    assert files.get("inbox") == machine.nonce.to_bytes(4, "little")
    assert "stranger" not in files


@graded(
    stage=2,
    points=4,
    handout="handles",
    usually="a number is used as an index before it is checked, or a full table is taken for an empty one",
)
def test_any_number_may_be_tried_as_a_handle(boot_filed: Start) -> None:
    """Numbers that are no handle are errors; a duplicate lives longer than its original; the table has 16 places, says
    so when they are taken, and has room again after a close.
    """
    report = boot_filed("filer", role="handles").finish()
    assert report["refused"] == 32
    assert report["close"] == report["close_second"] == report["close_one"] == 0
    assert report["closed"] >= FIRST_ERROR
    assert report["name"] == len("public")
    assert report["same_name"] == 1
    assert report["opened"] == 16
    assert report["full"] == E_FULL
    assert report["secret"] in (E_PERMISSION, E_FULL)
    assert report["read"] == 16 * PART
    assert report["reused"] < 16
    assert report["thief"] in (E_PERMISSION, E_FULL)


@graded(
    stage=2,
    points=2,
    handout="handles",
    usually="a file is opened to be judged, and stays open when the judgement is no",
)
def test_what_is_denied_does_not_stay_open(boot_filed: Start) -> None:
    """After forty denials there are still sixteen handles to be had."""
    report = boot_filed("filer", role="denials").finish()
    assert report["denied"] == 40
    assert report["opened"] == 16


@graded(
    stage=2,
    points=2,
    handout="handles",
    usually="whoever has a handle may do anything with it",
)
def test_a_handle_is_no_right_to_delete(boot_filed: Start, known: bytes) -> None:
    """A file that may only be read is not deleted by its handle, nor by a duplicate; one that may be deleted is."""
    machine = boot_filed("filer", role="deletes")
    report = machine.finish()
    assert report["public"] == report["duplicate"] == E_PERMISSION
    assert report["read"] == report["ledger_read"] == PART
    assert report["ledger"] == 0
    assert report["gone"] >= FIRST_ERROR
    files = files_on(machine)
    assert files.get("public") == known
    assert "ledger" not in files


@graded(
    stage=2,
    points=2,
    handout="handles",
    usually="a child finds its parent's handles open",
)
def test_handles_stay_in_their_process(boot_filed: Start) -> None:
    """A child that tries all numbers reads nothing of what its parent has open; the parent still does, and so does its
    thread.
    """
    report = boot_filed("filer", role="inheritance").finish()
    assert report["child"] == 0
    assert report["first"] == PART
    assert report["thread"] == PART
    assert report["secret"] == E_PERMISSION


@graded(
    stage=2,
    points=3,
    handout="deputy",
    usually="names and buffers of the new file calls are passed on in ring 2 unchecked",
)
def test_file_calls_do_not_reach_into_the_monitor(boot_filed: Start, seed: int) -> None:
    """File calls with a name or a buffer in PrivUser, in the kernel, across their borders or around the end of memory
    are refused: nothing of PrivUser goes into a file, and nothing of a file into PrivUser.
    """
    machine = boot_filed("filer", role="buffers")
    machine.run_to("main", program="filer")
    treasure = b"treasure %08x" % (seed & 0xFFFFFFFF)
    place = machine.walk(machine.symbol("treasure", "filer")).physical
    assert place is not None
    machine.write_physical(place, treasure)
    report = machine.finish()
    assert report["refusals"] == report["attempts"] == 51
    assert report["border"] == PART
    assert report["diary"] == 0
    assert report["secret"] == E_PERMISSION
    assert machine.read_physical(place, len(treasure)) == treasure, "PrivUser memory was written"
    assert treasure not in machine.disk()
    assert files_on(machine).get("diary") == content(seed & 0xFFFFFFFF, PART)
