"""A person at Bochs's own debugger: what is typed is answered, and the conversation ends when the person wants."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from grader.interactive.bochs_debugger import converse
from grader.machine import Machine
from grader.machine.faults import NotOnThisMachine
from grader.machine.witness import Witness
from grader.testing.witnesses import lacking
from grader.tests.boot_sectors import PROTECTED_MODE, boot_sector

IMAGE = boot_sector(PROTECTED_MODE + "\nmov eax, 0x539\nhere: jmp here\n")
HERE = 0x7C00 + IMAGE.index(b"\xeb\xfe")


def typed(monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    """What `input` gives, and then the end of the input."""
    left: Iterator[str] = iter(lines)

    def answer(_prompt: str) -> str:
        line = next(left, None)
        if line is None:
            raise EOFError
        return line

    monkeypatch.setattr("builtins.input", answer)


@pytest.mark.skipif(bool(lacking(Witness.BOCHS)), reason="Bochs is not installed")
def test_what_is_typed_is_answered(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Registers, code, mistakes; after a step the place is said."""
    typed(monkeypatch, "r", "u /1", "", "nonsense", "s", "q", "never asked")
    with Machine.start(IMAGE, witness=Witness.BOCHS) as machine:
        machine.run_to(HERE)
        converse(machine)
    said = capsys.readouterr().out
    assert "00000539" in said
    assert f"jmp .-2  ({HERE:#010x})" in said
    assert "syntax error at 'nonsense'" in said
    assert said.endswith(f"at {HERE:#010x}\n")


def test_qemu_is_not_asked_so() -> None:
    """GDB looks into it."""
    with Machine.start(IMAGE) as machine, pytest.raises(NotOnThisMachine, match="QEMU is looked into by GDB"):
        machine.ask_bochs("r")
