"""A lab's experiment: its table, its plot as SVG, and its page."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ElementTree
from itertools import pairwise
from pathlib import Path

import pytest
from rich.console import Console

from grader.experiments import laboratory, measured, plot
from grader.experiments.experiment import Series, Table, cell
from grader.tests.test_forms import Page

SVG = "{http://www.w3.org/2000/svg}"


def table(**changes: object) -> Table:
    """An experiment's result with everything in it."""
    facts: dict[str, object] = {
        "title": "An IPC round trip & its cost",
        "columns": ("operation", "4 bytes", "56 bytes"),
        "rows": [("round trip", 812, 1234567), ("call <direct>", 3.14159, "-")],
        "literature": [("L4, 486", "250 cycles (1993)")],
        "series": [Series("ours", [(4, 812), (56, 830)]), Series("L4 <1993>", [(4, 250), (56, 300)], literature=True)],
        "x_label": "bytes",
        "y_label": "instructions",
        "notes": ["Instructions are not cycles."],
    }
    return Table(**{**facts, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "points",
    [
        [(4, 812), (56, 830)],
        [(0, 0), (1, 0)],
        [(5, 5)],
        [(1, 1), (2, 1e9)],
        [(0, -3), (10, 7)],
        [(0.1, 0.001), (0.2, 0.002)],
    ],
)
@pytest.mark.parametrize("logarithmic", [False, True])
def test_the_plot_is_valid_and_inside_its_frame(points: list[tuple[float, float]], logarithmic: bool) -> None:
    """Whatever the values, every mark lies in the picture."""
    root = ElementTree.fromstring(plot.to_svg(table(series=[Series("a", points)], logarithmic=logarithmic)))
    circles = root.findall(f"{SVG}circle")
    assert len(circles) == len(points)
    for circle in circles:
        assert plot.LEFT <= float(circle.get("cx", "")) <= plot.WIDTH - plot.RIGHT
        assert plot.TOP <= float(circle.get("cy", "")) <= plot.HEIGHT - plot.BOTTOM


def test_lines_are_told_apart_without_colour() -> None:
    """By marks, by names at their ends, and the literature's by dashes; names never overlap."""
    series = [Series(f"line {number}", [(0, 1), (1, 1)], literature=number == 0) for number in range(5)]
    text = plot.to_svg(table(series=series))
    root = ElementTree.fromstring(text)
    assert text.count("stroke-dasharray") == 1
    labels = [
        float(found.get("y", "")) for found in root.findall(f"{SVG}text") if (found.text or "").startswith("line")
    ]
    assert len(labels) == 5 and min(after - before for before, after in pairwise(labels)) >= 15


def test_no_series_no_plot() -> None:
    """A table alone is a result too."""
    assert plot.to_svg(table(series=[])) == ""


def test_the_page_is_whole(tmp_path: Path) -> None:
    """Table, plot, literature and notes, escaped, without scripts or anything from outside."""
    page = laboratory.write_page(table(), "demo", "reference", tmp_path / "deep")
    text = page.read_text()
    found = Page(text)
    assert "svg" in found.tags and "script" not in found.tags and not found.outside
    for part in (
        "An IPC round trip &amp; its cost",
        "call &lt;direct&gt;",
        "250 cycles (1993)",
        "Instructions are not cycles.",
    ):
        assert part in text


def test_the_terminal_shows_it() -> None:
    """With figures a person can read."""
    out = io.StringIO()
    measured.show(table(), Console(file=out, width=100))
    assert "1\u202f234\u202f567" in out.getvalue() and "250 cycles (1993)" in out.getvalue()
    assert (cell(True), cell(2.0), cell("x")) == ("True", "2", "x")
