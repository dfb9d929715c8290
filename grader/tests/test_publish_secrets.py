"""What must never be published is known by its content: planted under other names, in other files, and long ago."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

import pytest

from grader.paths import Project
from grader.publishing.confidential import Confidential
from grader.publishing.history import Leak
from grader.publishing.publish import check
from grader.tests.small_course import SECRET_C, course, git, published, published_course, with_upper_lab
from grader.tests.small_project import FILES, MUTANT_TOML, put

HIDDEN = '''def test_that_is_hidden(boot) -> None:
    """It is run for instructors only."""
    assert boot("knock").finish()["value"] == 12345
'''
GRADED_HIDDEN = f"from grader.testing.plugin import graded\n\n\n@graded(stage=2, points=1)\n{HIDDEN}"
SOLUTION_LINES = "\n".join(SECRET_C.splitlines()[3:7])


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """The author's repository."""
    return course(tmp_path / "course")


@pytest.fixture
def confidential(project: Project) -> Confidential:
    """What of it is confidential, with a hidden test; its public ones share words with it."""
    put(project.root, {"labs/small/tests/hidden/test_kept.py": HIDDEN})
    return Confidential.of(project)


@pytest.mark.parametrize(
    ("content", "origin"),
    [
        pytest.param(SECRET_C, "solutions/small/kernel/extra.c", id="a marked file"),
        pytest.param(SECRET_C.split("\n", 1)[1], "solutions/small/kernel/extra.c", id="as a student has it"),
        pytest.param(f"Hint:\n\n{SOLUTION_LINES}\n", "solutions/small/kernel/extra.c", id="lines in a handout"),
        pytest.param(
            "".join(f"+        {line.strip()}\n\n" for line in SOLUTION_LINES.splitlines()),
            "solutions/small/kernel/extra.c",
            id="lines in a patch",
        ),
        pytest.param(SOLUTION_LINES.replace("\n", "\r\n"), "solutions/small/kernel/extra.c", id="Windows line ends"),
        pytest.param(MUTANT_TOML, "solutions/small/mutants/doubled.toml", id="a mutant"),
        pytest.param(MUTANT_TOML.split("@@")[0], "solutions/small/mutants/doubled.toml", id="a misconception"),
        pytest.param(HIDDEN, "labs/small/tests/hidden/test_kept.py", id="a hidden test"),
        pytest.param("def test_that_is_hidden(x):", "labs/small/tests/hidden/test_kept.py", id="a hidden name"),
        pytest.param("# see test_that_is_hidden", "labs/small/tests/hidden/test_kept.py", id="a name in a comment"),
    ],
)
def test_confidential_text_is_known_by_its_content(confidential: Confidential, content: str, origin: str) -> None:
    """Whole or in part, however it is indented or decorated; the message says where it is from."""
    found = confidential.find(content.encode())
    assert found is not None and found.origin == origin


@pytest.mark.parametrize(
    "content",
    [
        *(content for path, content in FILES.items() if not path.startswith("solutions/")),
        "    return value;\n}\n\n",
        "def test_value():\n    pass\n",
        "int message_send(int value)\n{\n    // TASK 1: give the value back.\n    (void)value;\n    return -1;\n}\n",
        "",
    ],
)
def test_what_students_have_anyway_is_nobodys_secret(confidential: Confidential, content: str) -> None:
    """The baseline, given files, the starter, public tests, everybody's lines."""
    assert confidential.find(content.encode()) is None


