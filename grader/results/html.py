"""A grading as one HTML page: self-contained, readable offline, in light and dark, on a phone, by keyboard and by
screen reader.

The template escapes everything (jinja2's autoescape), and the page forbids scripts and anything from outside by its own
Content-Security-Policy, so that nothing a guest printed can act in a browser.
"""

from __future__ import annotations

from pathlib import Path

import jinja2

from grader.results import board, result
from grader.testing.verdict import Grading, Verdict
from grader.untrusted import no_commands

TEMPLATES = Path(__file__).with_name("templates")

WORDS = {Verdict.PASSED: "passed", Verdict.FAILED: "failed", Verdict.UNGRADABLE: "not graded"}


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
    return (
        environment()
        .get_template("report.html")
        .render(
            grading=grading,
            words=WORDS,
            failures=grading.failures(),
            machines=board.witnesses(grading),
            schedules=board.schedules(grading) if grading.schedules else "",
        )
    )


def write(grading: Grading, folder: Path) -> Path:
    """Write the page into a folder (made when missing); the path of the page is returned. Raises OSError."""
    page = folder / "index.html"
    result.write_text(page, to_html(grading))
    return page
