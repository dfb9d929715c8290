"""The emulators for tests of what works on each: those that are installed here, the others told as skipped."""

from __future__ import annotations

import pytest

from grader.machine.witness import Witness
from grader.testing.witnesses import lacking

MACHINES = [
    Witness.QEMU,
    pytest.param(
        Witness.BOCHS, marks=pytest.mark.skipif(bool(lacking(Witness.BOCHS)), reason="Bochs is not installed")
    ),
]
