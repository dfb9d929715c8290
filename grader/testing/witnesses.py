"""A test's second witness: what becomes of it where that emulator is missing, and how a failure names its machine."""

from __future__ import annotations

import functools
from dataclasses import replace

from grader.machine.witness import Witness
from grader.testing.verdict import Outcome, Requirement, Verdict


@functools.cache
def lacking(witness: Witness) -> str:
    """How to install an emulator that is not here; empty when it is. QEMU's own start says that of itself."""
    if witness is Witness.QEMU:
        return ""
    from grader.host import tools  # only for tests that name a second witness

    tool = next(tool for tool in tools.TOOLS if tool.what == witness.label)
    return "" if tools.path_of(tool) else tools.how_to_install(tool)


def missing(requirement: Requirement, witness: Witness) -> Outcome | None:
    """The outcome of a test whose witness is not installed here: ungradable, never passed. None when it is."""
    advice = lacking(witness)
    if not advice:
        return None
    why = f"{witness.label} is not installed here, and this test must pass on it too: {advice}"
    return Outcome(requirement.name, Verdict.UNGRADABLE, why, witness=witness, lasting=True)


def named(requirement: Requirement, outcome: Outcome) -> Outcome:
    """The outcome, its message with the machine in front wherever that is not plain."""
    plain = requirement.witnesses == (Witness.QEMU,) or outcome.verdict is Verdict.PASSED or outcome.lasting
    if plain or outcome.witness is None:
        return outcome
    return replace(outcome, message=f"on {outcome.witness.label}: {outcome.message}")
