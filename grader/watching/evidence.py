"""What a verdict was given for, and what of it holds for another build.

A test's verdict is a function of the test, the seed and the machines it boots. Each machine's disk carries the kernel
and all programs, so that a change of any of them is a change for every test, even one that never starts the program: it
may lie elsewhere in memory. What a test looks up in a program by name (symbols, types, variables) counts too. Line
numbers do not decide about a verdict, but a failure's explanation names them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from grader.builds.build import Build
from grader.builds.image import ImageError, stripped
from grader.machine.symbols import SymbolTable
from grader.testing.verdict import Verdict


@dataclass(frozen=True)
class Evidence:
    """A build, known by its content. All hashes are SHA-256 in hexadecimal."""

    build: Build
    image: str
    """Hash of all that gets onto a disk."""
    files: Mapping[str, str]
    """Hashes of the ELF files in whole, with what is said of source lines: kernel.elf, user/NAME, probes/NAME."""

    @staticmethod
    def of(build: Build) -> Evidence:
        """Read a build, some megabytes. Raises OSError when it is gone from the cache."""
        image = hashlib.sha256(build.kernel_bin.read_bytes() + b"\0" + build.bootstrap_bin.read_bytes())
        files = {}
        for name, path in _elf_files(build).items():
            content = path.read_bytes()
            files[name] = hashlib.sha256(content).hexdigest()
            if path != build.kernel_elf:
                image.update(f"{name}\0".encode() + hashlib.sha256(_loaded(content)).digest())
        return Evidence(build, image.hexdigest(), files)

    def holds_for(self, other: Evidence) -> frozenset[Verdict]:
        """The verdicts, given for this build, that the other one would get too."""
        if self.image != other.image or self.files.keys() != other.files.keys():
            return frozenset()
        if self.files == other.files:
            return frozenset({Verdict.PASSED, Verdict.FAILED})
        ours, theirs = _elf_files(self.build), _elf_files(other.build)
        differ = [name for name in self.files if self.files[name] != other.files[name]]
        same = all(_same_names(ours[name], theirs[name]) for name in differ)
        return frozenset({Verdict.PASSED}) if same else frozenset()


def _elf_files(build: Build) -> dict[str, Path]:
    return {
        "kernel.elf": build.kernel_elf,
        **{f"user/{name}": path for name, path in build.programs.items()},
        **{f"probes/{name}": path for name, path in build.probes.items()},
    }


def _loaded(elf: bytes) -> bytes:
    """What of a program is put on a disk."""
    try:
        return stripped(elf)
    except ImageError:
        return elf


def _same_names(ours: Path, theirs: Path) -> bool:
    """Whether two files with the same code say the same of symbols, types and variables. False when one is gone."""
    try:
        one, other = SymbolTable.load(ours), SymbolTable.load(theirs)
    except OSError:
        return False
    return one.symbols == other.symbols and vars(one.types) == vars(other.types)
