"""Drives an emulator and looks at the machine inside: see `machine` for how a test uses it."""

from grader.faults import Ungradable
from grader.machine.diagnosis import Diagnosis
from grader.machine.faults import (
    GuestLeft,
    Hang,
    KernelPanic,
    MachineReset,
    MachineStopped,
    NotAsRequired,
    TripleFault,
    UnreadableMemory,
)
from grader.machine.machine import Machine, Stop
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
    "Registers",
    "Report",
    "Stop",
    "SymbolMissing",
    "SymbolTable",
    "TripleFault",
    "Ungradable",
    "UnreadableMemory",
]
