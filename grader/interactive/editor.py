"""`./lab debug --editor`: an editor's own GDB is let in, instead of one in this terminal.

Everything an editor's settings have to name lies at fixed places in the cache's folder `debug`: `gdb`, the socket for
`target remote`; `kernel.elf`, the symbols; `tree`, the sources they were built from.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

from grader.builds.build import Build
from grader.machine import Machine
from grader.machine.debugger import Handover
from grader.paths import Project


def let_in(machine: Machine, build: Build, show: Callable[[bytes], None]) -> None:
    """Wait for a GDB, and until it has left again. Ctrl-C ends the waiting and the machine.

    `show` gets what the guest prints meanwhile.
    """
    folder = Project.here().cache / "debug"
    folder.mkdir(parents=True, exist_ok=True)
    with Handover(machine, show) as door:
        places = {"gdb": door.path, "kernel.elf": build.kernel_elf, "tree": build.tree}
        with contextlib.ExitStack() as stack:
            for name, target in places.items():
                stack.enter_context(_link(folder / name, target))
            # The editor's task waits for this line.
            print(f"ready for GDB: target remote {folder / 'gdb'} (symbols: {folder / 'kernel.elf'})", flush=True)
            door.left.wait()


@contextlib.contextmanager
def _link(place: Path, target: Path) -> Iterator[None]:
    """A symbolic link for the time of a `with` block. Another debugger's link is taken over; who ends first, whichever
    that is, leaves the place to the other.
    """
    before = place.readlink() if place.is_symlink() else target
    _point(place, target)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            if place.readlink() == target:
                place.unlink()
                if before != target and before.exists():
                    _point(place, before)


def _point(place: Path, target: Path) -> None:
    new = place.with_name(f"{place.name}.new")
    new.unlink(missing_ok=True)
    new.symlink_to(target)
    new.replace(place)
