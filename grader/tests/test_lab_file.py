"""lab.toml: what is read from it, and that every mistake in it is named."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from grader.labs.lab_file import Lab, LabFileError, load_lab, load_labs, matches, parse_lab
from grader.paths import Project
from grader.tests.small_project import LAB_TOML, small_project


def parse(text: str) -> Lab:
    """A lab from the text of its file."""
    return parse_lab(tomllib.loads(text), "small", Path("labs/small"))


def test_a_lab_is_read() -> None:
    """Stages, points and files come out as they stand in the file."""
    lab = parse(LAB_TOML)
    assert [(stage.number, stage.title, stage.points) for stage in lab.stages] == [(1, "First", 40), (2, "Second", 60)]
    assert lab.points == 100
    assert lab.stage(2).title == "Second"
    assert lab.required == ("kernel/message.c",)
    assert lab.remove == ("kernel/old.c",)


def test_copies_and_programs_for_the_archive_are_read() -> None:
    """A lab may give second copies of the baseline's files, and name programs that the kernel starts by itself."""
    lab = parse(LAB_TOML.replace("[handin]", 'archive = ["server"]\n[copy]\n"kernel/a.c" = "kernel/b.c"\n[handin]'))
    assert lab.archive == ("server",)
    assert lab.copy == {"kernel/a.c": "kernel/b.c"}


def test_the_lab_that_one_builds_on_is_read() -> None:
    """Most labs build on none: they start from the baseline."""
    assert parse(LAB_TOML).builds_on is None
    assert parse('builds_on = "other"' + LAB_TOML).builds_on == "other"


def test_every_lab_of_this_project_is_sound() -> None:
    """What is published must be readable; a lab that students hand in is worth 100 points."""
    project = Project.here()
    for lab in load_labs(project):
        assert lab.points == 100 or not project.solution(lab.name).is_dir(), lab.name


@pytest.mark.parametrize(
    ("path", "taken"),
    [
        ("kernel/message.c", True),
        ("kernel/extra.c", True),
        ("kernel/extra_two.c", True),
        ("kernel/user/server.c", True),
        ("kernel/user/extra.c", False),
        ("kernel/extra/x.c", False),
        ("kernel/extra.h", False),
        ("kernel/Makefile", False),
        ("kernel/extra $(id).c", False),
        ("kernel/extra;x.c", False),
        ("kernel/extra\n.c", False),
        ("/kernel/extra.c", False),
    ],
)
def test_what_is_taken_from_a_hand_in(path: str, taken: bool) -> None:
    """Wildcards stay in their folder, and no name that make or a shell would take apart gets through."""
    assert parse(LAB_TOML).takes(path) is taken


def test_a_pattern_is_no_regular_expression() -> None:
    """A dot is a dot."""
    assert not matches("kernel/messageXc", "kernel/message.c")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('title = "A small lab"', "", "title is missing"),
        ('title = "A small lab"', "title = 5", "title must be a text, not 5"),
        ('title = "A small lab"', 'title = " "', "title is empty"),
        ("[handin]", "[hand_in]", "unknown key 'hand_in'"),
        ("points = 40", "points = 0", "points must be 1 or more"),
        ("points = 40", "points = true", "points must be a whole number"),
        ("number = 2", "number = 3", "stages count 1, 2, 3"),
        ("kernel/message.c", "../message.c", "no path below kernel/"),
        ("kernel/message.c", "kernel/a b.c", "no path below kernel/"),
        ("kernel/message.c", "kernel//x.c", "no path below kernel/"),
        ("kernel/message*.h", "kernel/message.c", "twice"),
        ("kernel/old.c", "/kernel/old.c", "remove"),
        ("[[stage]]", "[[stages]]", "unknown key 'stages'"),
        ("[handin]", 'builds_on = "small"\n[handin]', "'small' is no other lab's name"),
        ("[handin]", 'builds_on = "../x"\n[handin]', "no other lab's name"),
        ("[handin]", "builds_on = 5\n[handin]", "builds_on must be a text"),
        ("[handin]", 'archive = ["a b"]\n[handin]', "'a b' is no program's name"),
        ("[handin]", 'archive = "server"\n[handin]', "archive: must be a list"),
        ("[handin]", '[copy]\n"kernel/x.c" = 5\n[handin]', "must name a path of the baseline"),
        ("[handin]", '[copy]\n"x.c" = "kernel/x.c"\n[handin]', "no path below kernel/"),
        ("[handin]", "copy = 5\n[handin]", "must be a table"),
        ("[handin]", "messages = 5\n[handin]", "must be a table"),
        ("[handin]", "[messages]\nfrom = {}\n[handin]", "unknown key 'from'"),
        ("[handin]", "[messages]\nto = { send = 6 }\n[handin]", "to must map system calls to an argument"),
        ("[handin]", "[messages]\nto = { send = true }\n[handin]", "to must map system calls to an argument"),
        ("[handin]", "[messages]\nslots = 0\n[handin]", "slots must be 1 or more"),
    ],
)
def test_a_wrong_lab_file_is_refused(old: str, new: str, message: str) -> None:
    """A mistake is named with file and key, and never silently ignored."""
    with pytest.raises(LabFileError, match="labs/small/lab.toml.*" + message):
        parse(LAB_TOML.replace(old, new))


def test_a_file_that_is_no_toml_is_refused(tmp_path: Path) -> None:
    """The parser's own message tells the line."""
    project = small_project(tmp_path)
    (tmp_path / "labs/small/lab.toml").write_text("title = \n")
    with pytest.raises(LabFileError, match=r"labs/small/lab.toml: .*line 1"):
        load_lab(project, "small")
