"""Hand-ins: what is taken, and what is said when something is wrong. The hostile ones are in test_attacks_handin.py."""

from __future__ import annotations

import os
import tarfile
import zipfile
from pathlib import Path

import pytest

from grader.faults import HandinFault, WrongUse
from grader.labs.handin import Handin, read_handin
from grader.labs.lab_file import Lab
from grader.tests.small_project import put, small_lab, small_project

GOOD = {"kernel/message.c": "int mine;\n", "kernel/extra_two.c": "int two;\n"}


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    """A lab that demands kernel/message.c and takes kernel/extra*.c."""
    return small_lab(small_project(tmp_path / "project"))


def faults(handin: Handin) -> str:
    """The message that costs the points."""
    with pytest.raises(HandinFault) as caught:
        handin.check()
    return str(caught.value)


def test_a_folder_is_a_hand_in(lab: Lab, tmp_path: Path) -> None:
    """Required and optional files are taken, with no word about it."""
    handin = read_handin(put(tmp_path / "in", GOOD), lab)
    handin.check()
    assert handin.files == {path: text.encode() for path, text in GOOD.items()}
    assert handin.problems == ()


@pytest.mark.parametrize("top", ["", "course-main/", "./"])
@pytest.mark.parametrize("suffix", [".zip", ".tar", ".tar.gz", ".tar.bz2", ".tar.xz"])
def test_an_archive_is_a_hand_in(lab: Lab, tmp_path: Path, suffix: str, top: str) -> None:
    """With or without the one folder that a download puts around it all."""
    folder, archive = put(tmp_path / "in", GOOD), tmp_path / f"in{suffix}"
    if suffix == ".zip":
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as made:
            for path in GOOD:
                made.write(folder / path, top + path)
    else:
        modes = {".tar": "w:", ".tar.gz": "w:gz", ".tar.bz2": "w:bz2", ".tar.xz": "w:xz"}
        with tarfile.open(archive, modes[suffix]) as packed:  # type: ignore[call-overload]
            packed.add(folder / "kernel", top + "kernel")
    handin = read_handin(archive, lab)
    handin.check()
    assert handin.files == {path: text.encode() for path, text in GOOD.items()}


def test_a_folder_around_the_files_is_looked_through(lab: Lab, tmp_path: Path) -> None:
    """Who hands in the folder's parent is understood."""
    put(tmp_path / "in/my lab", GOOD)
    assert set(read_handin(tmp_path / "in", lab).files) == set(GOOD)


def test_a_missing_file_is_named(lab: Lab, tmp_path: Path) -> None:
    """0 points with the file's name, not a crash."""
    handin = read_handin(put(tmp_path / "in", {"kernel/extra.c": "int a;\n"}), lab)
    assert faults(handin) == "kernel/message.c: is missing: hand it in, even if it is unchanged"


def test_capital_letters_count(lab: Lab, tmp_path: Path) -> None:
    """The nearest name is told."""
    handin = read_handin(put(tmp_path / "in", {"kernel/Message.c": "int a;\n", "kernel/extra.c": ""}), lab)
    assert "is missing, but there is kernel/Message.c: capital letters count" in faults(handin)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "in: is no hand-in of the lab small: none of its files is there"),
        ({"readme.txt": "hello"}, "is no hand-in of the lab small"),
        ({"message.c": "int a;\n"}, "message.c must be kernel/message.c"),
    ],
)
def test_what_is_no_hand_in_is_said_to_be_none(lab: Lab, tmp_path: Path, files: dict[str, str], message: str) -> None:
    """A wrong folder gets one sentence, not a list of missing files."""
    (tmp_path / "in").mkdir()
    assert message in faults(read_handin(put(tmp_path / "in", files), lab))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b" \n\n", "is empty"),
        (b"int a;\n\x00", "is no text (a NUL byte at offset 7)"),
        (b"\x7fELF\x01\x01\x01\x00", "is no text"),
        (b"int a;\n// caf\xe9\n", "is not UTF-8 text (line 2): save it in the encoding UTF-8"),
        (b"a" * (256 * 1024 + 1), "is larger than 256 KB"),
    ],
)
def test_a_file_that_is_no_source_is_refused(lab: Lab, tmp_path: Path, content: bytes, message: str) -> None:
    """Each with what to do."""
    put(tmp_path / "in", GOOD)
    (tmp_path / "in/kernel/message.c").write_bytes(content)
    said = faults(read_handin(tmp_path / "in", lab))
    assert said.startswith("kernel/message.c: ") and message in said


def test_an_empty_optional_file_does_no_harm(lab: Lab, tmp_path: Path) -> None:
    """It is compiled, and that is all."""
    read_handin(put(tmp_path / "in", {**GOOD, "kernel/extra.c": ""}), lab).check()


def test_windows_text_is_understood(lab: Lab, tmp_path: Path) -> None:
    """Line ends and a byte order mark are changed, with a note."""
    put(tmp_path / "in", GOOD)
    (tmp_path / "in/kernel/message.c").write_bytes(b"\xef\xbb\xbfint a;\r\nint b;\r\n")
    handin = read_handin(tmp_path / "in", lab)
    handin.check()
    assert handin.files["kernel/message.c"] == b"int a;\nint b;\n"
    assert "Windows line ends" in handin.notes[0]


def test_two_versions_of_the_same_lines_are_noted(lab: Lab, tmp_path: Path) -> None:
    """A merge that was committed as it was; the compiler's words for it are many."""
    put(tmp_path / "in", {**GOOD, "kernel/extra.c": "<<<<<<< HEAD\nint a;\n=======\nint b;\n>>>>>>> theirs\n"})
    assert "kernel/extra.c: holds two versions" in read_handin(tmp_path / "in", lab).notes[0]


def test_what_does_not_count_is_said_to_not_count(lab: Lab, tmp_path: Path) -> None:
    """A changed file of ours and an unknown one are noted; unchanged ones and litter are not."""
    given = {"kernel/main.c": b"ours", "kernel/types.h": b"same"}
    extra = {
        "kernel/main.c": "theirs",
        "kernel/types.h": "same",
        "kernel/new.c": "",
        "kernel/.x.swp": "",
        "notes.txt": "",
    }
    handin = read_handin(put(tmp_path / "in", {**GOOD, **extra}), lab, given)
    handin.check()
    assert [note.split(":")[0] for note in handin.notes] == ["kernel/main.c", "kernel/new.c"]
    assert "differs from ours, and ours is used" in handin.notes[0]


@pytest.mark.skipif(os.getuid() == 0, reason="root reads everything")
def test_a_file_that_cannot_be_read_is_named(lab: Lab, tmp_path: Path) -> None:
    """With what to do."""
    put(tmp_path / "in", GOOD)
    (tmp_path / "in/kernel/message.c").chmod(0)
    assert "cannot be read (Permission denied)" in faults(read_handin(tmp_path / "in", lab))


def test_no_path_is_wrong_use(lab: Lab, tmp_path: Path) -> None:
    """A mistyped path is not the student's 0 points."""
    with pytest.raises(WrongUse, match="nowhere: No such file or directory: a hand-in is a folder or an archive"):
        read_handin(tmp_path / "nowhere", lab)


def test_a_file_that_is_no_archive_is_refused(lab: Lab, tmp_path: Path) -> None:
    """A single source file is not a hand-in."""
    assert "is no archive (.zip, .tar, .tar.gz)" in faults(read_handin(put(tmp_path, {"a.c": "x"}) / "a.c", lab))
