"""`./lab start LAB`: brings a student to a lab, by its branch or in a folder of its own, never over unsaved work.

In the author's repository, which has no lab branches, it writes the starter into a folder.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

from grader.faults import Ungradable, WrongUse
from grader.labs import course
from grader.labs.tree import Answer, compose, write_tree
from grader.names import near
from grader.paths import Project
from grader.publishing import published
from grader.publishing.checkout import Checkout, listed
from grader.publishing.git import GitFailed
from grader.publishing.published import MAIN, Published, branch_of

Say = Callable[[str], None]

_NEXT = "Handout: labs/{lab}/README.md. Score board: ./lab grade. Hand in: ./lab submit."

_NO_HOOKS = ("-c", "core.hooksPath=/dev/null")
"""A person's hooks are for what the person commits; one that fails must not stop half way what is done here."""


def start(project: Project, lab: str, folder: Path | None, say: Say) -> None:
    """Begin with a lab, or go on with it. Raises WrongUse wherever something could be lost, and says what to do."""
    about = published.load(project)
    if about is None:
        _starter(project, lab, folder, say)
        return
    checkout = Checkout.at(project.root)
    if checkout is None:
        _stay(about, lab, folder, say)
        return
    _check_lab(checkout, lab)
    if folder is not None:
        _add_folder(checkout, lab, folder, say)
    else:
        _switch(checkout, lab, say)
    if not checkout.knows_the_person():
        say(
            "Git does not know who you are, and will not commit. Tell it once:\n"
            '    git config --global user.name "Your Name"\n    git config --global user.email you@example.org'
        )


def _starter(project: Project, lab: str, folder: Path | None, say: Say) -> None:
    """In the author's repository: the starter in a folder of its own."""
    known = course.find(project, lab)
    if folder is None:
        raise WrongUse(
            "this is the course's own repository, where no branch has a starter: name a folder for it\n"
            f"    ./lab start {lab} --folder DIR"
        )
    write_tree(compose(project, known, Answer("starter")), folder)
    say(f"{folder} has the starter of {lab}. Your files are in its kernel/, and are graded so:")
    say(f"    ./lab grade {lab} --answer {shlex.quote(str(folder))}")


def _stay(about: Published, lab: str, folder: Path | None, say: Say) -> None:
    """In a copy of the files, such as a downloaded archive: it is at one lab, and can go nowhere."""
    if lab != about.lab or folder is not None:
        raise WrongUse(
            f"this is no clone but a copy of the files, which has one branch only: clone the course with git, or "
            f"download its branch {branch_of(lab)}"
        )
    say(f"You are at the lab {lab} already, in a copy of the files: for git pull and other labs, clone the course.")
    say(_NEXT.format(lab=lab))


def _check_lab(checkout: Checkout, lab: str) -> None:
    if not checkout.may_be_written():
        raise WrongUse(
            f"this checkout cannot be written by you. Make a clone of your own:\n"
            f"    git clone {shlex.quote(str(checkout.root))} DIR"
        )
    if lab in (MAIN, course.BASELINE):
        raise WrongUse(f"the baseline is no lab, it is the branch {MAIN}: git switch {MAIN}")
    labs = checkout.labs()
    narrow = checkout.narrow_remote()
    if lab not in labs and narrow:
        raise WrongUse(
            f"there is no branch {branch_of(lab)} in this clone, which follows only some of the course's branches (it "
            f"was made with --depth or --single-branch). Get the others, then: ./lab start {lab}\n"
            f"    git remote set-branches {narrow} '*' && git fetch {narrow}"
        )
    if lab not in labs:
        raise WrongUse(
            f"there is no branch {branch_of(lab)}{near(lab, labs)}\nthe labs are: {', '.join(labs) or 'none here'} "
            "(git fetch looks for new ones)"
        )


