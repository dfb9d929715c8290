"""What kernels and the emulator's log say of exceptions, read and put into words."""

from __future__ import annotations

import pytest

from grader.machine.diagnosis import an_exception, error_code_in_words, fault_lines, panic_line, parse_log

LOG = """
     0: v=08 e=0000 i=0 cpl=0 IP=f000:000000000000e987 pc=00000000000fe987 SP=0000:0000000000006f00 env->regs[R_EAX]=0
EAX=00000000
     1: v=80 e=0000 i=1 cpl=3 IP=001b:00400010 pc=00400010 SP=0023:bfffdf00 env->regs[R_EAX]=00000001
check_exception old: 0xffffffff new 0xe
     2: v=0e e=0002 i=0 cpl=0 IP=0008:c0101234 pc=c0101234 SP=0010:c0108000 CR2=00000010
     3: v=08 e=0000 i=0 cpl=0 IP=0008:c0101234 pc=c0101234 SP=0010:c0108000 env->regs[R_EAX]=00000001
check_exception old: 0x8 new 0xd
Triple fault
CPU Reset (CPU 0)
"""


def test_the_emulators_log() -> None:
    """Exceptions with their numbers; INT n is none; a triple fault is told from a reset."""
    found, triple = parse_log(LOG)
    assert triple
    assert [exception.vector for exception in found[1:]] == [14, 8]
    assert (found[1].error_code, found[1].eip, found[1].cr2, found[1].cpl) == (2, 0xC0101234, 0x10, 0)
    assert found[2].cr2 is None
    assert parse_log(LOG.replace("Triple fault", ""))[1] is False


@pytest.mark.parametrize(
    ("vector", "code", "words"),
    [
        (14, 0, "a read by supervisor code, whose page is not present"),
        (14, 7, "a write by ring 3, whose page is present but forbids it"),
        (13, 0x28, "about selector 0x28 of the GDT"),
        (13, 0x33 * 8 + 2, "about vector 0x33 of the IDT"),
        (11, 0x14, "about selector 0x10 of the LDT"),
        (13, 0, ""),
        (6, 0, ""),
    ],
)
def test_error_codes_in_words(vector: int, code: int, words: str) -> None:
    """As the manual's figures of the error code."""
    assert error_code_in_words(vector, code) == words


def test_names() -> None:
    """With their article."""
    assert an_exception(14) == "a page fault (vector 14)"
    assert an_exception(6) == "an invalid opcode (vector 6)"


def test_processes_that_the_kernel_ended() -> None:
    """Its line, to the last number."""
    output = (
        b"539> crash\r\n"
        b"fault: process 3 (crash) vector 14 (page fault) error_code 0x6 eip 0x00400123 cr2 0x00000010\r\n"
        b"no fault: process 4 (x) vector 1 (debug) error_code 0x0 eip 0x00000000 cr2 0x00000000\n"
    )
    (found,) = fault_lines(output)
    assert (found.pid, found.program, found.vector, found.error_code) == (3, "crash", 14, 6)
    assert (found.eip, found.cr2) == (0x400123, 0x10)


def test_a_line_that_lies_is_harmless() -> None:
    """Numbers too long to be any are no fault line."""
    assert fault_lines(b"fault: process " + b"9" * 5000 + b" (x) vector 1 (y) error_code 0x0 eip 0x0 cr2 0x0\n") == []


def test_panics() -> None:
    """With numbers and without; the last one counts."""
    assert panic_line(b"all is well\n") is None
    said = panic_line(b"PANIC: first\nPANIC: out of memory\n")
    assert said is not None
    assert (said.reason, said.vector) == ("out of memory", None)
    said = panic_line(b"PANIC: vector 13 (general protection) error_code 0x28 eip 0xc0100000 cr2 0x00000000\n")
    assert said is not None
    assert (said.vector, said.error_code, said.eip) == (13, 0x28, 0xC0100000)
