"""The emulators that bear witness of a kernel. A test names those on which it must pass; QEMU alone if it names none.

QEMU is fast and exact in time, and does not check segment limits or types on memory accesses. Bochs checks what the
processor checks. A name here costs no import of either.
"""

from __future__ import annotations

from enum import StrEnum


class Witness(StrEnum):
    """An emulator, by the word that the command line and result.json use."""

    QEMU = "qemu"
    BOCHS = "bochs"

    @property
    def label(self) -> str:
        """Its name as people write it."""
        return {Witness.QEMU: "QEMU", Witness.BOCHS: "Bochs"}[self]


BOTH = (Witness.QEMU, Witness.BOCHS)
"""The witnesses of a test that must pass on both."""
