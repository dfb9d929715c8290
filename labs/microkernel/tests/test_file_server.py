"""Stage 4: files are served from ring 3, the disk's ports are the file server's alone, and servers may die."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from grader.boots import Boots
from grader.build import Build
from grader.filesystem539 import FILESYSTEM_SECTORS, make_filesystem, read_filesystem, sectors_for
from grader.image import FILESYSTEM_START
from grader.kernel_error import KernelError, fault_status
from grader.machine import Machine
from grader.plugin import graded

E_NO_CALL, E_DEAD, E_NOT_FOUND = KernelError.E_NO_CALL, KernelError.E_DEAD, KernelError.E_NOT_FOUND

BIG, BLOCK = 20000, 3000
"""Bytes of the file `poem` that is there at the start, and of the one that a probe creates."""

DISK_PORTS = [*range(0x1F0, 0x1F8), 0x3F6]

Start = Callable[..., Machine]


def content(nonce: int, length: int) -> bytes:
    """What the probe `files` takes for a right file in a run with this nonce."""
    words = range(-(-length // 4))
    return b"".join((nonce + place * 0x9E3779B1 & 0xFFFFFFFF).to_bytes(4, "little") for place in words)[:length]
