"""result.json, the canonical form of a grading: made, checked against the schema, written and read.

Every other form (score board, HTML, JUnit, gradebooks) is made from the same `Grading`. The file exists from the
first moment on, with score 0 and not gradable, and is replaced in one step, so that a grader that dies leaves a
truthful file and never half of one.
"""

from __future__ import annotations

import errno
import functools
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from grader.labs.lab_file import Stage
from grader.machine.witness import Witness
from grader.testing.pictures import Pictures
from grader.testing.verdict import Graded, Grading, Outcome, Requirement, Verdict

SCHEMA = "kernelist/result/1"
"""The version of the form. A new field keeps it, a changed meaning raises it."""

_SAME = (
    "lab",
    "title",
    "answer",
    "gradable",
    "complete",
    "message",
    "notes",
    "only",
    "schedules",
    "build_output",
    "seed",
    "sandboxed",
    "started",
    "seconds",
    "versions",
    "hashes",
)
"""Fields that a Grading has under the same name."""

MESSAGE_MAX = 300
"""Characters of the schema's complaint: it has the whole value in it."""

SCHEMA_FILE = Path(__file__).with_name("result.schema.json")


def to_json(grading: Grading) -> dict[str, Any]:
    """The grading as result.json has it."""
    return {
        "schema": SCHEMA,
        "lab": grading.lab,
        "title": grading.title,
        "answer": grading.answer,
        "score": grading.score,
        "max_score": grading.max_score,
        "gradable": grading.gradable,
        "complete": grading.complete,
        "message": grading.message,
        "notes": grading.notes,
        "only": grading.only,
        "schedules": grading.schedules,
        "stages": [_stage(grading, stage) for stage in grading.stages],
        "tests": [_test(test, grading) for test in grading.tests],
        "build_output": grading.build_output,
        "seed": grading.seed,
        "sandboxed": grading.sandboxed,
        "started": grading.started,
        "seconds": round(grading.seconds, 3),
        "guest_instructions": sum(test.outcome.guest_instructions for test in grading.tests),
        "versions": grading.versions,
        "hashes": grading.hashes,
    }


def _stage(grading: Grading, stage: Stage) -> dict[str, Any]:
    tests = grading.of_stage(stage.number)
    return {
        "number": stage.number,
        "title": stage.title,
        "points": sum(test.points for test in tests) if not grading.message else 0,
        "max_points": sum(test.requirement.points for test in tests),
    }


def _test(test: Graded, grading: Grading) -> dict[str, Any]:
    requirement, outcome = test.requirement, test.outcome
    return {
        "name": requirement.name,
        "stage": requirement.stage,
        "hidden": requirement.hidden,
        "points": test.points if not grading.message else 0,
        "max_points": requirement.points,
        "verdict": outcome.verdict.value,
        "message": outcome.message,
        "required": requirement.required,
        "expected": outcome.expected,
        "seen": outcome.seen,
        "serial": outcome.serial,
        "machine": outcome.machine,
        "usually": requirement.usually,
        "handout": requirement.handout,
        "command": test.command,
        "witnesses": [witness.value for witness in requirement.witnesses],
        "witness": outcome.witness.value if outcome.witness else "",
        "step": outcome.step,
        "under_schedules": requirement.schedules,
        "schedules": outcome.schedules,
        "schedule": outcome.schedule,
        "nonce": outcome.nonce,
        "boots": outcome.boots,
        "guest_instructions": outcome.guest_instructions,
        "seconds": round(outcome.seconds, 4),
        "pictures": outcome.pictures.to_dict() if outcome.pictures else None,
    }


def from_json(data: dict[str, Any]) -> Grading:
    """The inverse of `to_json`.

    Raises ValueError when the data is of another form.
    """
    validate(data)
    tests = [
        Graded(
            Requirement(
                test["name"],
                test["stage"],
                test["max_points"],
                test["required"],
                test["handout"],
                test["usually"],
                tuple(map(Witness, test.get("witnesses", ("qemu",)))),  # fields that older results lack
                test.get("hidden", False),
                test.get("under_schedules", False),
            ),
            Outcome(
                name=test["name"],
                verdict=Verdict(test["verdict"]),
                witness=Witness(test["witness"]) if test.get("witness") else None,
                step=test.get("step"),
                schedule=test.get("schedule", ""),
                schedules=test.get("schedules", 0),
                pictures=Pictures.from_dict(test["pictures"]) if test.get("pictures") else None,
                **{
                    key: test[key]
                    for key in (
                        "message",
                        "expected",
                        "seen",
                        "serial",
                        "machine",
                        "nonce",
                        "boots",
                        "guest_instructions",
                        "seconds",
                    )
                },
            ),
            test["command"],
        )
        for test in data["tests"]
    ]
    stages = [Stage(stage["number"], stage["title"], stage["max_points"]) for stage in data["stages"]]
    return Grading(stages=stages, tests=tests, **{key: data[key] for key in _SAME if key in data})


@functools.cache
def _validator() -> Any:
    import jsonschema

    return jsonschema.Draft202012Validator(json.loads(SCHEMA_FILE.read_text(encoding="utf-8")))


def validate(data: dict[str, Any]) -> None:
    """Check against the schema. Raises ValueError naming the first place that is wrong."""
    error = min(_validator().iter_errors(data), key=lambda problem: list(map(str, problem.path)), default=None)
    if error is not None:
        where = "/".join(map(str, error.path)) or "the top"
        raise ValueError(f"not a {SCHEMA} result: {where}: {error.message[:MESSAGE_MAX]}")


def write(grading: Grading, path: Path) -> None:
    """Validate and write atomically. Raises OSError when the place cannot be written, ValueError when the form is
    wrong.
    """
    data = to_json(grading)
    validate(data)
    write_text(path, json.dumps(data, indent=1, ensure_ascii=True) + "\n")


def write_text(path: Path, text: str) -> None:
    """Replace a file's content in one step: a reader sees the old text or the new, and a full disk keeps the old.

    A pipe or device is written to and stays what it is; the file that a link (/dev/stdout, say) leads to is replaced.
    """
    if is_stream(path):
        path.write_text(text, encoding="utf-8")
        return
    path = path.resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)  # noqa: PTH101 (the name is a string already)
        os.replace(name, path)  # noqa: PTH105
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def check_place(path: Path) -> None:
    """Raise OSError unless a file can be written there, as `write_text` does it; one that is there stays."""
    path = path.resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    with tempfile.TemporaryFile(dir=path.parent):
        pass


def is_stream(path: Path) -> bool:
    """Whether there is a pipe or device (/dev/stdout, /dev/null), of which nothing that was written can be replaced."""
    return path.exists() and not path.is_file() and not path.is_dir()


def read(path: Path) -> Grading:
    """Read and validate. Raises OSError or ValueError."""
    return from_json(json.loads(path.read_text(encoding="utf-8")))
