"""result.json: its form, and that it is always there and always whole."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from grader.results import result
from grader.testing.verdict import Graded, Outcome, Verdict
from grader.tests.samples import ATTACK, failed, grading, passed, raced


def test_the_fields_that_others_rely_on() -> None:
    """The top level and each test have what gradebooks read."""
    data = result.to_json(grading(passed("test_a"), failed("test_b", stage=2, points=2.5)))
    result.validate(data)
    assert (data["lab"], data["answer"], data["score"], data["max_score"]) == ("demo", "starter", 10, 12.5)
    assert data["gradable"] is True and data["complete"] is True
    first, second = data["tests"]
    assert (first["name"], first["stage"], first["points"], first["max_points"]) == ("test_a", 1, 10, 10)
    assert (second["verdict"], second["points"], second["message"]) == ("failed", 0, "assert 1 == 2")
    assert [(stage["points"], stage["max_points"]) for stage in data["stages"]] == [(10, 10), (0, 2.5)]


def test_an_ungradable_test_earns_nothing_and_says_so() -> None:
    """The whole is then not gradable, which costs nobody points; the verdict is kept apart from a failure."""
    lost = Graded(failed("test_a").requirement, Outcome("test_a", Verdict.UNGRADABLE, "no emulator"))
    made = grading(lost)
    made.gradable = False
    data = result.to_json(made)
    result.validate(data)
    assert (data["tests"][0]["verdict"], data["gradable"]) == ("ungradable", False)


def test_reading_gives_what_was_written(tmp_path: Path) -> None:
    """The canonical form loses nothing."""
    made = grading(passed("test_a"), failed("test_b", said=ATTACK), raced("test_c"))
    made.schedules = 50
    result.write(made, tmp_path / "deep" / "result.json")
    assert result.to_json(result.read(tmp_path / "deep" / "result.json")) == result.to_json(made)


def test_what_is_written_is_ascii(tmp_path: Path) -> None:
    """No byte of a guest's output reaches the file as it is."""
    result.write(grading(failed("test_a", said=ATTACK)), tmp_path / "r.json")
    assert (tmp_path / "r.json").read_bytes().isascii()


def test_others_may_read_it(tmp_path: Path) -> None:
    """An autograder often collects results as another user."""
    result.write(grading(), tmp_path / "r.json")
    assert stat.S_IMODE((tmp_path / "r.json").stat().st_mode) == 0o644


def test_a_failed_write_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk leaves the file as it was, and no other."""
    file = tmp_path / "r.json"
    result.write(grading(), file)
    before = file.read_text()

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        result.write(grading(passed("test_a")), file)
    assert file.read_text() == before
    assert list(tmp_path.iterdir()) == [file]


def test_a_pipe_is_written_to_and_stays_a_pipe(tmp_path: Path) -> None:
    """`--json /dev/stdout` is natural to type; as root, replacing /dev/null would break the whole computer."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    assert result.is_stream(pipe)
    result.write(grading(passed("test_a")), pipe)
    assert b'"test_a"' in os.read(reader, 1 << 16)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    os.close(reader)


def test_a_link_leads_to_the_file_that_is_replaced(tmp_path: Path) -> None:
    """A link that somebody made stays a link."""
    (tmp_path / "real.json").write_text("old")
    (tmp_path / "link.json").symlink_to("real.json")
    result.write(grading(passed("test_a")), tmp_path / "link.json")
    assert (tmp_path / "link.json").is_symlink()
    assert '"test_a"' in (tmp_path / "real.json").read_text()


@pytest.mark.parametrize(
    ("where", "value"),
    [
        ("score", "ten"),
        ("tests", [{"name": "a"}]),
        ("surprise", 1),
        ("schema", "kernelist/result/0"),
        ("gradable", None),
    ],
)
def test_another_form_is_refused(where: str, value: Any) -> None:
    """What does not fit the schema is neither written nor read, and the place is named."""
    data = {**result.to_json(grading()), where: value}
    with pytest.raises(ValueError, match="not a kernelist/result/1 result"):
        result.from_json(data)


def test_the_schema_describes_every_field() -> None:
    """The schema is documentation too."""
    schema = json.loads(result.SCHEMA_FILE.read_text())
    for fields in (schema["properties"], schema["properties"]["tests"]["items"]["properties"]):
        undescribed = [name for name, field in fields.items() if not {"description", "const", "items"} & set(field)]
        assert not undescribed
