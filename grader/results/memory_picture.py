"""An address space as SVG: its regions from the highest address down, with their rights and what lies there.

Rights are words and patterns, never colour alone. Where nothing is mapped there is a dotted line; an address that
matters (the one a page fault was about) has an arrow to its region, or to the hole that it lies in. What is not shown
has a place of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from xml.sax.saxutils import escape

from grader.machine.address_space import AddressSpace, Cut, Mark, Region

WIDTH, ROW, HOLE, MARK_ROW = 376, 30, 16, 22
_LEFT, _BOX, _STRIP = 74, 176, 34


@dataclass(frozen=True)
class _Place:
    """A stretch of addresses on the picture: a region, what is not shown, or a hole between two."""

    start: int
    end: int
    holds: Region | Cut | None


def draw(space: AddressSpace, name: str) -> str:
    """The drawing. `name` makes its ids unique in the page."""
    parts, y = [], 8.0
    for place in _places(space):
        marks = [mark for mark in space.marks if place.start <= mark.address < place.end]
        height = (ROW if place.holds else HOLE) + MARK_ROW * len(marks)
        match place.holds:
            case Region() as region:
                parts += _region(region, y, height, name)
            case Cut() as cut:
                parts += _cut(cut, y, height)
            case None:
                parts += _hole(y, height)
        for number, mark in enumerate(sorted(marks, key=lambda mark: -mark.address)):
            parts += _mark(mark, y + height - MARK_ROW * (len(marks) - number) + 4, place.holds is not None)
        y += height
    height = round(y + 8)
    size = f'width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}"'
    return f'<svg class="memory" {size} aria-hidden="true">{_patterns(name)}{"".join(parts)}</svg>'


def _places(space: AddressSpace) -> list[_Place]:
    """Regions, cuts and the holes between them, the highest first."""
    parts: list[Region | Cut] = [*space.regions, *space.cuts]
    places, free = [], 0
    for part in sorted(parts, key=lambda part: part.start):
        if part.start > free:
            places.append(_Place(free, part.start, None))
        places.append(_Place(part.start, part.end, part))
        free = part.end
    if free < 1 << 32:
        places.append(_Place(free, 1 << 32, None))
    return places[::-1]


def _patterns(name: str) -> str:
    return (
        f'<defs><pattern id="{name}-only" width="7" height="7" patternUnits="userSpaceOnUse" '
        'patternTransform="rotate(45)"><rect width="1.5" height="7" class="hatch"/></pattern></defs>'
    )


def _region(region: Region, y: float, height: float, name: str) -> list[str]:
    kind = "user" if region.user else "supervisor"
    box = f'x="{_LEFT}" y="{y:g}" width="{_BOX}" height="{height:g}"'
    parts = [f'<g><title>{escape(in_words(region))}</title><rect class="{kind}" {box}/>']
    if not region.writable:
        strip = f'x="{_LEFT + _BOX - _STRIP}" y="{y:g}" width="{_STRIP}" height="{ROW}"'
        parts.append(f'<rect {strip} style="fill:url(#{name}-only)"/>')
    most = 24 if region.writable else 19
    what = region.what if len(region.what) <= most else f"{region.what[: most - 1]}\u2026"
    parts += [
        f'<text class="address" x="{_LEFT - 6}" y="{y + ROW - 10:g}" text-anchor="end">{region.start:08x}</text>',
        f'<text class="what" x="{_LEFT + 8}" y="{y + 19:g}">{escape(what)}</text>',
        f'<text class="small" x="{_LEFT + _BOX + 8}" y="{y + 13:g}">{escape(region.rights)}</text>',
        f'<text class="small" x="{_LEFT + _BOX + 8}" y="{y + 26:g}">{region.size}</text></g>',
    ]
    return parts


def _cut(cut: Cut, y: float, height: float) -> list[str]:
    box = f'x="{_LEFT}" y="{y:g}" width="{_BOX}" height="{height:g}"'
    return [
        f'<g><title>{cut.start:#010x} to {cut.end:#010x}: {cut.what}</title><rect class="cut" {box}/>'
        f'<text class="small" x="{_LEFT + 8}" y="{y + 19:g}">{cut.what}</text></g>'
    ]


def _hole(y: float, height: float) -> list[str]:
    return [f'<path class="hole" d="M{_LEFT + _BOX / 2:g} {y:g}v{height:g}"/>']


def _mark(mark: Mark, y: float, inside: bool) -> list[str]:
    x = _LEFT + 8 if inside else _LEFT + _BOX / 2 + 8
    bad = " bad" if mark.fault else ""
    return [
        f'<path class="pointer{bad}" d="M{_LEFT - 6} {y + 6:g}h{x - _LEFT:g}m-6 -4l6 4l-6 4"/>',
        f'<text class="address{bad}" x="{_LEFT - 8}" y="{y + 10:g}" text-anchor="end">{mark.address:08x}</text>',
        f'<text class="what{bad}" x="{x + 4:g}" y="{y + 10:g}">{escape(mark.what)}</text>',
    ]


def in_words(region: Region) -> str:
    """`0x00400000 to 0x00401000: .text, user, read-only, 4 KB`."""
    return f"{region.start:#010x} to {region.end:#010x}: {region.what}, {region.rights}, {region.size}"
