"""Stage 2: which files a program may read, create and delete is its policy's to say, and the monitor's to see to."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from mediated import (
    E_FULL,
    E_PERMISSION,
    FIRST_ERROR,
    GAVE_UP,
    PART,
    Start,
    content,
    denied,
    expect_file,
    place_of,
    refused,
)

from grader.machine import Machine
from grader.testing.boots import Boots
from grader.testing.kernel_error import KernelError
from grader.testing.message import Every, in_words
from grader.testing.plugin import graded
from grader.testing.reported import must_report

E_EXISTS = KernelError.E_EXISTS

PREFIXES = ["", "/", "./", "//", ".//", "/./", "././", "/././/", ".///./", "./" * 11]
STRANGERS = ["../public", "public/", "public.", "Public", "'public '", ".public", "pub/lic", "x/public"]
"""Of the role `tricks` of probes/filer.c: what stands before a name, and names of other files."""

NO_HANDLES = ["16", "17", "255", "256", "0x7fffffff", "0x80000000", "0xfffffff0", "0xffffffff"]
"""Of the role `handles`."""


def no_handle_calls() -> list[str]:
    """What the role `handles` asks for with numbers that are no handle's, in its order."""
    calls = ("read_handle", "duplicate_handle", "close_handle", "handle_name")
    return [f"{call} of {number}, which is no handle's number," for number in NO_HANDLES for call in calls]


def not_the_programs() -> list[str]:
    """What the role `buffers` passes to the kernel, in its order."""
    named = ("open_file", "read_file", "create_file", "delete_file", "link_file", "link_file, as the alias,")
    places = (
        *("a PrivUser variable", "PrivUser's first bytes", "the last bytes before PrivUser and its first ones"),
        *(
            "PrivUser's last bytes and the first ones after it",
            "the last bytes below KBASE and the first ones of the kernel",
        ),
        "the kernel's code",
    )
    buffered = ("read_handle", "handle_name", "read_file", "create_file")
    return [
        *(
            f"{call} with a name at {place}"
            for place in ("a PrivUser variable", "PrivUser's first bytes", "PrivUser's last bytes", "the kernel's code")
            for call in named
        ),
        *(f"{call} with a buffer at {place}" for place in places for call in buffered),
        "read_handle with a buffer that wraps around the end of memory",
        "read_file with a buffer that ends in PrivUser",
        "create_file with a length of 0xffffffff",
    ]


def checksum(data: bytes) -> int:
    """As crew_checksum of the probes."""
    result = len(data)
    for byte in data:
        result = (result * 31 + byte) & 0xFFFFFFFF
    return result


@pytest.fixture
def known(seed: int) -> bytes:
    """The file `public` of this run, which the probes know."""
    return content(seed & 0xFFFFFFFF, 600)


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


