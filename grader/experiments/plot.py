"""A line plot as SVG, written by hand: no library, no script, readable in light and dark and without colour."""

from __future__ import annotations

import math
from collections.abc import Sequence
from xml.sax.saxutils import escape

from grader.experiments.experiment import Series, Table, cell

WIDTH, HEIGHT = 760, 420
LEFT, RIGHT, TOP, BOTTOM = 84, 190, 24, 56
COLOURS = ("#0b6bcb", "#c4421a", "#2b8a3e", "#8a3ffc", "#b08900", "#d6336c")
MARKS = ("circle", "square", "triangle", "diamond")


def to_svg(table: Table) -> str:
    """The plot of a table's series; an empty text when it has none."""
    series = [line for line in table.series if line.points]
    if not series:
        return ""
    xs = [x for line in series for x, _ in line.points]
    ys = [y for line in series for _, y in line.points]
    logarithmic = table.logarithmic and min(ys) > 0
    x_axis = _Axis(min(xs), max(xs), LEFT, WIDTH - RIGHT, _steps(min(xs), max(xs)))
    low, high = (min(ys), max(ys)) if logarithmic else (min(0.0, min(ys)), max(ys))
    y_ticks = _decades(low, high) if logarithmic else _steps(low, high)
    y_axis = _Axis(min(y_ticks[0], low), max(y_ticks[-1], high), HEIGHT - BOTTOM, TOP, y_ticks, logarithmic)
    parts = [*_frame(x_axis, y_axis, table), *_lines(series, x_axis, y_axis)]
    described = escape(f"{table.title}: {table.y_label} against {table.x_label}")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{described}" '
        f'font-family="system-ui, sans-serif" font-size="13" fill="currentColor">\n<title>{described}</title>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


class _Axis:
    """Maps values to pixels."""

    def __init__(
        self, low: float, high: float, start: int, end: int, ticks: Sequence[float], logarithmic: bool = False
    ) -> None:
        self._scale = math.log10 if logarithmic else float
        self._low = self._scale(low)
        self._span = (self._scale(high) - self._low) or 1.0
        self._start, self._end = start, end
        self.ticks = ticks

    def __call__(self, value: float) -> float:
        return round(self._start + (self._scale(value) - self._low) / self._span * (self._end - self._start), 1)


def _steps(low: float, high: float) -> list[float]:
    """Four to eight round values that enclose low..high."""
    span = (high - low) or abs(high) or 1.0
    rough = span / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
    first, last = math.floor(low / step), math.ceil(high / step)
    return [round(number * step, 10) for number in range(first, last + 1)]


def _decades(low: float, high: float) -> list[float]:
    return [10.0**power for power in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)]


def _frame(x_axis: _Axis, y_axis: _Axis, table: Table) -> list[str]:
    parts = []
    for value in y_axis.ticks:
        y = y_axis(value)
        parts.append(f'<path d="M{LEFT} {y}H{WIDTH - RIGHT}" stroke="currentColor" stroke-opacity=".2"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4}" text-anchor="end">{escape(cell(value))}</text>')
    for value in x_axis.ticks:
        x = x_axis(value)
        if LEFT - 1 <= x <= WIDTH - RIGHT + 1:
            parts.append(f'<text x="{x}" y="{HEIGHT - BOTTOM + 20}" text-anchor="middle">{escape(cell(value))}</text>')
    parts.append(f'<path d="M{LEFT} {TOP}V{HEIGHT - BOTTOM}H{WIDTH - RIGHT}" fill="none" stroke="currentColor"/>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(f'<text x="{middle}" y="{HEIGHT - 12}" text-anchor="middle">{escape(table.x_label)}</text>')
    height = (TOP + HEIGHT - BOTTOM) / 2
    turned = f'transform="rotate(-90 18 {height})"'
    parts.append(f'<text x="18" y="{height}" text-anchor="middle" {turned}>{escape(table.y_label)}</text>')
    return parts


def _lines(series: Sequence[Series], x_axis: _Axis, y_axis: _Axis) -> list[str]:
    parts: list[str] = []
    labels: list[tuple[float, str, str]] = []
    for index, line in enumerate(series):
        colour = COLOURS[index % len(COLOURS)]
        points = [(x_axis(x), y_axis(y)) for x, y in line.points]
        path = "M" + "L".join(f"{x} {y}" for x, y in points)
        dashes = ' stroke-dasharray="6 4"' if line.literature else ""
        parts.append(f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="2"{dashes}/>')
        parts += [_mark(MARKS[index % len(MARKS)], x, y, colour) for x, y in points]
        labels.append((points[-1][1], line.name, colour))
    # Names stand at their lines' ends; where lines end close together the names are pushed apart.
    lowest = 0.0
    for y, name, colour in sorted(labels):
        lowest = max(y + 4, lowest + 17)
        parts.append(f'<text x="{WIDTH - RIGHT + 12}" y="{lowest}" fill="{colour}">{escape(name)}</text>')
    return parts


def _mark(kind: str, x: float, y: float, colour: str) -> str:
    if kind == "circle":
        return f'<circle cx="{x}" cy="{y}" r="4" fill="{colour}"/>'
    shapes = {
        "square": ((-4, -4), (4, -4), (4, 4), (-4, 4)),
        "triangle": ((0, -5), (5, 4), (-5, 4)),
        "diamond": ((0, -5), (5, 0), (0, 5), (-5, 0)),
    }
    corners = " ".join(f"{x + dx:g},{y + dy:g}" for dx, dy in shapes[kind])
    return f'<polygon points="{corners}" fill="{colour}"/>'