def test_bytes_that_are_no_text_are_searched_too(confidential: Confidential) -> None:
    """As in an archive that is not compressed."""
    assert confidential.find(b"\xff\xfe\0\0" + SECRET_C.encode() + b"\0" * 512) is not None


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("labs/small/README.md", f"# Hints\n\n```c\n{SOLUTION_LINES}\n```\n"),
        ("labs/small/probes/innocent.c", SECRET_C),
        ("labs/small/tests/shared.py", HIDDEN.replace("12345", "54321")),
        ("grader/notes.txt", MUTANT_TOML),
    ],
)
def test_a_leak_is_refused_before_anything_is_written(
    project: Project, tmp_path: Path, path: str, content: str
) -> None:
    """The message names the place and the source, and the repository is not even made."""
    if "hidden" in content:
        put(project.root, {"labs/small/tests/hidden/test_kept.py": GRADED_HIDDEN})
    put(project.root, {path: content})
    with pytest.raises(Leak, match=rf"(?s)lab/small: {path}: .* of (solutions|labs)/small/.*nothing was published"):
        published(project, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_cannot_be_searched_is_not_published(project: Project, folder: Path) -> None:
    """Compressed, a solution has none of its lines: only text is published, and only text is known to be clean."""
    put(project.root, {"labs/small/more": ""})
    (project.root / "labs/small/more").write_bytes(gzip.compress(SECRET_C.encode()))
    with pytest.raises(Leak, match=r"lab/small: labs/small/more: .*no text, and cannot be searched"):
        published(project, folder)
    shutil.copy(project.root / "labs/small/more", folder / "more")
    git(folder, "hash-object", "-w", "more")
    with pytest.raises(Leak, match="no text"):
        check(project, folder)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The published repository."""
    return published_course(tmp_path)


def test_an_old_leak_is_found_in_the_history(project: Project, folder: Path) -> None:
    """A line that became confidential after it was published: no branch shows it any more, its history does."""
    solution = project.root / "solutions/small/kernel/extra.c"
    put(project.root, {"kernel/other.c": f"int other = 5;\n{SOLUTION_LINES}\n"})
    text = solution.read_text()
    solution.unlink()
    published(project, folder)
    solution.write_text(text)
    put(project.root, {"kernel/other.c": "int other = 5;\n"})
    before = git(folder, "for-each-ref")
    with pytest.raises(Leak, match=r"(?s)kernel/other\.c \(blob .*of solutions/small/kernel/extra\.c.*in the history"):
        published(project, folder)
    assert git(folder, "for-each-ref") == before
    with pytest.raises(Leak, match="Whoever has a clone may have it"):
        check(project, folder)


@pytest.mark.parametrize("where", ["unreachable", "message", "tag", "stash"])
def test_every_object_counts(project: Project, folder: Path, tmp_path: Path, where: str) -> None:
    """What no branch leads to, what is said in a commit or a tag, what is put away."""
    assert check(project, folder) > 0
    put(tmp_path, {"secret": SECRET_C})
    if where == "unreachable":
        git(folder, "hash-object", "-w", str(tmp_path / "secret"))
    elif where == "message":
        git(folder, "commit-tree", "-F", str(tmp_path / "secret"), "main^{tree}")
    elif where == "tag":
        git(folder, "tag", "-a", "v1", "-F", str(tmp_path / "secret"))
    else:
        put(folder, {"kernel/main.c": SECRET_C})
        git(folder, "stash")
    with pytest.raises(Leak, match=r"solutions/small/kernel/extra\.c"):
        check(project, folder)
    with pytest.raises(Leak):
        published(project, folder)


def test_what_one_lab_gives_is_confidential_on_every_other_branch(project: Project, folder: Path) -> None:
    """A lab that builds on another has its finished files; on main or on the other lab's branch they are a leak."""
    with_upper_lab(project)
    published(project, folder, "upper")
    assert check(project, folder) > 0
    blob = git(folder, "rev-parse", "lab/upper:labs/upper/base/kernel/extra.c")
    put(folder, {"notes.c": git(folder, "cat-file", "blob", blob) + "\n"})
    git(folder, "add", "notes.c")
    git(folder, "commit", "--quiet", "--message", "by mistake")
    assert git(folder, "rev-parse", "main:notes.c") == blob
    with pytest.raises(Leak, match=r"solutions/small/kernel/extra\.c"):
        check(project, folder)
    put(project.root, {"labs/small/README.md": SOLUTION_LINES})
    git(folder, "reset", "--quiet", "--hard", "main~1")
    with pytest.raises(Leak, match=r"lab/small: labs/small/README\.md"):
        published(project, folder)


def test_the_real_labs_can_be_told_from_their_solutions() -> None:
    """No finished lab of this project has a line of its solution in what students get."""
    here = Project.here()
    confidential = Confidential.of(here)
    for path in sorted(here.labs.glob("*/README.md")):
        assert confidential.find(path.read_bytes(), path.parent.name) is None, path
    for path in sorted((here.root / "solutions").glob("*/kernel/*.c")):
        if "STAGE" in path.read_text():
            assert confidential.find(path.read_bytes()) is not None, path
