"""published.json: what a published checkout knows of itself. The author's own repository has none.

    {"schema": "kernelist/published/1", "branch": "lab/boot", "lab": "boot", "version": "0123456789ab",
     "hidden": [{"stage": 2, "tests": 3, "points": 10}], "labs": []}

`version` is a hash over what a hand-in is made for: the lab's own files, what it starts from, its tests. `hidden`
counts the tests that only the instructor has. On `main`, `lab` is empty and `labs` names all labs of the course.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from grader.faults import ProjectFault
from grader.paths import Project

FILE = "published.json"
SCHEMA = "kernelist/published/1"
MAIN = "main"


@dataclass(frozen=True)
class Hidden:
    """How many tests of one stage students do not get, and what these are worth together."""

    stage: int
    tests: int
    points: float


@dataclass(frozen=True)
class Offer:
    """A lab of the course, as `main` lists it."""

    name: str
    title: str
    points: int


@dataclass(frozen=True)
class Published:
    """What a branch says of itself."""

    branch: str
    lab: str = ""
    version: str = ""
    hidden: tuple[Hidden, ...] = ()
    labs: tuple[Offer, ...] = ()

    def to_bytes(self) -> bytes:
        """The file, always the same for the same facts."""
        return (json.dumps({"schema": SCHEMA, **asdict(self)}, indent=2, ensure_ascii=False) + "\n").encode()


def branch_of(lab: str) -> str:
    """The branch on which a lab is published."""
    return f"lab/{lab}"


def read(data: bytes) -> Published:
    """The inverse of `to_bytes`. Raises ProjectFault when it is none of ours."""
    try:
        facts: dict[str, Any] = json.loads(data)
        if facts.pop("schema") != SCHEMA:
            raise ValueError("of another schema")
        facts["hidden"] = tuple(Hidden(**entry) for entry in facts["hidden"])
        facts["labs"] = tuple(Offer(**entry) for entry in facts["labs"])
        return Published(**facts)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        message = f"{FILE} is damaged ({error}): take the course's own again (git checkout HEAD -- {FILE})"
        raise ProjectFault(message) from error


def load(project: Project) -> Published | None:
    """What this checkout says of itself; None in the author's repository. Raises ProjectFault when it is damaged."""
    try:
        data = (project.root / FILE).read_bytes()
    except FileNotFoundError:
        return None
    return read(data)


def lines(project: Project) -> list[str]:
    """What a list of labs says of a student's checkout beyond the labs that lie in it; nothing in the author's."""
    about = load(project)
    if about is None:
        return []
    hidden = hidden_note(about.hidden)
    offers = [f"{offer.name}: {offer.title} ({offer.points} points): ./lab start {offer.name}" for offer in about.labs]
    return [*([hidden] if hidden else []), *offers]


def hidden_note(hidden: tuple[Hidden, ...]) -> str:
    """A sentence on the tests that are not here, or an empty text."""
    tests, points = sum(entry.tests for entry in hidden), sum(entry.points for entry in hidden)
    if not tests:
        return ""
    stages = ", ".join(f"stage {entry.stage}: {entry.tests} for {entry.points:g}" for entry in hidden)
    these, units = "test" if tests == 1 else "tests", "point" if points == 1 else "points"
    return f"not run here: {tests} hidden {these} worth {points:g} {units} ({stages}); your instructor runs them"
