"""Disks that fail, are missing, or hold what is no filesystem: errors for a program, never a kernel that hangs."""

import pytest

from grader.builds.filesystem539 import BASE_MAGIC, FILE_MAGIC, FILESYSTEM_SECTORS, encode_metadata, make_filesystem
from grader.builds.image import filesystem_of
from grader.machine import Machine
from grader.machine.disk import Disk
from grader.machine.witness import BOTH
from grader.testing.boots import Boots
from grader.testing.plugin import graded

OK, E_NOT_FOUND, E_IO, E_CORRUPT = 0, -4, -8, -9
"""Of kernel/error.h."""

SECTOR = 512


def results(machine: Machine) -> tuple[int, ...]:
    """What the four file calls answered: list, read, create, delete."""
    report = machine.finish()
    return tuple(report.signed(call) for call in ("list", "read", "create", "delete"))


@graded(stage=1, points=0.25, handout="disk", witnesses=BOTH)
def test_a_sound_disk_answers(boot: Boots) -> None:
    """The positive control of this file: the same probe on a disk without a fault succeeds."""
    machine = boot("disk_error", filesystem=make_filesystem({"given": b"x" * 600}))
    assert results(machine) == (1, 600, OK, OK)


@pytest.mark.parametrize("disk", [Disk.MISSING, Disk.UNREADABLE])
@graded(
    stage=1,
    points=0.5,
    handout="disk",
    usually="the status register's error bit, or that nobody is there, is not noticed",
)
def test_a_disk_that_cannot_be_read_is_an_error(boot: Boots, disk: Disk) -> None:
    """Without a disk, or with one that reports errors, every call says E_IO: the driver must look at the status."""
    assert results(boot("disk_error", disk=disk)) == (E_IO, E_IO, E_IO, E_IO)


@pytest.mark.parametrize("disk", [Disk.UNWRITABLE, Disk.UNFLUSHABLE])
@graded(
    stage=1,
    points=0.5,
    handout="disk",
    usually="the status after the last sector, or after the flush, is not looked at",
)
def test_a_disk_that_cannot_be_written_is_an_error(boot: Boots, disk: Disk) -> None:
    """A write that failed, also in the drive's cache, is an error for who asked for it; reading still works."""
    filesystem = make_filesystem({"given": b"x" * 600})
    machine = boot("disk_error", disk=disk, filesystem=filesystem)
    assert results(machine) == (1, 600, E_IO, E_IO)
    if disk is Disk.UNWRITABLE:
        assert filesystem_of(machine.disk()) == filesystem


@graded(stage=1, points=1, handout="disk", usually="the driver polls without a limit")
def test_a_disk_that_never_answers_is_given_up(boot: Boots) -> None:
    """A drive that stays busy is an error after some time, not a kernel that hangs."""
    machine = boot("disk_error", files={"given": b"x"}, guest_seconds=10)
    machine.run_to("kernel_main")
    machine.silence_disk()
    assert results(machine) == (E_IO, E_IO, E_IO, E_IO)


def damaged(sector: int, replacement: bytes) -> bytes:
    """A filesystem with the file "given" in sectors 1 to 3 and `replacement` at a sector."""
    image = bytearray(make_filesystem({"given": b"x" * 600}))
    image[sector * SECTOR : sector * SECTOR + len(replacement)] = replacement
    return bytes(image)


@pytest.mark.parametrize(
    ("sector", "replacement"),
    [
        (0, bytes(SECTOR)),
        (0, encode_metadata(b"539bass\0", 1, FILESYSTEM_SECTORS)),
        (0, encode_metadata(BASE_MAGIC, 1, 0)),
        (0, encode_metadata(BASE_MAGIC, 1, FILESYSTEM_SECTORS + 1)),
        (0, encode_metadata(BASE_MAGIC, 1, 0xFFFFFFFF)),
        (0, encode_metadata(BASE_MAGIC, FILESYSTEM_SECTORS, FILESYSTEM_SECTORS)),
        (0, encode_metadata(BASE_MAGIC, 0xFFFFFC00, FILESYSTEM_SECTORS)),
    ],
    ids=["zeros", "bad magic", "no sectors", "too many sectors", "all sectors", "next outside", "next wraps around"],
)
@graded(
    stage=1, points=0.25, handout="disk", usually="a number from the disk is used before it is checked", witnesses=BOTH
)
def test_a_base_block_that_makes_no_sense_is_refused(boot: Boots, sector: int, replacement: bytes) -> None:
    """A disk that is no 539filesystem is an E_CORRUPT for every call, and stays as it is."""
    filesystem = damaged(sector, replacement)
    machine = boot("disk_error", filesystem=filesystem)
    assert results(machine) == (E_CORRUPT, E_CORRUPT, E_CORRUPT, E_CORRUPT)
    assert filesystem_of(machine.disk()) == filesystem


@pytest.mark.parametrize(
    "metadata",
    [
        encode_metadata(FILE_MAGIC, 1, 600, b"other"),
        encode_metadata(FILE_MAGIC, 2, 600, b"other"),
        encode_metadata(FILE_MAGIC, FILESYSTEM_SECTORS, 600, b"other"),
        encode_metadata(FILE_MAGIC, 0, 0xFFFFFFFF, b"other"),
        encode_metadata(FILE_MAGIC, 0, FILESYSTEM_SECTORS * SECTOR, b"other"),
        encode_metadata(FILE_MAGIC, 0, 600, b"n" * 32),
        encode_metadata(FILE_MAGIC, 0, 600, b""),
        encode_metadata(BASE_MAGIC, 0, 600, b"other"),
    ],
    ids=["itself", "into itself", "next outside", "huge", "past the end", "endless name", "no name", "base's magic"],
)
@graded(
    stage=1,
    points=0.25,
    handout="disk",
    usually="the list is followed without a bound, or a name without an end is copied",
    witnesses=BOTH,
)
def test_hostile_metadata_are_refused(boot: Boots, metadata: bytes) -> None:
    """A list that loops or lies is an E_CORRUPT: a disk may come from anywhere, and must not hang the kernel."""
    filesystem = damaged(1, metadata)
    machine = boot("disk_error", filesystem=filesystem)
    assert results(machine) == (E_CORRUPT, E_CORRUPT, E_CORRUPT, E_CORRUPT)
    assert filesystem_of(machine.disk()) == filesystem
