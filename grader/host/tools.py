"""The programs that Kernelist needs: which there are, in which version, which version is enough, and how each system
installs them.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import grader
from grader.faults import Ungradable
from grader.host import programs

_VERSION = re.compile(r"\b(\d+)\.(\d+)(?:\.(\d+))?\b")

_EMULATORS = ("/usr/libexec/qemu-system-i386", "qemu-system-i386")
"""Debian's /usr/bin/qemu-system-i386 is a shell script that picks this one: going around it saves milliseconds."""


@dataclass(frozen=True)
class Tool:
    """A program: its possible names, best first, why it is needed, the least version, and its packages by system."""

    what: str
    names: tuple[str, ...]
    why: str
    least: tuple[int, ...]
    required: bool
    packages: dict[str, str] = field(default_factory=dict)
    systems: tuple[str, ...] = ("Linux", "Darwin")
    arguments: tuple[str, ...] = ("--version",)
    variable: str = ""
    """The environment variable that names another one."""


TOOLS = (
    Tool(
        "QEMU",
        _EMULATORS,
        "the machine that kernels run on",
        (7, 2),
        True,
        {"apt": "qemu-system-x86", "dnf": "qemu-system-x86-core", "pacman": "qemu-system-x86", "brew": "qemu"},
        variable="KERNELIST_QEMU",
    ),
    Tool(
        "cross compiler",
        ("i686-linux-gnu-gcc", "i686-elf-gcc"),
        "compiles kernels for i686",
        (9, 0),
        True,
        {
            "apt": "gcc-i686-linux-gnu",
            "dnf": "gcc-x86_64-linux-gnu (or build i686-elf-gcc)",
            "pacman": "i686-elf-gcc (from the AUR)",
            "brew": "i686-elf-gcc",
        },
    ),
    Tool(
        "nasm",
        ("nasm",),
        "assembles kernels",
        (2, 14),
        True,
        dict.fromkeys(("apt", "dnf", "pacman", "brew"), "nasm"),
        arguments=("-v",),
    ),
    Tool(
        "GNU make",
        ("gmake", "make"),
        "builds kernels",
        (4, 0),
        True,
        dict.fromkeys(("apt", "dnf", "pacman", "brew"), "make"),
    ),
    Tool(
        "bubblewrap",
        ("bwrap",),
        "the sandbox: without it a hand-in runs with your own rights",
        (0, 8),
        False,
        dict.fromkeys(("apt", "dnf", "pacman"), "bubblewrap"),
        ("Linux",),
    ),
    Tool(
        "GDB",
        ("gdb", "gdb-multiarch", "i386-elf-gdb", "i686-elf-gdb", "x86_64-elf-gdb"),
        "./lab debug",
        (10, 0),
        False,
        {"apt": "gdb", "dnf": "gdb", "pacman": "gdb", "brew": "i686-elf-gdb"},
    ),
    Tool(
        "Bochs",
        ("bochs",),
        "the second emulator, where QEMU checks less than hardware does",
        (2, 7),
        False,
        {"apt": "bochs bochs-term bochsbios vgabios", "dnf": "bochs", "pacman": "bochs", "brew": "bochs"},
        arguments=("--help",),
        variable="KERNELIST_BOCHS",
    ),
)


@dataclass(frozen=True)
class Found:
    """A tool as it was found; `path` is None when it was not."""

    tool: Tool
    path: Path | None
    version: str
    """As the program says it, or empty when it did not."""

    @property
    def fits(self) -> bool:
        """Whether it is there and new enough. A version that cannot be read is given the benefit of the doubt."""
        if self.path is None:
            return False
        numbers = _VERSION.search(self.version)
        if numbers is None:
            return True
        return tuple(int(part or 0) for part in numbers.groups()) >= self.tool.least


def find(tool: Tool) -> Found:
    """Look for a tool and ask its version."""
    path = path_of(tool)
    return Found(tool, None, "") if path is None else Found(tool, path, _version_of(str(path), tool.arguments))


def path_of(tool: Tool) -> Path | None:
    """Where a tool is, or None when it is not here."""
    chosen = os.environ.get(tool.variable) if tool.variable else None
    path = programs.first((chosen,) if chosen else tool.names)
    return None if path is None else Path(path)


def find_all(tools: Sequence[Tool] = TOOLS) -> list[Found]:
    """Look for the tools that this system can have, all at once."""
    wanted = [tool for tool in tools if platform.system() in tool.systems]
    with ThreadPoolExecutor(len(wanted)) as pool:
        return list(pool.map(find, wanted))


def _version_of(path: str, arguments: Sequence[str]) -> str:
    """The version in the first lines that the program prints."""
    try:
        done = subprocess.run(
            [path, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=10,
            check=False,
            env={**os.environ, "LC_ALL": "C"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    said = (done.stdout + done.stderr).decode("utf-8", "replace")
    # A compiler's first line may name its packager's version before its own: the last one on the line is its own.
    for line in said.splitlines()[:12]:
        found = _VERSION.findall(re.sub(r"\(.*?\)", "", line)) or _VERSION.findall(line)
        if found:
            return ".".join(part for part in found[-1] if part)
    return ""


def needed_for_a_verdict() -> list[Found]:
    """The tools that a verdict depends on, as they were found."""
    return find_all([tool for tool in TOOLS if tool.required or tool.what in ("bubblewrap", "Bochs")])


def versions(found: Sequence[Found]) -> dict[str, str]:
    """Versions, for result.json."""
    told = {one.tool.what: one.version or "unknown" for one in found if one.path is not None}
    return {"kernelist": grader.VERSION, "python": platform.python_version(), **told}


def check(found: Sequence[Found]) -> None:
    """Raise Ungradable when a required tool is too old, saying how to install it. Whoever needs a missing one tells."""
    for one in found:
        if one.tool.required and one.path is not None and not one.fits:
            least = ".".join(map(str, one.tool.least))
            raise Ungradable(
                f"{one.tool.what} {one.version} at {one.path} is too old, {least} or newer is needed: "
                f"{how_to_install(one.tool)}"
            )


def installer() -> str:
    """The package manager of this system: apt, dnf, pacman, brew, or empty when none is known."""
    for name, command in (("apt", "apt-get"), ("dnf", "dnf"), ("pacman", "pacman"), ("brew", "brew")):
        if programs.which(command):
            return name
    return ""


def how_to_install(tool: Tool) -> str:
    """The command that installs a tool here, or what it is called elsewhere."""
    commands = {
        "apt": "sudo apt-get install",
        "dnf": "sudo dnf install",
        "pacman": "sudo pacman -S",
        "brew": "brew install",
    }
    system = installer()
    if system in tool.packages:
        return f"{commands[system]} {tool.packages[system]}"
    listed = "; ".join(f"{name}: {package}" for name, package in tool.packages.items())
    return f"install it ({listed})"
