"""The processes that this one has started: after an interruption, the last of them is ended here.

Whoever is interrupted just between starting a process and taking note of it cannot end it in order. The system knows
them all: what /proc says has us for a parent. What they have started in turn dies with them (host/sandbox.py).
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from pathlib import Path

SECONDS_MAX = 10.0
"""For as long we wait for a process that was killed: the system may be busy with it."""


def end_children() -> None:
    """Kill every child that still runs, and wait until it does not. Elsewhere than on Linux nothing is done."""
    end = time.monotonic() + SECONDS_MAX
    while (running := running_children()) and time.monotonic() < end:
        for child in running:
            with contextlib.suppress(OSError), os.fdopen(os.pidfd_open(child)) as handle:
                signal.pidfd_send_signal(handle.fileno(), signal.SIGKILL)
                select.select([handle], [], [], max(0.0, end - time.monotonic()))


def running_children() -> list[int]:
    """The ids of our child processes, without those that have ended and were not waited for yet."""
    found = []
    for file in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # proc(5): the id, the name in parentheses (which may hold anything), the state, the parent's id.
            state, parent = file.read_text(errors="replace").rpartition(")")[2].split()[:2]
            if int(parent) == os.getpid() and state not in "ZX":
                found.append(int(file.parent.name))
    return found
