"""Drives an emulator and looks at the machine inside: see `machine` for how a test uses it.

The names below are what tests need; each is imported when it is first asked for, so that whoever needs only the
decoders (GDB's Python, which may be older) does not load the rest.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from grader.faults import Ungradable
    from grader.machine.diagnosis import Diagnosis
    from grader.machine.execution import Stop
    from grader.machine.faults import (
        GuestLeft,
        Hang,
        KernelPanic,
        MachineReset,
        MachineStopped,
        NotAsRequired,
        NotOnThisMachine,
        ProbeEnded,
        TripleFault,
        UnreadableMemory,
    )
    from grader.machine.machine import Machine
    from grader.machine.registers import Registers
    from grader.machine.report import Report
    from grader.machine.symbols import SymbolMissing, SymbolTable

__all__ = [
    "Diagnosis",
    "GuestLeft",
    "Hang",
    "KernelPanic",
    "Machine",
    "MachineReset",
    "MachineStopped",
    "NotAsRequired",
    "NotOnThisMachine",
    "ProbeEnded",
    "Registers",
    "Report",
    "Stop",
    "SymbolMissing",
    "SymbolTable",
    "TripleFault",
    "Ungradable",
    "UnreadableMemory",
]

_HOMES = {
    "Diagnosis": "diagnosis",
    "Machine": "machine",
    "Registers": "registers",
    "Report": "report",
    "Stop": "execution",
    "SymbolMissing": "symbols",
    "SymbolTable": "symbols",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES.get(name, 'faults')}"), name)
