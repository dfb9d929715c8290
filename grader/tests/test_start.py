"""`./lab start`: to a lab's branch or into a folder, and never over work that is not saved."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from grader.faults import Ungradable, WrongUse
from grader.paths import Project
from grader.publishing.checkout import Checkout
from grader.publishing.start import start
from grader.tests.small_course import clone, course, git, published, published_course
from grader.tests.small_project import put


@pytest.fixture(autouse=True)
def nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Git has no settings of a person."""
    for name in ("HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "nobody"))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """The author's repository."""
    return course(tmp_path / "course")


@pytest.fixture
def student(tmp_path: Path) -> Project:
    """A clone, on main, as a student begins."""
    made = clone(published_course(tmp_path), tmp_path / "student")
    git(made.root, "config", "user.name", "Ann")
    git(made.root, "config", "user.email", "ann@example.org")
    return made


def started(project: Project, lab: str = "small", folder: Path | None = None) -> str:
    """What is said."""
    said: list[str] = []
    start(project, lab, folder, said.append)
    return "\n".join(said)


def refused(project: Project, lab: str = "small", folder: Path | None = None) -> str:
    """The message of a refusal; HEAD and all files are as before."""
    before = git(project.root, "status", "--porcelain", "--branch"), git(project.root, "rev-parse", "HEAD")
    with pytest.raises(WrongUse) as told:
        start(project, lab, folder, print)
    assert (git(project.root, "status", "--porcelain", "--branch"), git(project.root, "rev-parse", "HEAD")) == before
    return str(told.value)


def test_a_student_comes_to_the_labs_branch(student: Project) -> None:
    """Which follows the course's; a second time nothing happens."""
    assert "You are on the branch lab/small now." in started(student)
    assert git(student.root, "rev-parse", "--abbrev-ref", "@{upstream}") == "origin/lab/small"
    assert "already" in started(student)
    git(student.root, "switch", "--quiet", "main")
    assert "labs/small/README.md" in started(student)


def test_changes_of_the_course_are_announced(project: Project, student: Project, tmp_path: Path) -> None:
    """When git has fetched them."""
    started(student)
    put(project.root, {"labs/small/README.md": "# Said better\n"})
    published(project, tmp_path / "out")
    git(student.root, "fetch", "--quiet")
    assert "git pull brings them" in started(student)


@pytest.mark.parametrize("path", ["kernel/main.c", "kernel/of_my_own.c"])
def test_a_dirty_work_tree_is_kept(student: Project, path: str) -> None:
    """Changed files, and new ones in kernel/ that the other branch would take for its own. Notes elsewhere may stay."""
    put(student.root, {path: "int unsaved;\n", "notes.txt": "mine\n"})
    said = refused(student)
    assert path in said and "git commit -m" in said and "--folder ../small" in said
    git(student.root, "add", "--all")
    assert path in refused(student)
    git(student.root, "commit", "--quiet", "--message", "mine")
    started(student)


def test_a_folder_of_its_own_leaves_everything_as_it_is(student: Project, tmp_path: Path) -> None:
    """Also with a dirty work tree; a branch has one folder, and a full folder is left alone."""
    put(student.root, {"kernel/main.c": "int unsaved;\n"})
    assert "cd " in started(student, folder=tmp_path / "second")
    assert git(tmp_path / "second", "symbolic-ref", "--short", "HEAD") == "lab/small"
    assert (student.root / "kernel/main.c").read_text() == "int unsaved;\n"
    assert "already in the folder" in refused(student, folder=tmp_path / "third")
    assert "is not empty" in refused(student, folder=tmp_path / "second")
    assert "already" in started(Project(tmp_path / "second"))


def test_commits_of_a_detached_head_are_not_lost(student: Project) -> None:
    """A detached head that a branch leads to is left; one with commits of its own needs a branch first."""
    git(student.root, "switch", "--quiet", "--detach")
    started(student)
    git(student.root, "switch", "--quiet", "--detach")
    put(student.root, {"kernel/main.c": "int found;\n"})
    assert "git switch -c my-work" in refused(student)
    git(student.root, "commit", "--quiet", "--all", "--message", "an experiment")
    said = refused(student)
    assert "detached HEAD" in said
    command = next(line for line in said.splitlines() if "git branch" in line)
    git(student.root, *command.split()[1:])
    started(student)
    assert "int found;" in git(student.root, "show", "my-work:kernel/main.c")


def test_a_merge_that_is_not_finished_is_finished_first(project: Project, student: Project, tmp_path: Path) -> None:
    """The message names the files with conflicts, and the way back, which works."""
    started(student)
    text = (student.root / "kernel/message.c").read_text()
    put(student.root, {"kernel/message.c": text.replace("return -1", "return 5")})
    git(student.root, "commit", "--quiet", "--all", "--message", "mine")
    solution = project.root / "solutions/small/kernel/message.c"
    solution.write_text(solution.read_text().replace("//: return -1", "//: return -2"))
    published(project, tmp_path / "out")
    git(student.root, "pull", "--quiet", check=False)
    for lab in ("small", "small"):
        said = refused(student, lab)
        assert "a merge is not finished" in said and "kernel/message.c" in said and "git merge --abort" in said
    git(student.root, "merge", "--abort")
    git(student.root, "rebase", "--quiet", "origin/lab/small", check=False)
    assert "git add FILE ... and git rebase --continue" in refused(student)
    git(student.root, "rebase", "--abort")
    assert "return 5" in (student.root / "kernel/message.c").read_text()
    assert "already" in started(student)


def test_git_pull_merges_without_being_told_how(project: Project, student: Project, tmp_path: Path) -> None:
    """Git refuses to choose between merging and rebasing; a person's own choice stands."""
    started(student)
    put(student.root, {"notes.txt": "mine\n"})
    plain_git(student.root, "add", "notes.txt")
    plain_git(student.root, "commit", "--quiet", "--message", "mine")
    put(project.root, {"labs/small/README.md": "# Said better\n"})
    published(project, tmp_path / "out")
    plain_git(student.root, "pull", "--quiet", "--no-edit")
    assert (student.root / "labs/small/README.md").read_text() == "# Said better\n"
    other = clone(tmp_path / "out", tmp_path / "other")
    plain_git(other.root, "config", "pull.rebase", "true")
    started(other, folder=tmp_path / "folder")
    assert git(other.root, "config", "--get", "branch.lab/small.rebase", check=False) == ""


def plain_git(folder: Path, *arguments: str) -> None:
    """Git as it is, without the settings of the tests' own `git`."""
    done = subprocess.run(["git", "-C", folder, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done


def test_a_clone_of_some_branches_is_told_how_to_get_the_others(student: Project, tmp_path: Path) -> None:
    """`git fetch` would not: it follows what the clone was made to follow."""
    few = Project(tmp_path / "few")
    git(tmp_path, "clone", "--quiet", "--depth", "1", f"file://{tmp_path / 'out'}", str(few.root))
    said = refused(few)
    command = next(line for line in said.splitlines() if "set-branches" in line)
    subprocess.run(["sh", "-c", command], cwd=few.root, check=True, capture_output=True)
    assert "You are on the branch lab/small now." in started(few)
    assert "git switch main" in refused(student, "baseline")


def test_a_branch_in_another_folder_is_found_there(student: Project, tmp_path: Path) -> None:
    """And a folder with an odd name is written as a shell wants it."""
    assert "cd '" in started(student, folder=tmp_path / "it's here")
    assert f"go on there: cd '{tmp_path}/it" in refused(student)


def test_a_labs_folder_that_is_gone_is_forgotten_when_told(student: Project, tmp_path: Path) -> None:
    """Git keeps the branch for it until then. Nothing is pruned unasked: one that was moved needs what git keeps."""
    started(student, folder=tmp_path / "second")
    (tmp_path / "second").rename(tmp_path / "moved")
    for folder in (None, tmp_path / "third"):
        said = refused(student, folder=folder)
        assert f"{tmp_path}/second, which is gone" in said and "git worktree repair DIR" in said
    git(student.root, "worktree", "repair", str(tmp_path / "moved"))
    assert f"go on there: cd {tmp_path}/moved" in refused(student)
    shutil.rmtree(tmp_path / "moved")
    command = next(line for line in refused(student).splitlines() if "prune" in line)
    git(student.root, *command.split()[1:])
    assert "You are on the branch lab/small now." in started(student)


def test_only_branches_that_can_be_begun_with_are_labs(student: Project) -> None:
    """Not one that has lab/ in the middle of its name, nor what a remote repository left that is known no more."""
    for ref in ("refs/heads/old/lab/kept", "refs/remotes/left/lab/left", "refs/remotes/origin/old/lab/other"):
        git(student.root, "update-ref", ref, "HEAD")
    for name in ("kept", "left", "other"):
        assert "the labs are: small (" in refused(student, name)


def test_a_fork_and_the_course_it_comes_from(student: Project, tmp_path: Path) -> None:
    """The lab's branch of origin, if it has one; else the other's, which has the labs that are newer than the fork."""
    git(student.root, "remote", "rename", "origin", "upstream")
    git(tmp_path, "clone", "--quiet", "--bare", "--single-branch", "--branch", "main", str(tmp_path / "out"), "fork")
    git(student.root, "remote", "add", "origin", str(tmp_path / "fork"))
    git(student.root, "fetch", "--quiet", "origin")
    started(student)
    assert git(student.root, "rev-parse", "--abbrev-ref", "@{upstream}") == "upstream/lab/small"


def test_hooks_that_fail_have_no_part_in_it(student: Project, tmp_path: Path) -> None:
    """One after a checkout would make a switch that was done look like one that failed."""
    hook = tmp_path / "hooks/post-checkout"
    put(tmp_path, {"hooks/post-checkout": "#!/bin/sh\nexit 1\n"})
    hook.chmod(0o755)
    git(student.root, "config", "core.hooksPath", str(hook.parent))
    assert "now" in started(student)


def test_ignored_files_are_not_run_over(student: Project, tmp_path: Path) -> None:
    """Git takes them for worthless, unless it is told otherwise."""
    put(student.root, {".git/info/exclude": "message.c\n", "kernel/message.c": "int mine;\n"})
    with pytest.raises(Ungradable, match=r"kernel/message\.c"):
        started(student)
    assert (student.root / "kernel/message.c").read_text() == "int mine;\n"


def test_a_switch_that_stops_half_way_says_how_to_go_on(student: Project) -> None:
    """As on a full disk. Some files are the other branch's then, and git's own words do not say that none is lost."""
    put(student.root, {".git/info/attributes": "labs/small/README.md filter=none\n"})
    git(student.root, "config", "filter.none.required", "true")
    git(student.root, "config", "filter.none.clean", "cat")
    git(student.root, "config", "filter.none.smudge", "false")
    with pytest.raises(Ungradable, match="Nothing of yours is lost") as told:
        started(student)
    git(student.root, "config", "filter.none.smudge", "cat")
    command = str(told.value).rsplit("git switch", 1)[1].split()
    git(student.root, "switch", *command)
    assert git(student.root, "status", "--porcelain") == "" and "already" in started(student)


def test_ctrl_c_waits_for_git(student: Project) -> None:
    """Git that is killed in the middle leaves a lock; it is not, and the interruption arrives when it is done."""
    slow = f"!kill -INT {os.getpid()}; sleep 0.5; touch '{student.root}/done'; :"
    git(student.root, "config", "alias.slow", slow)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    checkout = Checkout.at(student.root)
    try:
        assert checkout is not None
        with pytest.raises(KeyboardInterrupt):
            checkout.git.run("slow")
    finally:
        signal.signal(signal.SIGINT, before)
    assert (student.root / "done").exists()


def test_mistyped_labs_and_copies_without_git(student: Project, tmp_path: Path) -> None:
    """Near names; a downloaded archive has no branches, and is at one lab."""
    assert "did you mean small?" in refused(student, "smal")
    git(student.root, "switch", "--quiet", "lab/small")
    (student.root / ".git").rename(tmp_path / "elsewhere")
    assert "at the lab small already" in started(student)
    for lab, folder in (("other", None), ("small", tmp_path / "folder")):
        with pytest.raises(WrongUse, match="clone the course with git"):
            start(student, lab, folder, print)


def test_somebody_elses_checkout_is_cloned(student: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Git would only say of some file within .git that it cannot be made."""
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert f"git clone {student.root} DIR" in refused(student)


def test_git_without_a_name_is_told_early(student: Project) -> None:
    """Nothing here needs a name, but the student's first commit will."""
    git(student.root, "config", "--unset", "user.name")
    git(student.root, "config", "--unset", "user.email")
    git(student.root, "config", "user.useConfigOnly", "true")
    assert "git config --global user.name" in started(student)


def test_the_author_gets_the_starter_in_a_folder(project: Project, tmp_path: Path) -> None:
    """There are no lab branches in the course's own repository."""
    with pytest.raises(WrongUse, match=r"\./lab start small --folder DIR"):
        start(project, "small", None, print)
    assert "--answer" in started(project, folder=tmp_path / "mine")
    assert "TASK 1" in (tmp_path / "mine/kernel/message.c").read_text()
    with pytest.raises(WrongUse, match="not empty"):
        start(project, "small", tmp_path / "mine", print)
