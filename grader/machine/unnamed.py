"""The files that an emulator is given: disk, ROM, settings. They have no name, so that nothing is left behind.

Linux opens /dev/fd/N anew, with a position of its own. Other systems only copy the descriptor: whoever reads the file
there moves everybody's position, and an emulator reads some files twice. So they get a real file in the temporary
folder, which is removed when its descriptor is closed.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

_named: dict[int, Path] = {}


def unnamed_file(data: bytes) -> int:
    """A descriptor of a new file that holds `data`; the emulator opens it by `path_of`, we end it by `close_file`."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("kernelist", os.MFD_CLOEXEC)
    else:
        descriptor, path = tempfile.mkstemp(prefix="kernelist-")
        _named[descriptor] = Path(path)
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def path_of(descriptor: int) -> str:
    """By which path a process that was passed the descriptor opens the file."""
    return str(_named.get(descriptor, f"/dev/fd/{descriptor}"))


def close_file(descriptor: int) -> None:
    """Close what `unnamed_file` made. Once the emulator has ended: until then it may not have opened it."""
    name = _named.pop(descriptor, None)
    with contextlib.suppress(OSError):
        if name is not None:
            name.with_name(f"{name.name}.lock").unlink(missing_ok=True)  # Bochs, beside a disk that has a name
            name.unlink()
        os.close(descriptor)
