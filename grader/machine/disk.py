"""The guest's disk: sound, or with one of the faults that a kernel's driver must survive."""

from __future__ import annotations

from enum import Enum


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


def drive_options(disk: Disk, backend: str) -> list[str]:
    """The emulator's arguments for an IDE disk. `backend` is what holds its contents, in QEMU's words
    (`file=/dev/fd/N,format=raw`).
    """
    if disk is Disk.MISSING:
        return []
    return ["-drive", f"{backend},if=none,id={DISK_NAME}", "-device", f"ide-hd,drive={DISK_NAME},bus=ide.0"]


def backend(disk: Disk, descriptor: int) -> str:
    """What holds the contents of a disk whose image is at `descriptor`, and gives the errors of a failing one."""
    file = f"/dev/fd/{descriptor}"
    if disk in _FAILING:
        rule = f"inject-error.0.event=none,inject-error.0.iotype={_FAILING[disk]},inject-error.0.errno={_IO_ERROR}"
        image = f"image.driver=raw,image.file.driver=file,image.file.filename={file}"
        return f"driver=blkdebug,{image},{rule},inject-error.0.once=off"
    return f"file={file},format=raw"
