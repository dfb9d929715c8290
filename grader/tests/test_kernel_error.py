"""The errors that tests know are the kernel's."""

from __future__ import annotations

import re
from pathlib import Path

from grader.testing.kernel_error import KILLED_STATUS, KernelError, fault_status

KERNEL = Path(__file__).resolve().parents[2] / "kernel"


def test_the_numbers_are_those_of_the_kernels_header() -> None:
    """Every error of kernel/error.h, and no other, has its number here."""
    header = (KERNEL / "error.h").read_text(encoding="utf-8")
    numbers = {name: int(value) & 0xFFFFFFFF for name, value in re.findall(r"\b(E_\w+) = (-\d+)", header)}
    assert numbers == {error.name: error.value for error in KernelError}


def test_the_exit_statuses_are_those_of_the_kernels_header() -> None:
    """EXIT_FAULT and EXIT_KILLED are defined as the tests know them."""
    header = (KERNEL / "system_call.h").read_text(encoding="utf-8")
    assert "EXIT_FAULT(vector) (-(256 + (int)(vector)))" in header
    assert fault_status(14) == -270 & 0xFFFFFFFF
    found = re.search(r"EXIT_KILLED\s+\((-\d+)\)", header)
    assert found is not None and int(found[1]) & 0xFFFFFFFF == KILLED_STATUS
