"""Tapes: a machine's run recorded, so that the very same run can be played again, under GDB, also backwards.

QEMU writes down what reached the guest from outside and when, in instructions: input, the disk's answers, clocks
("Execution Record/Replay" in QEMU's manual). What the grader itself did to the machine is not in that log. It need not
be: a recorded run is played by running the test once more, which sets the same breakpoints and does the same to the
machine at the same stops. Only where the host decided about the moment of a stop (a pattern that arrived on the serial
line) the tape has to know it.

Going back begins at a snapshot, from which the run is played forward again, now without the test: it reaches back to
the last time that the test itself did something to the machine (wrote to it, raised an interrupt), and no further.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass, field

from grader.faults import Ungradable
from grader.machine.disk import DISK_NAME, Disk, backend, drive_options
from grader.machine.faults import NotOnThisMachine
from grader.machine.unnamed import close_file, path_of, unnamed_file

OVERLAY_BYTES = 64 << 20
"""Size of the disk as the player's snapshots see it: no image is larger."""


@dataclass
class Tape:
    """One machine's run. Counts are of instructions since power-on."""

    log: int = field(default_factory=lambda: unnamed_file(b""))
    """The descriptor of the emulator's log."""
    stops: list[int] = field(default_factory=list)
    """Where the guest was when the host stopped it at a moment of its own choice."""
    interventions: int = 0
    """How often the test did something to the machine that is not in the log."""
    end: int = 0
    """Where the run ended."""
    listening: bool = False
    """Whether a busy guest hears from disk and console while it is recorded. QEMU 7.2 sees to that only if an idle one
    sleeps by the host's clock, and then the run is no longer the ordinary one to the instruction."""
    playing: bool = False
    goes_back: bool = True
    """Whether a player takes the snapshots from which one can go back."""

    def overlay(self) -> int | None:
        """A new descriptor of a player's file for what changes on the disk, and for snapshots."""
        return unnamed_file(empty_overlay()) if self.playing else None

    def mode(self) -> str:
        """How the emulator counts time, for its option -icount."""
        sleep = "on" if self.listening else "off"
        return f"sleep={sleep},rr={'replay' if self.playing else 'record'},rrfile={path_of(self.log)}"

    def drive(self, disk: Disk, image: int, overlay: int | None) -> list[str]:
        """The emulator's arguments for the disk. `overlay` is the player's file for changes and snapshots.

        Raises NotOnThisMachine for a disk with faults: its errors are not in the log.
        """
        if disk is Disk.MISSING:
            return []
        if disk is not Disk.SOUND:
            raise NotOnThisMachine(f"a run with a disk that is {disk.value} cannot be recorded")
        contents = backend(disk, image)
        if overlay is not None:
            file = f"file.driver=file,file.filename={path_of(overlay)}"
            under = f"backing.driver=raw,backing.file.driver=file,backing.file.filename={path_of(image)}"
            contents = f"driver=qcow2,{file},{under}"
        inner = ["-drive", f"{contents},if=none,id={DISK_NAME}-contents"]
        return [*inner, *drive_options(disk, f"driver=blkreplay,image={DISK_NAME}-contents")]

    def close(self) -> None:
        """Forget the recording."""
        if self.log >= 0:
            close_file(self.log)
            self.log = -1


class Tapes:
    """The tapes of a test's machines, in the order in which it starts them: recorded once, then played."""

    def __init__(self, *, listening: bool = False) -> None:
        self.tapes: list[Tape] = []
        self.playing = False
        self._listening = listening
        self._started = 0

    def next(self) -> Tape:
        """The tape for the next machine. Raises Ungradable when there was no such machine in the recorded run."""
        self._started += 1
        if not self.playing:
            self.tapes.append(Tape(listening=self._listening))
        elif self._started > len(self.tapes):
            raise Ungradable("the test started more machines than when it was recorded")
        return self.tapes[self._started - 1]

    def rewind(self) -> None:
        """From now on, play."""
        self.playing, self._started = True, 0
        for tape in self.tapes:
            tape.playing = True
            os.lseek(tape.log, 0, os.SEEK_SET)

    def close(self) -> None:
        """Forget all recordings."""
        for tape in self.tapes:
            tape.close()


_CLUSTER_BITS = 16
_CLUSTER = 1 << _CLUSTER_BITS


def empty_overlay(size: int = OVERLAY_BYTES) -> bytes:
    """An empty disk image of `size` bytes in the format qcow2, version 3, the only one that keeps snapshots.

    Header, table of reference counts, a block of them and the first-level table, a cluster each (docs/interop/qcow2 in
    QEMU's sources).
    """
    table, block, first_level, used = 1, 2, 3, 4
    header = struct.pack(
        ">4sIQIIQIIQQIIQQQQII",
        *(b"QFI\xfb", 3, 0, 0, _CLUSTER_BITS, size, 0, 1, first_level * _CLUSTER, table * _CLUSTER, 1, 0, 0),
        *(0, 0, 0, 4, 104),
    )
    clusters = [header, struct.pack(">Q", block * _CLUSTER), struct.pack(f">{used}H", *[1] * used), b""]
    return b"".join(cluster.ljust(_CLUSTER, b"\0") for cluster in clusters)