def _switch(checkout: Checkout, lab: str, say: Say) -> None:
    branch = branch_of(lab)
    unfinished = checkout.unfinished()
    if unfinished is not None:
        raise WrongUse(f"{unfinished}\nThen: ./lab start {lab}")
    if checkout.branch() == branch:
        say(f"You are on {branch} already.")
        _greet(checkout, lab, say)
        return
    unsaved = checkout.unsaved()
    if unsaved:
        raise WrongUse(
            f"some of your work is not committed: {listed(unsaved)}\nKeep it, then try again:\n"
            f"{'' if checkout.branch() else '    git switch -c my-work' + chr(10)}"
            '    git add -A && git commit -m "what you did"\n'
            f"Or leave it as it is, and work in another folder:\n    ./lab start {lab} --folder ../{lab}"
        )
    _check_place(checkout, branch)
    lost = checkout.lost_commits()
    if lost:
        raise WrongUse(
            f"you are on no branch (a detached HEAD), and your commit {lost[:12]} would be lost. Give it a branch:\n"
            f"    git branch my-work {lost[:12]}\nThen: ./lab start {lab}"
        )
    known = checkout.git.commit(f"refs/heads/{branch}")
    where = [branch] if known else ["--create", branch, "--track", _remote_branch(checkout, lab)]
    try:
        checkout.git.run(*_NO_HOOKS, "switch", "--quiet", "--no-overwrite-ignore", *where)
    except GitFailed as error:
        if not checkout.unsaved():
            raise
        # All was committed a moment ago, so that what differs now is the other branch's, in part.
        raise Ungradable(
            f"{error}\nGit stopped half way: some files of {branch} lie in your work folder. Nothing of yours is lost, "
            f"all of it was committed.\nWhen the cause is gone: git switch --force {shlex.join(where)}"
        ) from error
    say(f"You are on the branch {branch} now.")
    _greet(checkout, lab, say)


def _remote_branch(checkout: Checkout, lab: str) -> str:
    """The branch to begin with, of the first remote repository that has it. Raises WrongUse."""
    names = (f"{remote}/{branch_of(lab)}" for remote in checkout.remotes())
    found = next((name for name in names if checkout.git.commit(f"refs/remotes/{name}")), "")
    if not found:
        raise WrongUse(f"{branch_of(lab)} is in no remote repository any more: git fetch, then: ./lab start {lab}")
    return found


def _greet(checkout: Checkout, lab: str, say: Say) -> None:
    behind = checkout.git.attempt("rev-list", "--count", "HEAD..@{upstream}").stdout.strip()
    if behind not in (b"", b"0"):
        say("The course has changes for this lab: git pull brings them into your work.")
    checkout.let_pull_merge(branch_of(lab))
    say(_NEXT.format(lab=lab))


def _check_place(checkout: Checkout, branch: str) -> None:
    """Raise WrongUse where a branch is in a work folder already: git lets it be in one at a time."""
    place = checkout.folder_of(branch)
    if place and not Path(place, ".git").exists():  # not ours to prune: one that was moved would be a checkout no more
        raise WrongUse(
            f"{branch} was in the folder {place}, which is gone. If you removed it, tell git, then try again:\n"
            "    git worktree prune\n"
            "If you moved it, tell git where it is, and go on there:\n"
            "    git worktree repair DIR"
        )
    if place:
        raise WrongUse(f"{branch} is already in the folder {place}: go on there: cd {shlex.quote(place)}")


def _add_folder(checkout: Checkout, lab: str, folder: Path, say: Say) -> None:
    branch = branch_of(lab)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise WrongUse(f"{folder} is not empty: name a new folder")
    _check_place(checkout, branch)
    target = str(folder.absolute())
    known = checkout.git.commit(f"refs/heads/{branch}")
    where = [target, branch] if known else ["--track", "-b", branch, target, _remote_branch(checkout, lab)]
    checkout.git.run(*_NO_HOOKS, "worktree", "add", "--quiet", *where)
    checkout.let_pull_merge(branch)
    say(f"{folder} is the lab {lab}, on the branch {branch}. Go there: cd {shlex.quote(str(folder))}")
    say(_NEXT.format(lab=lab))