def check_is_kept_from(machine: Machine, secret: bytes) -> None:
    """No part of the secret lies in a page that the running program can read in ring 3, or was printed."""
    assert secret[:PART] not in machine.serial, "a file that the program may not read was printed on the console"
    pieces = [secret[at : at + 16] for at in range(0, 64, 16)]
    for page in machine.mappings():
        if page.user:
            with contextlib.suppress(ValueError):
                held = machine.read_physical(page.physical, page.page_bytes)
                where = f"{page.virtual:#010x}, where ring 3 of the program can read it"
                found = any(piece in held for piece in pieces)
                assert not found, f"a file that the program may not read lies in memory at {where}"


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
    without = "for which the domain has no rule,"
    must_report(
        machine,
        open=denied(f"open_file of `secret`, {without}"),
        read=denied(f"read_file of `secret`, {without}"),
        untouched=(1, "open_file and read_file of `secret` were denied; of one buffer, those that are untouched are"),
        longer=denied("open_file of `public2`, for which the domain has no rule (but one for `public`),"),
        shorter=denied("read_file of `publi`, for which the domain has no rule (but one for `public`),"),
        delete=denied(f"delete_file of `secret`, {without}"),
        create=denied(f"create_file of `stranger`, {without}"),
        by_handle=(PART, "open_file and read_handle of 100 bytes of `public`, which may be read, brought right bytes:"),
        by_name=(PART, "read_file of 100 bytes of `public`, which may be read, brought right bytes:"),
        **GAVE_UP,
    )
    check_is_kept_from(machine, secret)
    expect_file(machine, "secret", secret, f"delete_file, {without} was denied")
    expect_file(machine, "stranger", None, f"create_file, {without} was denied")


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
    right = checksum(secret)
    got = "the checksum, or the error, of `secret`, which the program may read,"
    must_report(
        boot_filed("keeper", role="reads"),
        handle=(right, f"{got} read by a handle, is"),
        name=(right, f"{got} read by name, is"),
        public=denied("open_file of `public`, for which the program has no rule but its child has one,"),
        delete=denied("delete_file of `secret`, which the program may only read,"),
        again=(right, f"{got} read by its handle once more while a child runs, is"),
        thief=(0, "of its parent's file, for which it has no rule, and of its parent's handles, a child read bytes:"),
        **GAVE_UP,
    )


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
    every, create, delete, read = (
        *("with every right to it,", "with only the right to create it,", "with only the right to delete it,"),
        "with only the right to read it,",
    )
    must_report(
        machine,
        new_diary=(0, f"create_file of a file, {every} returned"),
        read_diary=(len(b"dear diary\0"), f"read_file of a file, {every} returned"),
        delete_diary=(0, f"delete_file of a file, {every} returned"),
        again_diary=(0, f"create_file of a file, {every} a second time, returned"),
        new_inbox=(0, f"create_file of a file, {create} returned"),
        read_inbox=denied(f"read_file of a file, {create}"),
        open_inbox=denied(f"open_file and read_handle of a file, {create}"),
        delete_inbox=denied(f"delete_file of a file, {create}"),
        read_trash=denied(f"read_file of a file, {delete}"),
        open_trash=denied(f"read_handle of a file, {delete}"),
        trash_handle=(range(16), f"open_file of a file, {delete} returned"),
        link_secret=denied("link_file of a file without a rule"),
        link_trash=denied(f"link_file of a file, {delete}"),
        link_public=(0, f"link_file of a file, {read} returned"),
        delete_trash=(0, f"delete_file of a file, {delete} returned"),
        new_trash=denied(f"create_file of a file, {delete}"),
        new_public=((E_PERMISSION, E_EXISTS), f"create_file of a file that is there, {read} returned"),
        delete_public=denied(f"delete_file of a file, {read}"),
        read_public=(PART, f"read_file of a file, {read} brought of 100 right bytes"),
        **GAVE_UP,
    )
    nonce = machine.nonce.to_bytes(4, "little")
    expect_file(machine, "diary", nonce, "create_file of it returned 0")
    expect_file(machine, "inbox", nonce, "create_file of it returned 0, and delete_file was denied")
    expect_file(machine, "public", known, "delete_file and create_file of it were denied")
    expect_file(machine, "trash", None, "delete_file of it returned 0, and create_file was denied")


@graded(
    stage=2,
    points=4,
    handout="names",
    usually="the rule is compared with the string that the program wrote, or with its beginning",
)
def test_the_way_a_name_is_written_makes_no_difference(boot_filed: Start, secret: bytes) -> None:
    """Whatever stands of `/` and `./` before a name, the decision is the same; other strings are other files."""
    machine = boot_filed("filer", role="tricks")
    ways = ("open_file", "read_file")
    secrets = Every(tuple(f"{way} of {prefix}secret" for prefix in PREFIXES for way in ways))
    deletes = Every(tuple(f"delete_file of {prefix}secret" for prefix in PREFIXES))
    publics = Every(tuple(f"{way} of {prefix}public" for prefix in PREFIXES for way in ways))
    must_report(
        machine,
        refused=(secrets, "of these calls, for which there is no rule, the ones that returned E_PERMISSION are"),
        kept=(deletes, "of these calls, for which there is no rule, the ones that returned E_PERMISSION are"),
        right=(publics, "of these calls, for which there is a rule, the ones that brought 100 right bytes are"),
        strangers=(Every(tuple(STRANGERS)), "of names that are no file's, the ones that were refused are"),
        at_the_edge=(
            PART,
            "open_file of `public`, by a name that ends right before a page that is not there, brought bytes:",
        ),
        create=denied("create_file of ./stranger, for which there is no rule,"),
        inbox=(0, "create_file of .//inbox, with a rule for inbox, returned"),
        **GAVE_UP,
    )
    check_is_kept_from(machine, secret)
    expect_file(machine, "secret", secret, "delete_file of it, by ten names, was denied")
    expect_file(machine, "inbox", machine.nonce.to_bytes(4, "little"), "create_file of .//inbox returned 0")
    expect_file(machine, "stranger", None, "create_file of ./stranger was denied")


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
    full = "with all sixteen handles open,"
    report = must_report(
        boot_filed("filer", role="handles"),
        taken=refused(no_handle_calls()),
        close=(0, "close_handle, of a handle that has a duplicate, returned"),
        name=(len("public"), "handle_name, of a duplicate whose original is closed, returned"),
        same_name=(1, "of one such duplicate, those whose name was `public` are"),
        close_second=(0, "close_handle, of such a duplicate, returned"),
        opened=(16, "the number of handles that could be opened and duplicated, one after the other, is"),
        full=(E_FULL, f"{full} one more open_file or duplicate_handle returned"),
        secret=((E_PERMISSION, E_FULL), f"{full} open_file of a file without a rule returned"),
        read=(16 * PART, f"{full} the number of right bytes of 16 times 100 is"),
        close_one=(0, f"{full} close_handle of handle 11 returned"),
        reused=(range(16), "with one handle of sixteen closed again, open_file returned"),
        thief=((E_PERMISSION, E_FULL), f"{full} open_file and read_handle of a file without a rule returned"),
        **GAVE_UP,
    )
    closed = in_words(report["closed"])
    assert report["closed"] >= FIRST_ERROR, f"read_handle, of a handle that is closed, returned {closed} and no error"


