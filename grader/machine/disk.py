"""The guest's disk: sound, or with one of the faults that a kernel's driver must survive."""

from __future__ import annotations

from enum import Enum

from grader.machine.unnamed import path_of


class Disk(Enum):
    """The condition of a machine's IDE disk. The firmware boots from a copy of its own, so all of them boot."""

    SOUND = "sound"
    MISSING = "missing"
    """Nothing is connected to the channel."""
    UNREADABLE = "unreadable"
    """Every read ends with an error status."""
    UNWRITABLE = "unwritable"
    """Every write ends with an error status; nothing is written."""
    UNFLUSHABLE = "unflushable"
    """Every flush of the cache ends with an error status."""


DISK_NAME = "ide0-hd0"
"""What the emulator calls the drive."""

_FAILING = {Disk.UNREADABLE: "read", Disk.UNWRITABLE: "write", Disk.UNFLUSHABLE: "flush"}
_IO_ERROR = 5  # errno's EIO


def drive_options(disk: Disk, descriptor: int) -> list[str]:
    """The emulator's arguments for an IDE disk whose contents are at `descriptor`."""
    file = path_of(descriptor)
    if disk is Disk.MISSING:
        return []
    if disk in _FAILING:
        rule = f"inject-error.0.event=none,inject-error.0.iotype={_FAILING[disk]},inject-error.0.errno={_IO_ERROR}"
        backend = f"driver=blkdebug,image.driver=raw,image.file.driver=file,image.file.filename={file},{rule}"
        return ["-drive", f"{backend},inject-error.0.once=off,if=ide"]
    return ["-drive", f"file={file},format=raw,if=ide"]
