"""`./lab submit` and the archive it makes: deterministic, whole or not there, and only what the lab takes."""

from __future__ import annotations

import errno
import io
import json
import os
import resource
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from grader.faults import HandinFault, Ungradable, WrongUse
from grader.labs.lab_file import Lab, load_lab
from grader.labs.tree import Answer, compose
from grader.paths import Project
from grader.publishing.archive import replaceable
from grader.publishing.asked import asked
from grader.publishing.submit import Submission, submit
from grader.testing.verdict import Grading
from grader.tests.small_course import clone, course, git, published, published_course
from grader.tests.small_project import put


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """The author's repository."""
    return course(tmp_path / "course")


@pytest.fixture
def student(tmp_path: Path) -> Project:
    """A clone on the lab's branch."""
    return clone(published_course(tmp_path), tmp_path / "student", "lab/small")


@pytest.fixture
def lab(student: Project) -> Lab:
    """Its lab."""
    return load_lab(student, "small")


def graded(**facts: Any) -> Callable[[], Grading]:
    """What judges: a grading with these facts, of no tests."""
    return lambda: Grading("small", "A small lab", "own", **facts)


def submitted(student: Project, output: Path, *, anyway: bool = False, **facts: Any) -> Submission:
    """Submit the student's files."""
    return submit(student, load_lab(student, "small"), "own", output, graded(**facts), anyway=anyway)


def test_exactly_the_listed_files_are_packed(student: Project, tmp_path: Path) -> None:
    """With a manifest, and always the same bytes for the same files."""
    put(student.root, {"kernel/extra_mine.c": "int mine;\n", "kernel/notes.txt": "mine\n", "kernel/main.c": "int x;\n"})
    done = submitted(student, tmp_path)
    assert done.path == tmp_path / "small-handin.zip"
    names = zipfile.ZipFile(done.path).namelist()
    assert names == ["handin.json", "kernel/extra_mine.c", "kernel/message.c"]
    manifest = json.loads(zipfile.ZipFile(done.path).read("handin.json"))
    assert (manifest["lab"], manifest["score"]) == ("small", {"points": 0, "of": 0})
    assert any("kernel/main.c" in note for note in done.notes)
    assert any("not committed yet" in note and "extra_mine.c" in note for note in done.notes)
    before = done.path.read_bytes()
    os.utime(student.root / "kernel/message.c", (1, 1))
    assert (
        submitted(student, tmp_path / "again.zip").path.read_bytes()
        == before
        == submitted(student, tmp_path).path.read_bytes()
    )


def test_what_is_packed_is_graded_as_what_it_is(project: Project, student: Project, tmp_path: Path) -> None:
    """The instructor names the file alone; lab, version and content agree, and the tree is the student's."""
    put(student.root, {"kernel/message.c": '#include "types.h"\nint message_send(int value) { return value; }\n'})
    path = submitted(student, tmp_path).path
    meant = asked(project, str(path), "")
    assert (meant.lab.name, meant.answer, meant.notes) == ("small", str(path), ())
    handed_in = compose(project, meant.lab, Answer("path", str(path)))
    assert handed_in.digest == compose(student, load_lab(student, "small"), Answer("own")).digest
    assert asked(project, "small", str(path)).notes == ()


def test_what_does_not_build_is_not_packed_unless_told(student: Project, tmp_path: Path) -> None:
    """The compiler's words are shown; --anyway packs it, with the same words as a note."""
    facts: dict[str, Any] = {"message": "kernel/message.c:1: error", "build_output": "kernel/message.c:1: error"}
    with pytest.raises(HandinFault, match=r"(?s)does not compile.*message\.c:1: error.*--anyway"):
        submitted(student, tmp_path, **facts)
    assert not list(tmp_path.glob("*.zip"))
    done = submitted(student, tmp_path, anyway=True, **facts)
    assert done.path.exists() and "does not compile" in done.notes[0]


