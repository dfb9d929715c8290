"""What went wrong in a machine, as data and in sentences; and the processor's exceptions in words."""

from __future__ import annotations

import re
from dataclasses import dataclass

EXCEPTIONS = {
    0: "divide error",
    1: "debug exception",
    2: "non-maskable interrupt",
    3: "breakpoint",
    4: "overflow",
    5: "bound range exceeded",
    6: "invalid opcode",
    7: "device not available",
    8: "double fault",
    10: "invalid TSS",
    11: "segment not present",
    12: "stack-segment fault",
    13: "general protection",
    14: "page fault",
    16: "x87 floating-point error",
    17: "alignment check",
    18: "machine check",
    19: "SIMD floating-point error",
}
"""Names by vector (Intel SDM volume 3, table 6-1)."""

PAGE_FAULT, DOUBLE_FAULT = 14, 8
_SELECTOR_ERRORS = (10, 11, 12, 13)


@dataclass(frozen=True)
class Diagnosis:
    """What a stopped machine says of itself. `sentences[0]` alone must make sense: it is the headline."""

    kind: str
    """triple fault, reset, panic, hang, left, exception"""
    sentences: tuple[str, ...]
    serial: str = ""
    """The last lines of the serial line, harmless to show."""

    def text(self) -> str:
        """All sentences, one a line."""
        return "\n".join(self.sentences)


@dataclass(frozen=True)
class LoggedException:
    """One exception that the emulator logged."""

    vector: int
    error_code: int
    cpl: int
    cs: int
    eip: int
    pc: int
    """Linear address: CS base + EIP."""
    cr2: int | None


def exception_name(vector: int) -> str:
    """`page fault (vector 14)`."""
    return f"{EXCEPTIONS.get(vector, 'interrupt')} (vector {vector})"


def an_exception(vector: int) -> str:
    """`a page fault (vector 14)`, `an invalid opcode (vector 6)`."""
    name = exception_name(vector)
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def error_code_in_words(vector: int, error_code: int, address: int | None = None) -> str:
    """The error code decoded; empty for exceptions that have none, or whose code says nothing.

    `address` is what CR2 held, if that is known.
    """
    if vector == PAGE_FAULT:
        ring = "ring 3" if error_code & 4 else "supervisor code"
        access = "execution" if error_code & 16 else "a write" if error_code & 2 else "a read"
        where = f" of {address:#010x}" if address is not None else ""
        page = "whose page is present but forbids it" if error_code & 1 else "whose page is not present"
        reserved = ", with reserved bits set in an entry" if error_code & 8 else ""
        return f"{access}{where} by {ring}, {page}{reserved}"
    if vector in _SELECTOR_ERRORS and error_code:
        table = ("GDT", "IDT", "LDT", "IDT")[error_code >> 1 & 3]
        index = f"vector {error_code >> 3:#x}" if table == "IDT" else f"selector {error_code & 0xFFF8:#x}"
        outside = ", while an event from outside was delivered" if error_code & 1 else ""
        return f"about {index} of the {table}{outside}"
    return ""


_LOGGED = re.compile(
    r"^ *\d+: v=(?P<vector>[0-9a-f]+) e=(?P<error>[0-9a-f]+) i=(?P<software>\d) cpl=(?P<cpl>\d) "
    r"IP=(?P<cs>[0-9a-f]+):(?P<eip>[0-9a-f]+) pc=(?P<pc>[0-9a-f]+) SP=[0-9a-f]+:[0-9a-f]+ (?:CR2=(?P<cr2>[0-9a-f]+))?",
    re.M,
)
_TRIPLE_FAULT = re.compile(r"^Triple fault\b", re.M)


def parse_log(log: str) -> tuple[list[LoggedException], bool]:
    """The exceptions (not INT n) of an emulator's `-d int,cpu_reset` log, and whether it tells of a triple fault."""
    found = []
    for match in _LOGGED.finditer(log):
        vector = int(match["vector"], 16)
        if vector < 32 and match["software"] == "0":
            cr2 = int(match["cr2"], 16) if match["cr2"] and vector == PAGE_FAULT else None
            error, cpl, cs, eip, pc = (int(match[name], 16) for name in ("error", "cpl", "cs", "eip", "pc"))
            found.append(LoggedException(vector, error, cpl, cs, eip, pc, cr2))
    return found, _TRIPLE_FAULT.search(log) is not None


@dataclass(frozen=True)
class FaultLine:
    """A line that the kernel prints when an exception of a process ends it."""

    pid: int
    program: str
    vector: int
    error_code: int
    eip: int
    cr2: int


@dataclass(frozen=True)
class PanicLine:
    """A kernel's panic: the reason as printed, and for exceptions their numbers."""

    reason: str
    vector: int | None = None
    error_code: int = 0
    eip: int = 0
    cr2: int = 0


_FAULT_LINE = re.compile(
    rb"^fault: process (\d+) \(([^)\n]{0,40})\) vector (\d+) \([^)\n]*\) error_code 0x([0-9a-fA-F]+) "
    rb"eip 0x([0-9a-fA-F]{1,8}) cr2 0x([0-9a-fA-F]{1,8})",
    re.M,
)
_PANIC_LINE = re.compile(rb"^PANIC: ([^\r\n]{0,300})", re.M)
_PANIC_NUMBERS = re.compile(
    rb"vector (\d+) \([^)\n]*\) error_code 0x([0-9a-fA-F]+) eip 0x([0-9a-fA-F]{1,8}) cr2 0x([0-9a-fA-F]{1,8})"
)


def fault_lines(output: bytes) -> list[FaultLine]:
    """All processes that the kernel says it ended because of an exception, in their order."""
    return [
        FaultLine(int(pid), name.decode("utf-8", "replace"), int(vector), int(code, 16), int(eip, 16), int(cr2, 16))
        for pid, name, vector, code, eip, cr2 in _FAULT_LINE.findall(output)
        if len(pid) < 10 and len(vector) < 10 and len(code) < 10
    ]


def panic_line(output: bytes) -> PanicLine | None:
    """The last panic that the kernel printed."""
    found = _PANIC_LINE.findall(output)
    if not found:
        return None
    reason = found[-1].decode("utf-8", "replace")
    numbers = _PANIC_NUMBERS.match(found[-1])
    if numbers is None or max(map(len, numbers.groups())) > 9:
        return PanicLine(reason)
    vector, code, eip, cr2 = numbers.groups()
    return PanicLine(reason, int(vector), int(code, 16), int(eip, 16), int(cr2, 16))
