"""Which compiler, assembler and tools build the kernel on this machine.

The cross compiler is found by itself (`i686-linux-gnu-` of Debian, `i686-elf-` of others); the environment's CROSS
names another prefix. `identity` stands for all of them in the keys of the build cache: it changes when one is replaced.
"""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from grader.faults import Ungradable

PREFIXES = ("i686-linux-gnu-", "i686-elf-")
CROSS_TOOLS = ("gcc", "as", "ld", "ar", "objcopy")
TOOLS = ("nasm", "make", "tar")


@dataclass(frozen=True)
class Toolchain:
    """The cross compiler's prefix, the paths of all tools, and a hash that stands for them."""

    cross: str
    tools: tuple[str, ...]
    identity: str


@functools.cache
def find_toolchain() -> Toolchain:
    """Find the tools. Raises Ungradable with all that are missing."""
    wanted = os.environ.get("CROSS", "")
    prefixes = (wanted,) if wanted else PREFIXES
    cross = next((prefix for prefix in prefixes if shutil.which(prefix + "gcc")), prefixes[0])
    names = [*(cross + tool for tool in CROSS_TOOLS), *TOOLS]
    found = {name: shutil.which(name) for name in names}
    missing = [name for name, path in found.items() if path is None]
    if missing:
        raise Ungradable(f"not installed: {', '.join(missing)} (./lab doctor says how to get them)")
    paths = tuple(path for path in found.values() if path is not None)
    return Toolchain(cross, paths, _identity(paths))


def _identity(paths: tuple[str, ...]) -> str:
    """Paths, sizes and times instead of `--version`: nothing has to be run for it."""
    total = hashlib.sha256()
    for path in paths:
        real = Path(path).resolve()
        status = real.stat()
        total.update(f"{path} {real} {status.st_size} {status.st_mtime_ns}\n".encode())
    return total.hexdigest()[:16]
