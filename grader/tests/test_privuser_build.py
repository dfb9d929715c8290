"""Programs with a PrivUser or domains: what lies where, and what may be named across the border."""

from __future__ import annotations

from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from grader.builds.build import Build, BuildFailed, build_tree
from grader.host.sandbox import Sandbox
from grader.labs.tree import Answer, compose
from grader.paths import Project
from grader.tests.small_project import put, small_lab, small_project

SANDBOX = Sandbox.detect()

PROGRAM = """#include "library.h"
int entry_open(int value);
int helper(void);
int entry_open(int value)
{
    return value;
}
int helper(void)
{
    return 1;
}
__attribute__((section(".domain2"))) int own = 2;
int main(void)
{
    return helper();
}
"""
PRIVUSER = """int entry_open(int value);
int (*const entries[])(int) = {entry_open};
int secret = 5;
"""
HEADER = """__attribute__((used, section(".header"))) static const int magic = 0x539;
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A small project with a program `safe`, and a probe of the same form, that has a PrivUser and a domain."""
    project = small_project(tmp_path / "project")
    put(project.root, {"kernel/user/privuser/header.c": HEADER})
    put(project.root, {"kernel/user/safe.c": PROGRAM, "kernel/user/safe_privuser.c": PRIVUSER})
    probe = PROGRAM.replace('"library.h"', '"probe.h"')
    put(project.lab("small"), {"probes/prober.c": probe, "probes/prober_privuser.c": PRIVUSER})
    return project


def build(project: Project) -> Build:
    """The reference of its lab, built."""
    return build_tree(project, compose(project, small_lab(project), Answer("reference")), SANDBOX)


def symbols(elf: Path) -> dict[str, tuple[int, str]]:
    """Address and binding of each symbol."""
    with elf.open("rb") as file:
        table = ELFFile(file).get_section_by_name(".symtab")  # type: ignore[no-untyped-call]
        return {symbol.name: (symbol["st_value"], symbol["st_info"]["bind"]) for symbol in table.iter_symbols()}


def test_privuser_and_domains_lie_where_the_kernel_looks(project: Project) -> None:
    """The header first, variables behind the code; nothing of PrivUser can be named outside, in programs and probes."""
    built = build(project)
    assert list(built.programs) == ["safe", "shell"] and list(built.probes) == ["knock", "prober"]
    for elf in (built.programs["safe"], built.probes["prober"]):
        found = symbols(elf)
        assert found["magic"] == (0xA0000000, "STB_LOCAL")
        assert found["secret"][0] % 0x1000 == 0 and found["secret"][0] > found["entries"][0] > 0xA0000000
        assert found["secret"][1] == "STB_LOCAL"
        assert found["own"][0] == 0x80800000
        assert found["entry_open"][0] < 0x80000000


def test_privuser_code_names_entries_outside_and_nothing_else(project: Project) -> None:
    """What ring 2 called outside would be code that ring 3 may change; an entry's address it only hands on."""
    put(project.root, {"kernel/user/safe_privuser.c": PRIVUSER + "int helper(void);\nint (*call)(void) = helper;\n"})
    with pytest.raises(
        BuildFailed, match=r"user/safe_privuser\.c: error: PrivUser code uses helper, which lies outside"
    ):
        build(project)
