"""Secrets: found wherever ring 3 could see them, named by place, and not found where the kernel alone can."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import cast

import pytest

from grader.builds.build import Build, build_tree
from grader.host.sandbox import Sandbox
from grader.labs.lab_file import load_lab
from grader.labs.tree import Answer, compose
from grader.machine import Machine, NotAsRequired, secrecy
from grader.machine.secrecy import kept_secret, pieces_of, places_of
from grader.paths import Project
from grader.testing.boots import Boots
from grader.tests.machines import MACHINES

SECRET = bytes.fromhex("5ec2e70f0e1d2c3b4a5968778695a4b3")
KBASE, PAGE = 0xC0000000, 4096


@pytest.fixture(scope="module")
def build() -> Build:
    """The baseline with its probes."""
    project = Project.here()
    return build_tree(project, compose(project, load_lab(project, "baseline"), Answer.parse("own")), Sandbox.detect())


@pytest.fixture(params=MACHINES)
def machine(build: Build, request: pytest.FixtureRequest) -> Iterator[Machine]:
    """The probe `registers` in its child, its parent waiting."""
    sandbox = Sandbox.detect()
    with Boots(build, seed="secrecy", test="memory", sandbox=sandbox, witness=request.param) as boots:
        machine = boots("registers", children=2, steps=100)
        machine.run_to("hash_registers", program="registers")
        yield machine


def test_nothing_is_found_where_nothing_is(machine: Machine) -> None:
    """Nor in memory that the kernel alone can read."""
    machine.write_virtual(machine.symbol("processes"), SECRET)
    assert secrecy.in_memory(machine, SECRET) == []
    kept_secret(machine, SECRET)


def test_memory_is_named_by_address_process_rights_and_frame(machine: Machine) -> None:
    """One sentence that says where to look."""
    address = machine.symbol("probe_log", "registers") + 100
    machine.write_virtual(address, SECRET)
    frame = machine.walk(address).physical
    assert frame is not None
    (leak,) = places_of(machine, SECRET)
    pid = machine.running_process()[0]  # type: ignore[index]
    assert str(leak) == (
        f"memory that ring 3 can read at {address:#010x} of registers (process {pid}) "
        f"(user, writable, frame {frame & -PAGE:#010x})"
    )
    with pytest.raises(NotAsRequired, match=f"^the key is in memory that ring 3 can read at {address:#010x}"):
        kept_secret(machine, SECRET, "the key")


def test_every_process_is_searched(machine: Machine) -> None:
    """The parent waits, its memory is not mapped now: it is found all the same."""
    others = {cr3: name for cr3, name in secrecy.address_spaces(machine).items() if cr3 != machine.registers().cr3}
    cr3, name = next(iter(others.items()))
    machine.write_virtual(machine.symbol("probe_log", "registers"), SECRET, cr3)
    (leak,) = places_of(machine, SECRET)
    assert leak.process == name and name.startswith("registers (process ")


def test_a_piece_of_it_across_two_pages_is_found(machine: Machine) -> None:
    """Half a key is a leak, and pages lie side by side only in the process's view."""
    machine.write_virtual(0xBFFFC000 - 3, SECRET[4:12])
    (leak,) = secrecy.in_memory(machine, SECRET)
    assert leak.address == 0xBFFFC000 - 3


def test_words_below_the_stack_pointer_are_found(machine: Machine) -> None:
    """What a push left there is one word; the same word above it would be no sign of anything."""
    esp = machine.registers().esp
    machine.write_virtual(esp - 40, SECRET[8:12])
    machine.write_virtual(esp + 40, SECRET[:4])
    (leak,) = places_of(machine, SECRET)
    assert str(leak).startswith(f"the stack, 40 bytes below the stack pointer, at {esp - 40:#010x} of registers")


def faked(serial: bytes = b"", **registers: int) -> Machine:
    """A machine that has nothing but this."""
    now = SimpleNamespace(general=lambda: registers, cpl=0)
    return cast(Machine, SimpleNamespace(serial=serial, registers=lambda: now))


def test_registers_are_searched() -> None:
    """Four bytes of it in any of them."""
    word = int.from_bytes(SECRET[5:9], "little")
    (leak,) = secrecy.in_registers(faked(eax=1, ecx=word), SECRET)
    assert str(leak) == f"register ECX ({word:#010x})"
    assert secrecy.in_registers(faked(ecx=word + 1), SECRET) == []


@pytest.mark.parametrize(
    ("said", "where"),
    [
        (b"key " + SECRET[3:11] + b"\n", "the serial output, at byte 4"),
        (b"response " + SECRET.hex().upper().encode(), "the serial output, in hexadecimal digits"),
        (b"5e c2 e7 0f\n0e 1d 2c 3b", "the serial output, in hexadecimal digits"),
        (b"response " + SECRET[:7].hex().encode(), ""),
    ],
)
def test_the_serial_line_is_searched(said: bytes, where: str) -> None:
    """Bytes as they are and as digits."""
    assert [str(leak) for leak in secrecy.on_serial(faked(said), SECRET)] == ([where] if where else [])


def test_pieces_of_a_secret() -> None:
    """Every eight bytes of a short one; of a long one so many that no long run of it lacks one."""
    assert pieces_of(b"abcd") == [b"abcd"]
    assert pieces_of(SECRET) == [SECRET[start : start + 8] for start in range(9)]
    long = bytes(range(256))
    assert all(any(piece in long[start : start + 16] for piece in pieces_of(long)) for start in range(240))