def test_what_cannot_be_graded_here_is_not_packed_unless_told(student: Project, tmp_path: Path) -> None:
    """No emulator, for one: the archive then has no score."""
    with pytest.raises(HandinFault, match="could not be graded here, by no fault of yours: no QEMU"):
        submitted(student, tmp_path, gradable=False, message="no QEMU")
    done = submitted(student, tmp_path, anyway=True, gradable=False, message="no QEMU")
    assert done.manifest.score is None


def test_conflict_markers_and_missing_files_are_named(student: Project, tmp_path: Path) -> None:
    """Before anything is built; nothing at all is no hand-in, told or not."""
    put(student.root, {"kernel/message.c": "<<<<<<< HEAD\nint a;\n=======\nint b;\n>>>>>>> origin\n"})
    with pytest.raises(HandinFault, match=r"two versions of the same lines stand in kernel/message\.c"):
        submitted(student, tmp_path)
    put(student.root, {"kernel/extra_mine.c": "int mine;\n"})
    (student.root / "kernel/message.c").unlink()
    with pytest.raises(HandinFault, match=r"kernel/message\.c: is missing"):
        submitted(student, tmp_path)
    assert list(submitted(student, tmp_path, anyway=True).files) == ["kernel/extra_mine.c"]
    (student.root / "kernel/extra_mine.c").unlink()
    with pytest.raises(HandinFault, match="none of its files"):
        submitted(student, tmp_path, anyway=True)


@pytest.mark.parametrize("kept", [0, 300])
def test_an_archive_that_was_cut_off_is_said_to_be_no_archive(student: Project, tmp_path: Path, kept: int) -> None:
    """Not that it does not name its lab: an upload that was broken off is sent again."""
    path = submitted(student, tmp_path).path
    (tmp_path / "homework.pdf").write_bytes(path.read_bytes()[:kept])
    with pytest.raises(WrongUse, match=r"homework\.pdf: .*archive"):
        asked(student, str(tmp_path / "homework.pdf"), "")


