"""What a lab's experiment hands back: a table of measurements beside the literature's figures, and the series of its
plot.

A lab's `labs/NAME/bench.py` has one function:

    from grader.experiments.experiment import Series, Table

    def experiment(boot):
        report = boot("measure_round_trip", bytes=56).finish()
        return Table(
            title="An IPC round trip",
            columns=("operation", "4 bytes", "56 bytes"),
            rows=[("round trip", 812, report["round_trip"])],
            literature=[("L4 on a 486, round trip", "250 cycles (Liedtke 1993)")],
            series=[Series("round trip", [(4, 812), (56, report["round_trip"])])],
            x_label="bytes in the message", y_label="instructions",
            notes=["Why the figures differ from the paper's."],
        )

`boot` is the one that tests get; guest instructions are the unit, so the same kernel gives the same table on any
computer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Series:
    """One line of the plot: (x, y) points in ascending x. `literature` draws it dashed, as somebody else's
    measurement.
    """

    name: str
    points: Sequence[tuple[float, float]]
    literature: bool = False


@dataclass(frozen=True)
class Table:
    """An experiment's result. Cells are texts or numbers; a number is shown with thin groups of thousands."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    literature: Sequence[tuple[str, str]] = ()
    """(what was measured, figure with its source)."""
    series: Sequence[Series] = ()
    x_label: str = ""
    y_label: str = ""
    logarithmic: bool = False
    """Whether the plot's y axis is logarithmic."""
    notes: Sequence[str] = ()
    """Sentences below: why the figures differ from the literature's."""


def cell(value: object) -> str:
    """A cell as it is shown."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, int) or value == int(value):
        return f"{int(value):,}".replace(",", "\u202f")
    return f"{value:,.2f}".replace(",", "\u202f")
