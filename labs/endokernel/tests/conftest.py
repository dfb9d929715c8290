"""Fixtures of several of this lab's test files."""

from __future__ import annotations

import pytest
from mediated import PRIVUSER_END, PRIVUSER_START, EntryOf

from grader.machine import Machine


@pytest.fixture
def entry_of() -> EntryOf:
    """Where the monitor of a program is entered, as the header of its PrivUser has it."""

    def entry(machine: Machine, program: str) -> int:
        address = int.from_bytes(machine.table(program).code_at(PRIVUSER_START + 8, 4), "little")
        said = f"the PrivUser header of {program} has {address:#x} as its system_call_entry, which is not in PrivUser"
        assert PRIVUSER_START <= address < PRIVUSER_END, said
        return address

    return entry
