"""`./lab bench`: how fast the framework is, each figure beside its budget. Measured here, never by a test that could
fail on a busy day.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from grader.builds.build import Build, build_tree
from grader.builds.image import compose_image
from grader.faults import WrongUse
from grader.host.sandbox import Sandbox
from grader.labs import course
from grader.labs.tree import Answer, Tree, compose
from grader.machine.machine import Machine
from grader.paths import Project
from grader.progress import Progress
from grader.testing import boots, grading
from grader.testing.pool import Pool
from grader.testing.verdict import Grading

FLOOR = bytes.fromhex("eb 06 000000000000 fa ba f8 03 b0 2e ee f4 eb fd")
"""The emulator's own floor: a boot sector that writes a byte and rests. jmp over the bytes that the image's maker fills
in; cli; mov dx, 0x3f8; mov al, '.'; out dx, al; hlt; jmp to the hlt."""

_FIRST_LINE = b"539kernel"


@dataclass(frozen=True)
class Figure:
    """A measurement in `unit`; the budget is the most that is allowed, None where none was set."""

    what: str
    value: float
    unit: str
    budget: float | None = None

    @property
    def kept(self) -> bool:
        """Whether it is within its budget."""
        return self.budget is None or self.value <= self.budget


class Bench:
    """Measures with one lab's reference."""

    def __init__(self, project: Project, lab: str, *, repetitions: int, sandboxed: bool = True) -> None:
        self._project = project
        self._lab = course.find(project, lab)
        self._answer = Answer.parse(course.default_answer(project, self._lab))
        self._repetitions = repetitions
        self._sandboxed = sandboxed
        self._sandbox = Sandbox.detect(allowed=sandboxed)
        self._changes = 0

    def figures(self, progress: Progress) -> list[Figure]:
        """All measurements. Raises what grading raises."""
        steps: list[tuple[str, Callable[[], list[Figure]]]] = [
            ("start of the command line", self._command_line),
            ("start of a worker", self._worker),
            ("building", self._builds),
            ("grading the reference", self._grades),
            ("power-on", self._power_on),
        ]
        progress.total(len(steps))
        found = []
        for title, measure in steps:
            progress.say(title)
            found += measure()
            progress.step()
        return found

    def _median(self, measure: Callable[[], float], times: int = 0) -> float:
        return statistics.median(measure() for _ in range(times or self._repetitions))

    def _command_line(self) -> list[Figure]:
        command = [sys.executable, "-m", "grader"]

        def start(argument: str) -> float:
            return _seconds(
                lambda: subprocess.run(
                    [*command, argument], stdout=subprocess.DEVNULL, check=True, cwd=self._project.root
                )
            )

        return [
            Figure("./lab --help", self._median(lambda: start("--help")), "s", 0.3),
            Figure("./lab list", self._median(lambda: start("list")), "s", 0.3),
        ]

    def _worker(self) -> list[Figure]:
        def start() -> float:
            began = time.monotonic()
            with Pool(self._lab.folder / "tests", 1) as pool:
                pool.requirements()
                return time.monotonic() - began

        return [Figure("the grader's own start: a worker ready, tests read", self._median(start), "s", 0.5)]

    def _builds(self) -> list[Figure]:
        build_tree(self._project, self._changed(), self._sandbox)  # warm
        found = Figure("finding a build that was made before", self._median(lambda: self._build(self._whole())), "s")
        rebuilt = self._median(lambda: self._build(self._changed()))
        return [found, Figure("rebuilding after one changed file", rebuilt, "s", 0.5)]

    def _build(self, tree: Tree) -> float:
        return _seconds(lambda: build_tree(self._project, tree, self._sandbox))

    def _whole(self) -> Tree:
        return compose(self._project, self._lab, self._answer)

    def _changed(self) -> Tree:
        """The reference with one handed-in file changed as it never was before, so that no build of it is lying
        about.
        """
        tree = self._whole()
        self._changes += 1
        name = next(name for name in tree.files if self._lab.takes(name) and name.endswith(".c"))
        note = f"\n/* change {time.time_ns()} {self._changes} */\n".encode()
        return replace(tree, files={**tree.files, name: tree.files[name] + note})

    def _grades(self) -> list[Figure]:
        """Grade a hand-in whose one file was changed, so that building is part of it, as a student's loop has it."""
        walls: list[float] = []
        tests: list[float] = []
        boots_made: list[float] = []
        for _ in range(max(3, self._repetitions // 2)):
            with tempfile.TemporaryDirectory(prefix="kernelist-bench-") as folder:
                tree = self._changed()
                for name, content in tree.files.items():
                    if self._lab.takes(name):
                        file = Path(folder) / name
                        file.parent.mkdir(parents=True, exist_ok=True)
                        file.write_bytes(content)
                made = Grading(self._lab.name, "", folder)
                request = grading.Request(self._lab.name, folder, sandboxed=self._sandboxed)
                began = time.monotonic()
                grading.grade(self._project, request, Progress(), made)
                walls.append(time.monotonic() - began)
                if made.message or not made.gradable:
                    raise WrongUse(f"the reference of {self._lab.name} cannot be graded: {made.message}")
            tests += [test.outcome.seconds for test in made.tests]
            boots_made += [test.outcome.seconds / test.outcome.boots for test in made.tests if test.outcome.boots]
        return [
            Figure(
                f"grading {self._lab.name}'s reference, one file changed, build included",
                statistics.median(walls),
                "s",
                5.0,
            ),
            Figure("one test, median", statistics.median(tests), "s", 0.25),
            Figure("one test, longest", max(tests), "s"),
            Figure("one machine's life in a test, median", statistics.median(boots_made or [0.0]), "s"),
        ]

    def _power_on(self) -> list[Figure]:
        build = build_tree(self._project, compose(self._project, None, Answer("none")), self._sandbox)
        kernel = boots.compose(build, {"parameters": b"nonce=1\n"})
        floor = compose_image(FLOOR.ljust(510, b"\0") + b"\x55\xaa", b"", {})
        ours = self._median(lambda: self._until(build, kernel, _FIRST_LINE))
        least = self._median(lambda: self._until(build, floor, b"."))
        return [
            Figure("the emulator's floor: a boot sector that writes one byte", least, "s"),
            Figure("power-on to the kernel's first line", ours, "s"),
            Figure("  of the floor", ours / least, "times", 1.2),
        ]

    def _until(self, build: Build, image: bytes, text: bytes) -> float:
        symbols = boots.symbols_of(build.kernel_elf, 0)
        began = time.monotonic()
        with Machine.start(image, symbols=symbols, sandbox=self._sandbox, guest_seconds=10) as machine:
            machine.wait_for_serial(text)
            return time.monotonic() - began


def _seconds(work: Callable[[], Any]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began
