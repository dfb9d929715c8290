"""`must_report`: reports are judged in the test's order, also those of a machine that stopped before the end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest

from grader.faults import Ungradable
from grader.machine.diagnosis import Diagnosis
from grader.machine.faults import Hang, KernelPanic, MachineStopped, NotAsRequired, ProbeEnded
from grader.machine.machine import Machine
from grader.machine.report import Report
from grader.testing.kernel_error import KernelError
from grader.testing.reported import come_to, must_report

E_DEAD = KernelError.E_DEAD

WANTED: dict[str, Any] = {
    "no_spawn": "a spawn returned",
    "send": (E_DEAD, "a send to a dead process returned"),
    "order": (0x12, "two senders were served in the order", lambda word: " ".join(f"{word:x}")),
    "woken": (1, "a waiting process was woken", {0: "a process slept on", None: "a process waited for ever"}),
}
"""What a test might want."""


class Guest:
    """As much of a machine as is needed: what it reported, and why it stopped, if it did."""

    def __init__(self, stopped: Callable[[str], Exception] | None = None, **reports: int) -> None:
        self._stopped = stopped
        self._reports = reports

    @property
    def serial(self) -> bytes:
        """The reports as the console has them."""
        return "".join(f"probe {key}=0x{value:08x}\n" for key, value in self._reports.items()).encode()

    def finish(self, awaited: Callable[[], str]) -> Report:
        """The end, or another stop."""
        if self._stopped is not None:
            raise self._stopped(awaited())
        return Report(list(self._reports.items()))

    def run_to(self, where: str, *, program: str, awaited: str) -> None:
        """Stops in any case."""
        assert self._stopped is not None
        raise self._stopped(f"{where} of {program}: {awaited}")


def hang(missed: str) -> Hang:
    """As `explain.hang` puts it."""
    return Hang(Diagnosis("hang", (f"{missed} within 2 s: the machine is idle for ever.", "Processes: none.")))


def panic(_missed: str) -> KernelPanic:
    """A panic has nothing of what was awaited."""
    return KernelPanic(Diagnosis("panic", ("The kernel panicked: out of luck", "More.")))


def said(machine: Guest, meanwhile: Callable[[Machine], object] | None = None) -> str:
    """The first line of the failure, which is what a student reads."""
    return str(failed(machine, meanwhile)).split("\n")[0]


def failed(machine: Guest, meanwhile: Callable[[Machine], object] | None = None) -> NotAsRequired | MachineStopped:
    """The failure."""
    with pytest.raises((NotAsRequired, MachineStopped)) as failure:
        must_report(cast(Machine, machine), meanwhile, **WANTED)
    return cast(NotAsRequired | MachineStopped, failure.value)


def test_all_as_wanted() -> None:
    """The report comes back, for what else the test wants to see in it."""
    report = must_report(cast(Machine, Guest(send=E_DEAD, order=0x12, woken=1, more=7)), **WANTED)
    assert report["more"] == 7


@pytest.mark.parametrize(
    ("reports", "message"),
    [
        ({"send": 0, "order": 0x21}, "a send to a dead process returned 0 (success) instead of E_DEAD"),
        ({"send": E_DEAD, "order": 0x21}, "two senders were served in the order 2 1 instead of 1 2"),
        ({"send": E_DEAD, "order": 0x12, "woken": 0}, "a process slept on"),
    ],
)
@pytest.mark.parametrize("stopped", [None, hang, panic])
def test_the_first_wrong_report_is_told(
    reports: dict[str, int], message: str, stopped: Callable[[str], Exception] | None
) -> None:
    """Whatever came of it: a hang or a panic later on says less."""
    assert said(Guest(stopped, **reports)) == message


def test_a_report_that_never_came_is_told() -> None:
    """When what was reported is right: by its clause, or by the sentence that a test has for that."""
    idle = "within 2 s: the machine is idle for ever."
    assert said(Guest(hang)) == f"a send to a dead process returned nothing {idle}"
    assert said(Guest(hang, send=E_DEAD, order=0x12)) == f"a process waited for ever {idle}"
    whole = Guest(hang, send=E_DEAD, order=0x12, woken=1)
    assert said(whole) == f"the probe's end, after its last report, never came {idle}"
    assert said(Guest(panic, send=E_DEAD, order=0x12)) == (
        "The kernel panicked: out of luck. A process waited for ever."
    )
    assert said(Guest(send=E_DEAD, order=0x12)) == "a process waited for ever, though the probe came to its end"


def test_a_probe_that_gave_up_says_why() -> None:
    """Unless something that it reported before was wrong already."""
    assert said(Guest(send=E_DEAD, no_spawn=0xFFFFFFFA)) == "a spawn returned E_FULL, and the test could go no further"
    assert said(Guest(send=0, no_spawn=0xFFFFFFFA)).startswith("a send to a dead process returned 0")


@pytest.mark.parametrize("stopped", [None, hang, panic])
def test_a_failure_names_its_report(stopped: Callable[[str], Exception] | None) -> None:
    """So that the line of the test's table can be shown: of the one that is wrong, or that never came."""
    assert failed(Guest(stopped, send=0)).report == "send"
    assert failed(Guest(stopped, send=E_DEAD, order=0x12, woken=0)).report == "woken"
    assert failed(Guest(stopped, send=E_DEAD)).report == "order"
    assert failed(Guest(stopped, no_spawn=0xFFFFFFFA)).report == "no_spawn"


def test_what_a_test_does_meanwhile_is_judged_as_well() -> None:
    """A machine that stops there has what never came added, and the evidence that follows stays."""

    def ends(_machine: Machine) -> None:
        raise ProbeEnded(Diagnosis("probe ended", ("The probe x ended before y came.", "More.")))

    assert said(Guest(send=0), ends) == "a send to a dead process returned 0 (success) instead of E_DEAD"
    with pytest.raises(ProbeEnded) as failure:
        must_report(cast(Machine, Guest()), ends, **WANTED)
    assert str(failure.value) == ("The probe x ended before y came. A send to a dead process returned nothing.\nMore.")


def test_a_run_to_a_place_is_judged_as_well() -> None:
    """By the same table."""
    with pytest.raises(NotAsRequired, match="a spawn returned E_FULL"):
        come_to(cast(Machine, Guest(hang, no_spawn=0xFFFFFFFA)), "main", "probe", "the start", **WANTED)
    with pytest.raises(Hang, match="main of probe: the start"):
        come_to(cast(Machine, Guest(hang)), "main", "probe", "the start", **WANTED)


def test_the_graders_fault_stays_that() -> None:
    """A wrong report does not turn it into a student's."""
    with pytest.raises(Ungradable):
        must_report(cast(Machine, Guest(lambda _missed: Ungradable("no emulator"), send=0)), **WANTED)


def test_an_end_that_never_came() -> None:
    """A clause that says how a process ended is not followed by `nothing`."""
    with pytest.raises(Hang, match="a process that loops never ended within 2 s"):
        must_report(cast(Machine, Guest(hang)), end=(0, "a process that loops ended"))


def test_witnesses_that_disagree() -> None:
    """What was reported wrongly before tells more than that the end cannot be believed."""
    machine = Guest(lambda _: NotAsRequired("the two witnesses disagree"), send=0)
    with pytest.raises(NotAsRequired, match="a send returned 0 \\(success\\) instead of E_DEAD"):
        must_report(cast(Machine, machine), send=(E_DEAD, "a send returned"))
