"""The demonstration of `make demo`: the kernel boots to its shell, then a starter and a reference are graded.

It fails (exit status 1) when the shell does not answer, or the scores are not 0 and all points. The project's own
package does the work; this only shows it.
"""

import json
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from project import ending, python, run

from grader.builds.build import build_tree
from grader.faults import HandinFault, Ungradable
from grader.host.sandbox import Sandbox
from grader.labs import course
from grader.labs.tree import Answer, compose
from grader.machine import Machine, MachineStopped
from grader.paths import Project
from grader.testing.boots import Boots

LAB = "microkernel"
PROMPT = b"539> "
VIDEO_MEMORY, COLUMNS, ROWS = 0xB8000, 80, 25


@dataclass(frozen=True)
class Shown:
    """A grading that was shown: the lines about it at the end."""

    answer: str
    score: float
    max_score: float
    page: Path


def say(text: str) -> None:
    """Print a heading."""
    print(f"\n=== {text}\n", flush=True)


def screen(machine: Machine) -> list[str]:
    """The 25 rows of the machine's screen, read from the video memory."""
    cells = machine.read_physical(VIDEO_MEMORY, 2 * COLUMNS * ROWS)[0::2]
    text = bytes(byte if 32 <= byte < 127 else 32 for byte in cells).decode("ascii")
    return [text[start : start + COLUMNS] for start in range(0, len(text), COLUMNS)]


def show_shell() -> None:
    """Boot the baseline, type `help`, and show what is on its screen. Raises what booting raises."""
    say("The baseline kernel, booted to its shell")
    project, sandbox = Project.here(), Sandbox.detect()
    build = build_tree(project, compose(project, course.find(project, course.BASELINE), Answer("none")), sandbox)
    began = time.monotonic()
    with Boots(build, seed="demo", test="demo", sandbox=sandbox) as boot:
        machine = boot(None)
        machine.wait_for_serial(PROMPT)
        ready = time.monotonic() - began
        for line in (b"help\n", b"hello reader\n"):
            machine.send(line)
            machine.wait_for_serial(PROMPT)
        rows = screen(machine)
    print(f"+{'-' * COLUMNS}+", *(f"|{row}|" for row in rows), f"+{'-' * COLUMNS}+", sep="\n")
    print(f"(its screen, read from the machine's memory; {ready:.1f} s from power-on to the prompt)")


def grade(answer: str) -> Shown | None:
    """Grade one of the lab's own answers, showing its board. None when it could not be graded."""
    say(f"./lab grade {LAB} --answer {answer}")
    page = Path("report") / "demo" / answer
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "result.json"
        outputs: list[str | Path] = ["--html", page, "--json", results]
        run(python("-m", "grader", "grade", LAB, "--answer", answer, *outputs))
        result = json.loads(results.read_text()) if results.exists() else {"gradable": False}
    if not result["gradable"]:
        return None
    return Shown(answer, result["score"], result["max_score"], page / "index.html")


def main() -> int:
    """Show everything; returns the exit status."""
    try:
        show_shell()
    except (HandinFault, Ungradable, MachineStopped) as fault:
        print(f"kernelist: the kernel's shell did not come up: {fault}", file=sys.stderr)
        return 1
    shown = [grade("starter"), grade("reference")]
    say("In short")
    well = True
    for wanted, grading in zip((0.0, 1.0), shown, strict=True):
        if grading is None:
            print("could not be graded: ./lab doctor says what is missing")
            well = False
            continue
        print(f"{grading.answer:10} {grading.score:g} of {grading.max_score:g}    report: {grading.page}")
        well = well and grading.score == wanted * grading.max_score
    print("\nmake run boots the kernel for you to type in, ./lab list shows the labs, make help all commands.")
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(ending(main))
