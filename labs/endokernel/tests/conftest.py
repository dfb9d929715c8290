"""Fixtures of several of this lab's test files."""

from __future__ import annotations

from typing import Any

import pytest
from mediated import PRIVUSER_END, PRIVUSER_START, EntryOf, Start, content

from grader.machine import Machine
from grader.testing import seeds
from grader.testing.boots import Boots


@pytest.fixture
def entry_of() -> EntryOf:
    """Where the monitor of a program is entered, as the header of its PrivUser has it."""

    def entry(machine: Machine, program: str) -> int:
        address = int.from_bytes(machine.table(program).code_at(PRIVUSER_START + 8, 4), "little")
        said = f"the PrivUser header of {program} has {address:#x} as its system_call_entry, which is not in PrivUser"
        assert PRIVUSER_START <= address < PRIVUSER_END, said
        return address

    return entry


@pytest.fixture
def secret(seed: int) -> bytes:
    """The file `secret` of this run, which nothing in the machine knows."""
    return b"".join(seeds.number(str(seed), "secret", place).to_bytes(8, "little") for place in range(64))


@pytest.fixture
def boot_domains(boot: Boots, secret: bytes, seed: int) -> Start:
    """Boots a probe with the secret and a public file on the disk."""

    def start(probe: str, **parameters: Any) -> Machine:
        files = {"secret": secret, "public": content(seed & 0xFFFFFFFF, 600)}
        programs = {"borrower": "borrower", "modules": "modules", "filer": "filer"}
        return boot(probe, files=files, programs=programs, seed=seed & 0xFFFFFFFF, **parameters)

    return start
