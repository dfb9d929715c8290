"""The processor's registers as Bochs's debugger shows them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from grader.machine.descriptors import decode_segment
from grader.machine.registers import Registers, SegmentRegister, TableRegister

QUESTIONS = ("r", "sreg", "creg", "dreg", 'show "cpu0.activity_state"')
"""What to ask for `parse_registers`."""

_GENERAL = re.compile(r"^r([a-z]{2}): [0-9a-f]{8}_([0-9a-f]{8})", re.M)
_FLAGS = re.compile(r"^eflags 0x([0-9a-f]{8})", re.M)
_SEGMENT = re.compile(r"^(\w+):0x([0-9a-f]{4}), dh=0x([0-9a-f]{8}), dl=0x([0-9a-f]{8}), valid=(\d+)", re.M)
_TABLE = re.compile(r"^(gdtr|idtr):base=0x([0-9a-f]+), limit=0x([0-9a-f]+)", re.M)
_CONTROL = re.compile(r"^CR([0-4])=(?:page fault laddr=)?0x([0-9a-f]+)", re.M)
_DEBUG = re.compile(r"^DR([0-7])=0x([0-9a-f]+)", re.M)
_ACTIVITY = re.compile(r"activity_state = 0x([0-9a-f]+)")

_MASK = 0xFFFFFFFF
_ACCESS = 0x00FFFF00  # without the base's bits
_HALTED = 1
_VIRTUAL_8086 = 1 << 17


def parse_registers(answers: Sequence[str]) -> Registers:
    """Read the answers to `QUESTIONS`. Raises ValueError when they are not that."""
    text = "\n".join(answers)
    general = {f"e{name}": int(value, 16) for name, value in _GENERAL.findall(text)}
    segments = {name: _segment(*words) for name, *words in _SEGMENT.findall(text)}
    tables = {name: TableRegister(int(base, 16) & _MASK, int(limit, 16)) for name, base, limit in _TABLE.findall(text)}
    control = {int(number): int(value, 16) & _MASK for number, value in _CONTROL.findall(text)}
    debug = {int(number): int(value, 16) & _MASK for number, value in _DEBUG.findall(text)}
    flags, activity = _FLAGS.search(text), _ACTIVITY.search(text)
    if flags is None or activity is None:
        raise ValueError("Bochs's registers lack EFLAGS or the state of activity")
    eflags = int(flags[1], 16)
    try:
        return Registers(
            eax=general["eax"],
            ebx=general["ebx"],
            ecx=general["ecx"],
            edx=general["edx"],
            esi=general["esi"],
            edi=general["edi"],
            ebp=general["ebp"],
            esp=general["esp"],
            eip=general["eip"],
            eflags=eflags,
            cpl=_cpl(control[0], eflags, segments["cs"].selector),
            halted=int(activity[1], 16) == _HALTED,
            cs=segments["cs"],
            ss=segments["ss"],
            ds=segments["ds"],
            es=segments["es"],
            fs=segments["fs"],
            gs=segments["gs"],
            ldtr=segments["ldtr"],
            tr=segments["tr"],
            gdtr=tables["gdtr"],
            idtr=tables["idtr"],
            cr0=control[0],
            cr2=control[2],
            cr3=control[3],
            cr4=control[4],
            debug=tuple(debug.get(number, 0) for number in (0, 1, 2, 3, 6, 7)),
        )
    except KeyError as error:
        raise ValueError(f"Bochs's registers lack {error}") from error


def _cpl(cr0: int, eflags: int, cs: int) -> int:
    if not cr0 & 1:
        return 0
    return 3 if eflags & _VIRTUAL_8086 else cs & 3


def _segment(selector: str, high: str, low: str, valid: str) -> SegmentRegister:
    """A register from its selector and descriptor. An unusable one (null) holds nothing, as QEMU shows it too."""
    number = int(selector, 16)
    if not int(valid):
        return SegmentRegister(number, 0, 0, 0)
    found = decode_segment(0, (int(low, 16) | int(high, 16) << 32).to_bytes(8, "little"))
    return SegmentRegister(number, found.base, found.limit, int(high, 16) & _ACCESS)
