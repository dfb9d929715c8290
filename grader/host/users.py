"""Users of their own for commands, when we are root: drawn from the ids that this machine has."""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
from pathlib import Path

FIRST_USER = 1_000_000_000  # far from any user that a system gives out
NOBODY = 65534
_job = itertools.count()


def new_user() -> int:
    """A user id for one command when we are root: nobody else's, as far as the ids of this machine reach."""
    serial = (os.getpid() % (1 << 22)) * 64 + next(_job) % 64
    first, count = _user_range()
    return first + serial % count if count else NOBODY


@functools.cache
def _user_range() -> tuple[int, int]:
    """First and number of the user ids to take from; in a container there may be only 65536 of them."""
    try:
        rows = [[int(word) for word in line.split()] for line in Path("/proc/self/uid_map").read_text().splitlines()]
    except OSError:
        return NOBODY, 0
    for inside, _, count in rows:
        if inside <= FIRST_USER and inside + count >= FIRST_USER + (1 << 28):
            return FIRST_USER, 1 << 28
    for inside, _, count in rows:
        if inside <= 20000 and inside + count >= 60000:
            return 20000, 40000
    return NOBODY, 0


def own_processes() -> int:
    """How many threads this user runs now: about 10 ms."""
    total = 0
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if entry.stat().st_uid == os.getuid():
                total += len(os.listdir(entry / "task"))  # noqa: PTH208 - ten times faster, on thousands of threads
    return total