def test_handing_in_needs_no_git(student: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does grading; only what git would know is not said."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert asked(student, None, "").answer == "own"
    assert submitted(student, tmp_path).path.exists()


def test_files_that_change_while_they_are_graded_are_not_packed(student: Project, lab: Lab, tmp_path: Path) -> None:
    """The score would be another's."""
    judge = graded(hashes={"hand_in": "of what was graded"})
    with pytest.raises(WrongUse, match="changed while they were graded"):
        submit(student, lab, "own", tmp_path, judge, anyway=False)


def never() -> Grading:
    """What judges where no time must be spent on it."""
    pytest.fail("it was graded, and could be written nowhere")


def test_only_an_archive_of_ours_is_replaced(student: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not a source, not another zip, not a folder, not a device; an older archive is. What cannot be written is said
    before anything is graded.
    """
    put(tmp_path, {"thesis.txt": "years of work"})
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as photos:
        photos.writestr("me.jpg", "smile")
    for name in (tmp_path / "thesis.txt", tmp_path / "photos.zip", Path("/dev/null")):
        with pytest.raises(WrongUse, match=r"no archive that \./lab submit made"):
            submitted(student, name)
    with pytest.raises(WrongUse, match=r"there is no folder .*such"):
        submit(student, load_lab(student, "small"), "own", tmp_path / "no/such/folder.zip", never, anyway=False)
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(WrongUse, match="is not yours to write"):
        submit(student, load_lab(student, "small"), "own", tmp_path / "new.zip", never, anyway=False)
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_a_full_disk_leaves_the_earlier_archive(student: Project, tmp_path: Path) -> None:
    """A real limit on the size of files, met in the middle of writing; no half of a file is left."""
    path = submitted(student, tmp_path).path
    before = path.read_bytes()
    put(student.root, {"kernel/extra_mine.c": "int mine;\n" * 2000})
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, limits[1]))
    try:
        with pytest.raises(Ungradable, match=r"disk is full: the earlier archive is as it was\. Make room"):
            submitted(student, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir() if "small" in entry.name] == ["small-handin.zip"]


@pytest.mark.parametrize("trouble", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_trouble_at_the_last_moment_leaves_nothing_half_done(
    student: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: BaseException
) -> None:
    """A disk that is found full when its cache is written, or Ctrl-C just then."""

    def fail(_descriptor: int) -> None:
        raise trouble

    folder = tmp_path / "archives"
    folder.mkdir()
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises((Ungradable, KeyboardInterrupt)):
        submitted(student, folder)
    assert list(folder.iterdir()) == []


def test_a_merge_in_progress_is_nobodys_answer(project: Project, student: Project, tmp_path: Path) -> None:
    """After a publish that conflicts: grade and submit say which files, what to do, and the way back."""
    text = (student.root / "kernel/message.c").read_text()
    put(student.root, {"kernel/message.c": text.replace("return -1", "return 5")})
    git(student.root, "commit", "--quiet", "--all", "--message", "mine")
    solution = project.root / "solutions/small/kernel/message.c"
    solution.write_text(solution.read_text().replace("//: return -1", "//: return -2"))
    published(project, tmp_path / "out")
    git(student.root, "pull", "--quiet", check=False)
    with pytest.raises(WrongUse, match=r"(?s)a merge is not finished.*kernel/message\.c.*git merge --abort"):
        asked(student, None, "")
    put(student.root, {"kernel/message.c": text.replace("return -1", "return 5")})
    git(student.root, "commit", "--quiet", "--all", "--message", "merged")
    assert asked(student, None, "").answer == "own"


def test_the_checkout_knows_its_lab(project: Project, student: Project, tmp_path: Path) -> None:
    """On the wrong branch the way to the right one is told."""
    assert asked(student, None, "").lab.name == "small"
    with pytest.raises(WrongUse, match=r"(?s)checkout is the lab small, on the branch lab/small.*\./lab start upper"):
        asked(student, "upper", "")
    with pytest.raises(WrongUse, match=r"^no lab is called 'test_\*'; this checkout is the lab small$"):
        asked(student, "test_*", "")
    with pytest.raises(WrongUse, match=r"^there is no file smal-handin\.zip, and no lab has that name: small$"):
        asked(student, "smal-handin.zip", "")
    git(student.root, "switch", "--quiet", "main")
    with pytest.raises(WrongUse, match="which lab"):
        asked(student, None, "")
    with pytest.raises(WrongUse, match=r"(?s)is the baseline.*did you mean small.*\./lab start smal"):
        asked(student, "smal", "")
    with pytest.raises(WrongUse, match="which lab"):
        asked(project, None, "")


def packed(path: Path, manifest: object, files: dict[str, str]) -> Path:
    """An archive with any manifest."""
    with zipfile.ZipFile(path, "w") as made:
        if manifest is not None:
            made.writestr("handin.json", manifest if isinstance(manifest, str) else json.dumps(manifest))
        for name, text in files.items():
            made.writestr(name, text)
    return path


def label(**facts: object) -> dict[str, object]:
    """A manifest as ours are, but for what is named."""
    return {"schema": "kernelist/handin/1", "lab": "small", "version": "0" * 12, "content": "", "score": None, **facts}


@pytest.mark.parametrize(
    ("manifest", "said"),
    [
        (label(lab="boot"), "packed for the lab 'boot', which is not here"),
        (label(lab="../../etc"), "packed for the lab '../../etc', which is not here"),
        (label(lab="\x1b[2J"), "packed for the lab '␛.2J', which is not here"),
        (label(schema="kernelist/handin/2"), "packed by a newer grader than this one: .*git pull"),
        (label(schema="another"), "not as ./lab submit writes it. Name the lab"),
        (label(lab=["small"]), "not as ./lab submit writes it"),
        (label(version="x" * 4000), "not as ./lab submit writes it"),
        ("{", "not as ./lab submit writes it"),
        ("[" * 100_000, "not as ./lab submit writes it"),
        (None, "does not say of which lab it is: ./lab grade LAB --answer"),
    ],
)
def test_a_label_is_believed_in_nothing(project: Project, tmp_path: Path, manifest: object, said: str) -> None:
    """Another lab's, a newer one's, a forged or broken one: what is wrong, and what to do."""
    path = packed(tmp_path / "x.zip", manifest, {"kernel/message.c": "int a;\n"})
    with pytest.raises(WrongUse, match=said):
        asked(project, str(path), "")


def test_an_archive_of_another_version_is_graded_with_a_note(
    project: Project, student: Project, tmp_path: Path
) -> None:
    """By the version that is here; so is one whose files were changed after it was packed."""
    path = submitted(student, tmp_path).path
    tests = project.root / "labs/small/tests/test_small.py"
    put(project.root, {"labs/small/README.md": "# Another word\n"})
    assert asked(project, str(path), "").notes == ()
    tests.write_text(tests.read_text() + "# further\n")
    (note,) = asked(project, str(path), "").notes
    assert "another version of the lab" in note and "git pull" in note
    forged = packed(tmp_path / "forged.zip", label(score={"points": 100, "of": 100}), {"kernel/message.c": "int a;\n"})
    notes = asked(project, "small", str(forged)).notes
    assert any("changed after ./lab submit packed it" in note for note in notes)


def test_an_archive_of_another_lab_is_not_graded_as_this_one(project: Project, tmp_path: Path) -> None:
    """Its own lab is told."""
    path = packed(tmp_path / "x.zip", label(lab="boot"), {"kernel/message.c": "int a;\n"})
    with pytest.raises(WrongUse, match="packed for the lab 'boot', not for small"):
        asked(project, "small", str(path))


def test_a_folder_and_a_tar_are_recognised_too(student: Project, project: Project, tmp_path: Path) -> None:
    """Whoever unpacked the archive, or packed it again in another way, below a folder."""
    path = submitted(student, tmp_path).path
    zipfile.ZipFile(path).extractall(tmp_path / "unpacked")
    with tarfile.open(tmp_path / "again.tar.gz", "w:gz") as tar:
        tar.add(tmp_path / "unpacked", "ann")
    for name in ("unpacked", "again.tar.gz"):
        meant = asked(project, str(tmp_path / name), "")
        assert (meant.lab.name, meant.notes) == ("small", ())


@pytest.mark.parametrize(("field", "value"), [(6, 99), (10, 255), (42, 255)])
def test_an_odd_zip_in_the_archives_place_is_nobodys_archive(tmp_path: Path, field: int, value: int) -> None:
    """Of a later version, packed in an unknown way, a member that lies elsewhere: that is said."""
    target = tmp_path / "in.zip"
    with zipfile.ZipFile(target, "w") as made:
        made.writestr("notes.txt", "mine")
    data = bytearray(target.read_bytes())
    data[data.find(b"PK\x01\x02") + field] = value
    target.write_bytes(data)
    with pytest.raises(WrongUse, match=r"no archive that \./lab submit made"):
        replaceable(target)


def test_a_pipe_in_the_archives_place_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That would wait for somebody to write into it, for ever."""
    os.mkfifo(tmp_path / "in.zip")
    monkeypatch.setattr(zipfile, "ZipFile", lambda path: pytest.fail(f"{path} was opened"))
    with pytest.raises(WrongUse, match=r"no archive that \./lab submit made"):
        replaceable(tmp_path / "in.zip")


def test_attacks_in_an_archive_are_refused_by_whoever_reads_it(project: Project, tmp_path: Path) -> None:
    """Links, names that lead outside, sizes that lie: the label does not change how the files are taken."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as tar:
        data = json.dumps(label()).encode()
        entry = tarfile.TarInfo("handin.json")
        entry.size = len(data)
        tar.addfile(entry, io.BytesIO(data))
        link = tarfile.TarInfo("kernel/message.c")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
        tar.addfile(tarfile.TarInfo("../../outside.c"))
    (tmp_path / "evil.tar").write_bytes(target.getvalue())
    meant = asked(project, str(tmp_path / "evil.tar"), "")
    with pytest.raises(HandinFault, match=r"kernel/message\.c: is a symbolic link"):
        compose(project, meant.lab, Answer("path", meant.answer))
    link_to = tmp_path / "folder"
    put(link_to, {"kernel/message.c": "int a;\n"})
    (link_to / "handin.json").symlink_to("/etc/passwd")
    with pytest.raises(WrongUse, match="does not say of which lab"):
        asked(project, str(link_to), "")
