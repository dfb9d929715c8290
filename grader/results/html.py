"""A grading as one HTML page: self-contained, readable offline, in light and dark, on a phone, by keyboard and by
screen reader.

The template escapes everything (jinja2's autoescape), and the page's own Content-Security-Policy forbids anything from
outside and every script but one, which it names by its hash: so nothing a guest printed can act in a browser. Without
that script, which moves and zooms timelines, all is there too.
"""

from __future__ import annotations

import base64
import hashlib
import shlex
from dataclasses import dataclass
from pathlib import Path

import jinja2

from grader.machine.address_space import AddressSpace
from grader.machine.timeline import Timeline
from grader.results import board, memory_picture, result, timeline_picture, timeline_words
from grader.testing.pictures import FAILURES_OF_A_STAGE, Pictures
from grader.testing.verdict import Grading, Verdict
from grader.untrusted import no_commands

TEMPLATES = Path(__file__).with_name("templates")

WORDS = {Verdict.PASSED: "passed", Verdict.FAILED: "failed", Verdict.UNGRADABLE: "not graded"}


@dataclass(frozen=True)
class Drawn:
    """The pictures of one failure, as the template wants them."""

    number: int
    note: str
    timeline: Timeline | None
    picture: timeline_picture.Picture | None
    rows: list[timeline_words.Row]
    memory: AddressSpace | None
    memory_drawing: str

    @property
    def ring_2(self) -> bool:
        """Whether anything ran there."""
        return self.picture is not None and any(2 in lane.rows for lane in self.picture.lanes)


def drawn(pictures: Pictures, number: int) -> Drawn:
    """Draw them. `number` tells this failure's drawings from others of the page."""
    timeline, memory = pictures.timeline, pictures.memory
    return Drawn(
        number,
        pictures.note,
        timeline,
        timeline_picture.draw(timeline, f"t{number}") if timeline else None,
        timeline_words.table(timeline) if timeline else [],
        memory,
        memory_picture.draw(memory, f"m{number}") if memory else "",
    )


def environment() -> jinja2.Environment:
    """Templates of this package, everything escaped, a mistyped name an error."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["points"] = lambda value: f"{value:g}"
    made.filters["harmless"] = no_commands
    return made


def to_html(grading: Grading) -> str:
    """The page as text."""
    script = (TEMPLATES / "timeline.js").read_text(encoding="utf-8")
    failures = grading.failures()
    pictures = {test.requirement.name: test.outcome.pictures for test in failures if test.outcome.pictures}
    return (
        environment()
        .get_template("report.html")
        .render(
            grading=grading,
            words=WORDS,
            failures=failures,
            machines=board.witnesses(grading),
            schedules=board.schedules(grading) if grading.schedules else "",
            drawn={name: drawn(found, number) for number, (name, found) in enumerate(pictures.items())},
            timed=bool(pictures),
            most=FAILURES_OF_A_STAGE,
            answer_option=f" --answer {shlex.quote(grading.answer)}" if grading.answer else "",
            script=script,
            script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii"),
        )
    )


def write(grading: Grading, folder: Path) -> Path:
    """Write the page into a folder (made when missing); the path of the page is returned. Raises OSError."""
    page = folder / "index.html"
    result.write_text(page, to_html(grading))
    return page
