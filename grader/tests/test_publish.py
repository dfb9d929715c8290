"""Publishing: what students get, commits that are the same for the same course, and repositories that are not ours."""

from __future__ import annotations

import resource
import shutil
from pathlib import Path

import pytest

from grader.faults import ProjectFault, WrongUse
from grader.labs.lab_file import load_lab
from grader.labs.tree import Answer, compose
from grader.paths import Project
from grader.publishing import contents
from grader.publishing import published as about
from grader.publishing.git import GitFailed
from grader.publishing.publish import check
from grader.tests.small_course import GRADED, clone, course, git, published, published_course, with_upper_lab
from grader.tests.small_project import put


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """The author's repository."""
    return course(tmp_path / "a course")


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """The published repository."""
    return published_course(tmp_path)


def files(folder: Path, branch: str) -> set[str]:
    """The paths on a branch."""
    return set(git(folder, "ls-tree", "-r", "--name-only", branch).split("\n"))


def test_a_lab_has_a_branch_with_what_a_student_needs(project: Project, target: Path) -> None:
    """The baseline on main; on the lab's branch the starter in place, given files, tests, probes, untouched sources."""
    assert {"README.md", "lab", "kernel/main.c", "kernel/old.c", "published.json"} <= files(target, "main")
    lab = files(target, "lab/small")
    wanted = {"README.md", "labs/small/README.md", "labs/small/tests/test_small.py", "labs/small/probes/knock.c"}
    assert wanted | {"kernel/message.c", "kernel/given.c", "labs/small/base/kernel/main.c", "lab"} <= lab
    assert not {"kernel/old.c", "kernel/extra.c"} & lab
    assert "TASK 1" in git(target, "show", "lab/small:kernel/message.c")
    assert "100755" in git(target, "ls-tree", "main", "lab")
    assert not [path for path in lab | files(target, "main") if path.startswith("solutions/") or "mutants" in path]
    assert git(target, "status", "--porcelain") == "" and (target / "kernel" / "main.c").is_file()


def test_a_students_tree_is_the_authors(project: Project, target: Path, tmp_path: Path) -> None:
    """The same answer composes to the same tree on both sides, copies, removals and given files included."""
    toml = (project.root / "labs/small/lab.toml").read_text()
    copies = toml.replace("[handin]", '[copy]\n"kernel/user/again.c" = "kernel/other.c"\n\n[handin]')
    put(project.root, {"labs/small/lab.toml": copies})
    published(project, target)
    student = clone(target, tmp_path / "student", "lab/small")
    assert (student.root / "kernel/user/again.c").is_file()
    starter = compose(project, load_lab(project, "small"), Answer("starter"))
    own = compose(student, load_lab(student, "small"), Answer("own"))
    assert (own.digest, own.given_digest) == (starter.digest, starter.given_digest)
    assert own.notes == ()


def test_what_is_not_handed_in_counts_as_it_was(target: Path, tmp_path: Path) -> None:
    """A student who changes a given file is told, and graded as the instructor will grade."""
    student = clone(target, tmp_path / "student", "lab/small")
    put(student.root, {"kernel/main.c": "int mine;\n"})
    tree = compose(student, load_lab(student, "small"), Answer("own"))
    assert b"kernel_main" in tree.files["kernel/main.c"]
    assert tree.notes == (
        "kernel/main.c: is not among the files of this lab's hand-in: it differs from ours, and ours is used",
    )


SETTINGS = """
[commit]
    gpgsign = true
[core]
    autocrlf = true
    hooksPath = /nonexistent
[i18n]
    commitEncoding = latin1
[user]
    useConfigOnly = true
"""