@graded(
    stage=2,
    points=2,
    handout="handles",
    usually="a file is opened to be judged, and stays open when the judgement is no",
)
def test_what_is_denied_does_not_stay_open(boot_filed: Start) -> None:
    """After forty denials there are still sixteen handles to be had."""
    must_report(
        boot_filed("filer", role="denials"),
        denied=(40, "of 40 times open_file of a file without a rule, those that returned E_PERMISSION are"),
        opened=(16, "after 40 times open_file that was denied, the number of handles that could be opened is"),
        **GAVE_UP,
    )


@graded(
    stage=2,
    points=2,
    handout="handles",
    usually="whoever has a handle may do anything with it",
)
def test_a_handle_is_no_right_to_delete(boot_filed: Start, known: bytes) -> None:
    """A file that may only be read is not deleted by its handle, nor by a duplicate; one that may be deleted is."""
    machine = boot_filed("filer", role="deletes")
    report = must_report(
        machine,
        public=denied("delete_handle, of a file that may only be read,"),
        duplicate=denied("delete_handle, of a duplicate for a file that may only be read,"),
        read=(PART, "after a delete_handle that was denied, of 100 bytes of that file those that are right are"),
        ledger_read=(PART, "read_handle, of a file that may be read and deleted, returned"),
        ledger=(0, "delete_handle, of a file that may be read and deleted, returned"),
        **GAVE_UP,
    )
    gone = report["gone"]
    assert gone >= FIRST_ERROR, f"read_handle, of a file that was deleted, returned {in_words(gone)} and no error"
    expect_file(machine, "public", known, "delete_handle of it was denied")
    expect_file(machine, "ledger", None, "delete_handle of it returned 0")


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
    must_report(
        boot_filed("filer", role="inheritance"),
        child=(0, "a child tried all numbers as handles, of which its parent has two open; the bytes that it read are"),
        first=(PART, "after a child has tried all numbers as handles, its parent's read_handle returned"),
        thread=(PART, "of 100 bytes that a thread read by a handle of its process, those that are right are"),
        secret=denied("read_file of a file without a rule"),
        **GAVE_UP,
    )


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
    machine.run_to("main", program="filer", awaited="the beginning of a program with a PrivUser")
    treasure = b"treasure %08x" % (seed & 0xFFFFFFFF)
    place = place_of(machine, "treasure", "filer")
    machine.write_physical(place, treasure)
    must_report(
        machine,
        taken=refused(not_the_programs()),
        border=(PART, "read_handle, with a buffer of 100 bytes that ends right before PrivUser, brought right bytes:"),
        diary=(0, "create_file, with a buffer that ends right before PrivUser, returned"),
        secret=denied("read_file of a file without a rule"),
        **GAVE_UP,
    )
    kept = machine.read_physical(place, len(treasure)) == treasure
    assert kept, "file calls with buffers in PrivUser were errors, but a variable there was written"
    assert treasure not in machine.disk(), (
        "file calls with buffers in PrivUser were errors, but what lies there is on the disk"
    )
    expect_file(machine, "diary", content(seed & 0xFFFFFFFF, PART), "create_file of it returned 0")
