"""Make docs/board.svg, the README's picture: the score board of a wrong answer, as ./lab grade shows it."""

import os
import re
import sys

from project import TOP
from rich.console import Console

from grader.paths import Project
from grader.progress import Progress
from grader.results import board
from grader.testing import grading
from grader.testing.verdict import Grading

LAB, ANSWER = "boot", "mutant:checks_the_start_only"
WIDTH = 110
# The picture's own fonts would be fetched from a server far away; every reader has one of these.
FONTS = re.compile(r"@font-face \{.*?\}\s*", re.S)
FAMILY = "ui-monospace, 'Fira Code', 'DejaVu Sans Mono', Menlo, Consolas, monospace"


def graded() -> Grading:
    """Grade the answer. Raises Ungradable and the like."""
    made = Grading(LAB, LAB, ANSWER)
    grading.grade(Project.here(), grading.Request(LAB, ANSWER, seed="picture"), Progress(), made)
    return made


def main() -> int:
    """Write the picture; returns the exit status."""
    with open(os.devnull, "w") as nowhere:  # noqa: PTH123  (not a file of anybody)
        console = Console(record=True, width=WIDTH, force_terminal=True, file=nowhere, highlight=False)
        board.show(graded(), console)
    picture = FONTS.sub("", console.export_svg(title=f"./lab grade {LAB}"))
    picture = picture.replace("Fira Code, monospace", FAMILY)
    (TOP / "docs").mkdir(exist_ok=True)
    (TOP / "docs" / "board.svg").write_text(picture)
    print("docs/board.svg")
    return 0


if __name__ == "__main__":
    sys.exit(main())
