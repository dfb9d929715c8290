"""Which compiler, assembler and tools build the kernel on this machine.

The cross compiler is found by itself (`i686-linux-gnu-` of Debian, `i686-elf-` of others); the environment's CROSS
names another prefix. `identity` stands for all of them in the keys of the build cache: it changes when one is replaced.
"""

from __future__ import annotations

import functools
import hashlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from grader.faults import Ungradable
from grader.host import programs

PREFIXES = ("i686-linux-gnu-", "i686-elf-")
CROSS_TOOLS = ("gcc", "as", "ld", "ar", "objcopy")
MAKES = ("gmake", "make")
"""GNU make's names: beside an older one, as on macOS, it is called gmake."""
TOOLS = ("nasm", "make", "tar")


@dataclass(frozen=True)
class Toolchain:
    """The cross compiler's prefix, the paths of make and of all tools, and a hash that stands for them."""

    cross: str
    make: str
    tools: tuple[str, ...]
    identity: str


@functools.cache
def find_toolchain() -> Toolchain:
    """Find the tools of this computer. Raises Ungradable with all that are missing."""
    return look_for_toolchain(sys.platform, os.environ.get("PATH", os.defpath), os.environ.get("CROSS", ""))


def look_for_toolchain(platform: str, path: str, wanted: str = "") -> Toolchain:
    """Find the tools for a `sys.platform` and a PATH. `wanted` names the cross compiler's prefix. Raises Ungradable."""
    prefixes = (wanted,) if wanted else PREFIXES
    which = functools.partial(programs.which, platform=platform, path=path)
    cross = next((prefix for prefix in prefixes if which(prefix + "gcc")), prefixes[0])
    found = {name: which(name) for name in (*(cross + tool for tool in CROSS_TOOLS), *TOOLS)}
    found["make"] = programs.first(MAKES, platform=platform, path=path)  # the newer one, where there are two
    missing = [name for name, place in found.items() if place is None]
    if missing:
        raise Ungradable(f"not installed: {', '.join(missing)} (./lab doctor says how to get them)")
    paths = tuple(place for place in found.values() if place is not None)
    return Toolchain(cross, found["make"] or "make", paths, _identity(paths))


def _identity(paths: tuple[str, ...]) -> str:
    """Paths, sizes and times instead of `--version`: nothing has to be run for it."""
    total = hashlib.sha256()
    for path in paths:
        real = Path(path).resolve()
        status = real.stat()
        total.update(f"{path} {real} {status.st_size} {status.st_mtime_ns}\n".encode())
    return total.hexdigest()[:16]
