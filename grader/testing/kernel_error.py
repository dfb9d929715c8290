"""The kernel's errors by name, for tests: kernel/error.h once more, as the unsigned words that probes report."""

from __future__ import annotations

import enum


class KernelError(enum.IntEnum):
    """A negative result of a system call, as the 32-bit word that a register or a report holds."""

    E_INVALID = -1 & 0xFFFFFFFF
    E_FAULT = -2 & 0xFFFFFFFF
    E_MEMORY = -3 & 0xFFFFFFFF
    E_NOT_FOUND = -4 & 0xFFFFFFFF
    E_EXISTS = -5 & 0xFFFFFFFF
    E_FULL = -6 & 0xFFFFFFFF
    E_NAME = -7 & 0xFFFFFFFF
    E_IO = -8 & 0xFFFFFFFF
    E_CORRUPT = -9 & 0xFFFFFFFF
    E_NO_CALL = -10 & 0xFFFFFFFF
    E_NO_PROCESS = -11 & 0xFFFFFFFF
    E_PERMISSION = -12 & 0xFFFFFFFF
    E_FORMAT = -13 & 0xFFFFFFFF
    E_BLOCKED = -14 & 0xFFFFFFFF
    E_DEAD = -15 & 0xFFFFFFFF
    E_DEADLOCK = -16 & 0xFFFFFFFF

    def __repr__(self) -> str:
        return self.name


def fault_status(vector: int) -> int:
    """The exit status, as a word, of a process that the kernel ended for an exception of that vector."""
    return -(256 + vector) & 0xFFFFFFFF


def faults_vector(status: int) -> int | None:
    """The inverse: the exception's vector, or None for any other status."""
    vector = -status - 256 & 0xFFFFFFFF
    return vector if vector < 32 else None


KILLED_STATUS = -512 & 0xFFFFFFFF
"""The exit status, as a word, of a process that was killed."""
