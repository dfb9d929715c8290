"""How a machine can end otherwise than a test wanted it to.

Two families, since they are judged differently. `MachineStopped` and `NotAsRequired` are the guest's doing and
fail a test; `grader.faults.Ungradable` is the grader's or the host's fault and costs nobody points.
"""

from __future__ import annotations

from grader.faults import ProjectFault, Ungradable
from grader.machine.diagnosis import Diagnosis

__all__ = [
    "EmulatorGone",
    "GuestLeft",
    "Hang",
    "KernelPanic",
    "MachineReset",
    "MachineStopped",
    "NotAsRequired",
    "NotOnThisMachine",
    "ProbeEnded",
    "TripleFault",
    "Ungradable",
    "UnreadableMemory",
]


class MachineStopped(Exception):
    """The guest stopped, or never came to where it was awaited. `str()` begins with one sentence that says why."""

    report = ""
    """The key of the probe's report that never came, if a test awaited one."""

    def __init__(self, diagnosis: Diagnosis) -> None:
        super().__init__(diagnosis.text())
        self.diagnosis = diagnosis


class TripleFault(MachineStopped):
    """An exception could not be delivered, nor the double fault that followed: the processor shut down."""


class MachineReset(MachineStopped):
    """The guest reset or switched off the machine."""


class KernelPanic(MachineStopped):
    """The kernel came to `panic_halt`."""


class ProbeEnded(MachineStopped):
    """The probe came to its end before what was awaited."""


class Hang(MachineStopped):
    """The limit of guest time or instructions was reached: spinning, halted, or idle for ever."""


class GuestLeft(MachineStopped):
    """The guest ended the emulator through isa-debug-exit. `status` is the emulator's exit status, value*2+1."""

    def __init__(self, diagnosis: Diagnosis, status: int) -> None:
        super().__init__(diagnosis)
        self.status = status


class NotAsRequired(AssertionError):
    """What the test looked for in the machine is not there, or its two witnesses disagree: the test fails."""

    report = ""
    """The key of the probe's report that is wrong or missing, if it is about one."""


class UnreadableMemory(NotAsRequired):
    """An address that the test follows is mapped nowhere, or no memory answers there."""


class EmulatorGone(Ungradable):
    """The emulator has ended."""

    def __init__(self) -> None:
        super().__init__("the emulator ended while it was asked")


class NotOnThisMachine(ProjectFault):
    """The test asks an emulator for something that it cannot do: its author named the wrong witnesses."""