def test_the_same_course_gives_the_same_commits(
    project: Project, target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever and whenever it is published, and whoever's git settings are in force, without a name too."""
    put(tmp_path / "home", {".gitconfig": SETTINGS})
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GIT_DIR", "/nonexistent")
    outcome = published(project, tmp_path / "elsewhere")
    monkeypatch.undo()
    assert outcome.added == {name: git(target, "rev-parse", name) for name in ("main", "lab/small")}
    assert git(tmp_path / "elsewhere", "status", "--porcelain") == ""


def test_publishing_again_adds_commits_only_where_content_changed(project: Project, target: Path) -> None:
    """And each is upon the one before, with the changed paths in its message."""
    before = git(target, "rev-parse", "main", "lab/small").split()
    assert published(project, target).added == {}
    put(project.root, {"labs/small/README.md": "# A small lab\n\nTake the value, please, and give it back.\n"})
    outcome = published(project, target)
    assert (list(outcome.added), outcome.same) == (["lab/small"], ("main",))
    assert git(target, "rev-parse", "main", "lab/small~1").split() == before
    assert git(target, "log", "-1", "--format=%B", "lab/small").endswith("labs/small/README.md")
    put(project.root, {"kernel/main.c": (project.root / "kernel/main.c").read_text() + "int further;\n"})
    assert list(published(project, target).added) == ["main", "lab/small"]
    assert "int further;" in (target / "kernel/main.c").read_text()
    assert git(target, "status", "--porcelain") == ""


def test_a_pull_merges_into_a_students_work(project: Project, target: Path, tmp_path: Path) -> None:
    """The student's commits and the course's changes of other lines stand together."""
    student = clone(target, tmp_path / "student", "lab/small").root
    text = (student / "kernel/message.c").read_text()
    put(student, {"kernel/message.c": text.replace("return -1", "return 5")})
    git(student, "commit", "--quiet", "--all", "--message", "mine")
    put(project.root, {"labs/small/README.md": "# Said better\n", "labs/small/kernel/given.c": "int given = 2;\n"})
    published(project, target)
    git(student, "pull", "--quiet")
    assert "return 5" in (student / "kernel/message.c").read_text()
    assert (student / "labs/small/README.md").read_text() == "# Said better\n"
    assert (student / "kernel/given.c").read_text() == (student / "labs/small/kernel/given.c").read_text()


def test_only_the_labs_that_are_named(project: Project, tmp_path: Path) -> None:
    """The others stay as they are; main lists what students can have."""
    folder = tmp_path / "out"
    put(project.root, {"labs/other/lab.toml": (project.root / "labs/small/lab.toml").read_text()})
    shutil.copytree(project.root / "solutions/small", project.root / "solutions/other")
    put(project.root, {"solutions/other/mutants/README": "no mutant"})
    published(project, folder, "small")
    assert git(folder, "branch", "--format=%(refname:short)").split() == ["lab/small", "main"]
    assert list(published(project, folder, "other").added) == ["main", "lab/other"]
    offers = about.read(git(folder, "show", "main:published.json").encode()).labs
    assert [offer.name for offer in offers] == ["other", "small"]


def test_a_lab_that_builds_on_another_is_published_when_it_is_named(project: Project, tmp_path: Path) -> None:
    """Its branch has the finished files of the other, so that one must be over; no other branch has them."""
    with_upper_lab(project)
    folder = tmp_path / "out"
    assert "--lab upper" in published(project, folder).left_out["upper"]
    assert list(published(project, folder, "upper").added) == ["main", "lab/upper"]
    assert "moved * 2" in git(folder, "show", "lab/upper:labs/upper/base/kernel/extra.c")
    assert published(project, folder).left_out == {}
    student = clone(folder, tmp_path / "student", "lab/upper")
    own = compose(student, load_lab(student, "upper"), Answer("own"))
    assert own.digest == compose(project, load_lab(project, "upper"), Answer("starter")).digest
    assert check(project, student.root) > 0


def test_hidden_tests_are_a_count_and_points(project: Project, tmp_path: Path) -> None:
    """Their text stays; what the student's copy says of them is how many, in which stage, for how many points."""
    more = GRADED.format(stage=2, points=7.5, name="test_kept_from_students")
    put(project.root, {"labs/small/tests/hidden/test_more.py": more})
    published(project, tmp_path / "out")
    student = clone(tmp_path / "out", tmp_path / "student", "lab/small")
    known = about.load(student)
    assert known is not None and known.hidden == (about.Hidden(2, 1, 7.5),)
    assert about.lines(student) == [
        "not run here: 1 hidden test worth 7.5 points (stage 2: 1 for 7.5); your instructor runs them"
    ]
    assert not (student.root / "labs/small/tests/hidden").exists()


def test_public_tests_that_need_hidden_ones_are_refused(project: Project, tmp_path: Path) -> None:
    """A student could not grade anything."""
    put(project.root, {"labs/small/tests/hidden/answers.py": "SECRET = 1\n"})
    put(project.root, {"labs/small/tests/test_small.py": "from hidden.answers import SECRET\n"})
    with pytest.raises(ProjectFault, match=r"labs/small/tests without hidden/, as students get them, cannot be coll"):
        published(project, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_with_other_things_is_left_alone(project: Project, tmp_path: Path) -> None:
    """Neither files nor somebody's repository become ours."""
    put(tmp_path / "full", {"thesis.tex": "years of work"})
    with pytest.raises(WrongUse, match="is not empty, and no repository that"):
        published(project, tmp_path / "full")
    git(tmp_path / "full", "init", "--quiet")
    with pytest.raises(WrongUse, match="has files and no commits"):
        published(project, tmp_path / "full")
    git(tmp_path / "full", "checkout", "--quiet", "-b", "main")
    git(tmp_path / "full", "add", "--all")
    git(tmp_path / "full", "commit", "--quiet", "--message", "thesis")
    with pytest.raises(WrongUse, match=r"a git repository that \./lab publish did not make"):
        published(project, tmp_path / "full")
    with pytest.raises(WrongUse, match="lies within the course itself"):
        published(project, project.root / "labs/out")
    with pytest.raises(WrongUse, match="is not empty, and no repository that"):
        published(project, tmp_path / "full/thesis.tex")


def test_an_empty_repository_may_be_used(project: Project, tmp_path: Path) -> None:
    """Made by hand, with a work tree or without, inside of another repository too."""
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "init", "--quiet", "--initial-branch", "trunk", "made")
    git(tmp_path, "init", "--quiet", "--bare", "made.git")
    for name in ("made", "made.git", "new"):
        published(project, tmp_path / name)
        assert git(tmp_path / name, "symbolic-ref", "HEAD") == "refs/heads/main"
        put(project.root, {"labs/small/README.md": f"# For {name}\n"})
        assert list(published(project, tmp_path / name).added) == ["lab/small"]
    assert git(tmp_path, "for-each-ref") == ""


def test_a_clone_of_what_was_published_goes_on(project: Project, target: Path, tmp_path: Path) -> None:
    """For whoever has lost the folder: with all branches, commits come upon the old ones."""
    again = clone(target, tmp_path / "again").root
    with pytest.raises(WrongUse, match=r"(?s)without all of its branches.*branch lab/small origin/lab/small"):
        published(project, again)
    git(again, "branch", "lab/small", "origin/lab/small")
    assert published(project, again).added == {}


def test_foreign_commits_are_not_built_upon(project: Project, target: Path) -> None:
    """The message says whose they are and how to take them away; nothing is lost, and then it works."""
    put(target, {"kernel/main.c": "int typo;\n"})
    git(target, "commit", "--quiet", "--all", "--message", "a quick fix")
    commit = git(target, "rev-parse", "main")
    with pytest.raises(
        WrongUse, match=f"(?s)main has a commit .*{commit[:12]} .'a quick fix' by Ann.*branch kept"
    ) as told:
        published(project, target)
    for line in str(told.value).splitlines()[1:]:
        git(target, *line.replace(f"git -C {target}", "").split())
    assert git(target, "rev-parse", "kept") == commit
    assert published(project, target).added == {}


def test_an_amended_commit_is_foreign(project: Project, target: Path) -> None:
    """It keeps its author's name and date, but not its committer."""
    put(target, {"kernel/main.c": "int typo;\n"})
    git(target, "commit", "--quiet", "--all", "--amend", "--no-edit")
    with pytest.raises(WrongUse, match="did not make"):
        published(project, target)


def test_uncommitted_changes_are_not_run_over(project: Project, target: Path) -> None:
    """In the published repository itself; a file in the way of a new one neither."""
    put(target, {"kernel/main.c": "int unsaved;\n"})
    with pytest.raises(WrongUse, match=r"changes that are not committed \(kernel/main\.c\)"):
        published(project, target)
    git(target, "checkout", "--force")
    put(target, {"kernel/further.c": "int in_the_way;\n"})
    put(project.root, {"kernel/further.c": "int further;\n"})
    before = git(target, "rev-parse", "--all")
    with pytest.raises(Exception, match=r"kernel/further\.c"):
        published(project, target)
    assert (target / "kernel/further.c").read_text() == "int in_the_way;\n"
    (target / "kernel/further.c").unlink()
    published(project, target)
    assert git(target, "rev-parse", "--all") != before
    assert git(target, "for-each-ref", "refs/kernelist") == ""


def test_a_full_disk_leaves_what_was_there_and_no_litter(project: Project, target: Path) -> None:
    """A real limit on the size of files, met while git writes; with room again it works."""
    before = git(target, "for-each-ref"), sorted((target / ".git").rglob("*"))
    put(project.root, {"kernel/other.c": "".join(f"int other_{number};\n" for number in range(20_000))})
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(GitFailed):
            published(project, target)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (git(target, "for-each-ref"), sorted((target / ".git").rglob("*"))) == before
    assert list(published(project, target).added) == ["main", "lab/small"]


def test_a_students_checkout_publishes_nothing(target: Path, tmp_path: Path) -> None:
    """It has no solutions to compare with, so nothing could be proved."""
    student = clone(target, tmp_path / "student", "lab/small")
    with pytest.raises(WrongUse, match="this is a student's checkout"):
        published(student, tmp_path / "again")


def test_a_lab_without_a_solution_has_no_starter(project: Project, target: Path) -> None:
    """It is left out, and said so; by name it is wrong use."""
    put(project.root, {"labs/bare/lab.toml": (project.root / "labs/small/lab.toml").read_text()})
    assert "no solutions/bare" in published(project, target).left_out["bare"]
    with pytest.raises(WrongUse, match="no starter to publish"):
        published(project, target, "bare")
    with pytest.raises(WrongUse, match="did you mean small"):
        published(project, target, "smal")


def test_students_need_no_package_of_the_authors() -> None:
    """Marked lines are left out, and words about nothing else; every other line stays."""
    before = b"# What all need.\na==1\n\n# For tests.\nb==2  # author\n\n# The rest.\nc==3  # author\nd==4\n"
    assert contents._students_packages(before) == b"# What all need.\na==1\n\n# The rest.\nd==4\n"
