"""The exceptions in Bochs's log of its processor, at the end of which it shut down."""

from __future__ import annotations

import re

from grader.machine.diagnosis import PAGE_FAULT, LoggedException
from grader.machine.registers import Registers

# "00000001715d[CPU0  ] exception(0x0d): error_code=006b", and before page faults the address: with the time in ticks.
_LINE = re.compile(
    r"^(?P<ticks>\d{11})d\[CPU0 *\] (?:exception\(0x(?P<vector>[0-9a-f]{2})\): error_code=(?P<error>[0-9a-f]{4})"
    r"|page fault for address (?P<address>[0-9a-f]{8,16}))",
    re.M,
)


def parse_exceptions(log: str, now: Registers) -> list[LoggedException]:
    """The exceptions at the last instruction that made any: `now` are the registers that it left."""
    lines = list(_LINE.finditer(log))
    found = []
    address = now.cr2
    for line in lines:
        if line["ticks"] != lines[-1]["ticks"]:
            continue
        if line["address"]:
            address = int(line["address"], 16) & 0xFFFFFFFF
            continue
        vector = int(line["vector"], 16)
        cr2 = address if vector == PAGE_FAULT else None
        found.append(LoggedException(vector, int(line["error"], 16), now.cpl, now.cs.selector, now.eip, now.pc, cr2))
    return found
