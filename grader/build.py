"""Builds a tree: kernel, programs and probes, in the sandbox, once for every content.

(being written: the classes and signatures below are what the other parts use)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from grader.faults import HandinFault
from grader.paths import Project
from grader.sandbox import Sandbox
from grader.tree import Tree


class BuildFailed(HandinFault):
    """The answer does not compile. `str()` is the compiler's message, first error first, harmless to show."""


@dataclass(frozen=True)
class Build:
    """What was built, in the cache: never write there. `programs` and `probes` map a name to its ELF file."""

    tree: Path
    output: Path
    kernel_elf: Path
    kernel_bin: Path
    bootstrap_bin: Path
    programs: Mapping[str, Path]
    probes: Mapping[str, Path]


def build_tree(project: Project, tree: Tree, sandbox: Sandbox, *, optimize: str = "-O2") -> Build:
    """Build `tree`, or find it built. Raises BuildFailed (0 points) or Ungradable (no compiler, disk full)."""
    raise NotImplementedError
