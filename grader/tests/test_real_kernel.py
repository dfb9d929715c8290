"""The baseline's own kernel as the machine layer finds it: what a layout or a moment of it asks of the grader."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from grader.builds.build import Build, build_tree
from grader.host.sandbox import Sandbox
from grader.labs.lab_file import load_lab
from grader.labs.tree import Answer, compose
from grader.machine import Machine
from grader.machine.execution import PANIC_FUNCTION, PROBE_END
from grader.machine.symbols import SymbolTable
from grader.paths import Project
from grader.testing.boots import Boots

PAGE_BYTES = 4096


@pytest.fixture(scope="module")
def build() -> Build:
    """The baseline, built once for all checks of this checkout."""
    project = Project.here()
    return build_tree(project, compose(project, None, Answer("none")), Sandbox.detect())


@pytest.fixture
def machine(build: Build) -> Iterator[Machine]:
    """A machine with it, before its first instruction."""
    with Boots(build, seed="real", test="kernel", sandbox=Sandbox.detect()) as boots:
        yield boots(None)


def test_the_breakpoint_for_panics_slows_nothing_else(machine: Machine) -> None:
    """QEMU runs a page with a breakpoint ten times slower, and a hang there would take a test half a minute."""
    page = machine.symbol(PANIC_FUNCTION) // PAGE_BYTES
    others = [name for name in ("panic", "page_map", "interrupt_handler") if machine.symbol(name) // PAGE_BYTES == page]
    assert not others
    assert machine.symbol(PANIC_FUNCTION) % PAGE_BYTES == 0


def test_no_process_runs_before_the_first(machine: Machine) -> None:
    """A null pointer to the running process is nobody, whatever the page at 0 holds while the kernel starts."""
    machine.run_to("kernel_main")
    assert machine.read_u32(machine.symbol("current_process")) == 0
    assert machine.running_process() is None


def test_the_breakpoint_for_a_probes_end_slows_no_program() -> None:
    """All programs lie at the same addresses, so that page must be empty in each of them but for the end itself."""
    project = Project.here()
    tree = compose(project, load_lab(project, "baseline"), Answer("none"))
    built = build_tree(project, tree, Sandbox.detect())
    end = SymbolTable.load(built.probes["spawns"]).address(PROBE_END)
    for program in [*built.programs.values(), *built.probes.values()]:
        symbols = SymbolTable.load(program).symbols.values()
        there = {symbol.name for symbol in symbols if symbol.address // PAGE_BYTES == end // PAGE_BYTES}
        assert there <= {PROBE_END, "PROGRAM_BASE"}, program.stem


def test_a_probes_end_is_known_for_its_own() -> None:
    """It is on a page of its own, the same in every probe: what else is in memory tells them apart."""
    project = Project.here()
    built = build_tree(project, compose(project, load_lab(project, "baseline"), Answer("none")), Sandbox.detect())
    for probe in ("memory", "pointers", "printing"):
        with Boots(built, seed="real", test="end", sandbox=Sandbox.detect()) as boots:
            machine = boots(probe)
            machine.run_to(PROBE_END, program=probe, awaited="the probe's end")
            assert machine.backtrace()[0].endswith(f" of the program {probe}")
            there = machine.eip()
            assert [name for name in machine.programs if machine.runs_program(name, there)] == [probe]
