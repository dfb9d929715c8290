"""The state of a student's checkout in git: on which branch it is, what is not committed, what is half done."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

from grader.faults import WrongUse
from grader.publishing.git import Git, GitFailed
from grader.publishing.published import branch_of

COMMIT = "git commit"
UNFINISHED = {
    "rebase-merge": ("a rebase", "git rebase --continue", "git rebase --abort"),
    "rebase-apply": ("a rebase", "git rebase --continue", "git rebase --abort"),
    "MERGE_HEAD": ("a merge", COMMIT, "git merge --abort"),
    "CHERRY_PICK_HEAD": ("a cherry-pick", "git cherry-pick --continue", "git cherry-pick --abort"),
    "REVERT_HEAD": ("a revert", "git revert --continue", "git revert --abort"),
    "BISECT_LOG": ("a bisection", COMMIT, "git bisect reset"),
}
"""What git keeps while something goes on: its name, how it goes on, how it is called off. Rebases first: they keep the
marks of what they do step by step, too."""
NAMED = 6


@dataclass(frozen=True)
class Unfinished:
    """Something that git was told to do and that is not done: what, the files in conflict, how to go on or back."""

    what: str
    conflicts: tuple[str, ...]
    way_on: str
    way_back: str

    def __str__(self) -> str:
        if not self.conflicts:
            return f"{self.what} is not finished: finish it (git status says how), or call it off: {self.way_back}"
        return (
            f"{self.what} is not finished, and two versions of the same lines stand in {listed(self.conflicts)}.\n"
            "Edit what is between <<<<<<< and >>>>>>> into what it must be, then: "
            f"git add FILE ... and {self.way_on}.\n"
            f"Or go back to how it was before: {self.way_back}"
        )


class Checkout:
    """One checkout. `git` has the person's own settings: it is their repository."""

    def __init__(self, root: Path, git: Git) -> None:
        self.root = root
        self.git = git

    @staticmethod
    def at(root: Path) -> Checkout | None:
        """The checkout at `root`; None where it is none (a downloaded archive)."""
        return Checkout(root, Git(root, root / ".git")) if (root / ".git").exists() else None

    def branch(self) -> str:
        """The branch that it is on; empty when HEAD is detached."""
        name = self.git.line("symbolic-ref", "--quiet", "HEAD", statuses=(0, 1))
        return name.removeprefix("refs/heads/")

    def unfinished(self) -> Unfinished | None:
        """The merge or the like that is going on, if one is."""
        for mark, (what, way_on, way_back) in UNFINISHED.items():
            if Path(self.root, self.git.line("rev-parse", "--git-path", mark)).exists():
                return Unfinished(what, self.conflicts(), way_on, way_back)
        conflicts = self.conflicts()  # of a stash that was taken back, which leaves no mark
        return Unfinished("taking changes together", conflicts, COMMIT, "git reset --merge") if conflicts else None

    def conflicts(self) -> tuple[str, ...]:
        """The files of which two versions stand against each other."""
        return tuple(self.git.names("diff", "--name-only", "--diff-filter=U", "-z"))

    def unsaved(self) -> list[str]:
        """Files that are changed and not committed, and new ones of kernel/ that git does not know yet."""
        changed = self.git.names("diff", "--name-only", "-z", "HEAD")
        return sorted({*changed, *self.git.names("ls-files", "--others", "--exclude-standard", "-z", "kernel")})

    def lost_commits(self) -> str:
        """The newest commit of a detached HEAD, if no branch leads to it: leaving it would lose it."""
        if self.branch():
            return ""
        commit = self.git.commit("HEAD")
        kinds = ("refs/heads", "refs/remotes", "refs/tags")
        refs = self.git.line("for-each-ref", "--count=1", f"--contains={commit}", *kinds)
        return "" if refs else commit

    def knows_the_person(self) -> bool:
        """Whether git has a name and an address for commits."""
        return self.git.attempt("var", "GIT_AUTHOR_IDENT").returncode == 0

    def may_be_written(self) -> bool:
        """Whether this person may change branches here: not in somebody else's checkout, nor on a read-only disk."""
        return os.access(Path(self.root, self.git.line("rev-parse", "--git-common-dir")), os.W_OK)

    def narrow_remote(self) -> str:
        """A remote repository of which this clone follows only some branches (--depth, --single-branch), or empty."""
        rules = {
            remote: self.git.line("config", "--get-all", f"remote.{remote}.fetch", statuses=(0, 1))
            for remote in self.remotes()
        }
        return next((remote for remote, rule in rules.items() if rule and "refs/heads/*" not in rule), "")

    def folder_of(self, branch: str) -> str:
        """The work folder in which a branch is, of all that the repository has; empty when it is in none."""
        listing = self.git.run("worktree", "list", "--porcelain").decode("utf-8", "surrogateescape").split("\n\n")
        place = next(
            (entry.split("\n")[0] for entry in listing if f"\nbranch refs/heads/{branch}\n" in entry + "\n"), ""
        )
        return place.removeprefix("worktree ")

    def labs(self) -> list[str]:
        """The labs that have a branch here, or in a remote repository when it was fetched last."""
        remotes = [f"refs/remotes/{remote}" for remote in self.remotes()]
        roots = [f"{root}/{branch_of('')}" for root in ("refs/heads", *remotes)]
        refs = self.git.run("for-each-ref", "--format=%(refname)", *roots).decode().split()
        return sorted({ref.removeprefix(root) for ref in refs for root in roots if ref.startswith(root)})

    def let_pull_merge(self, branch: str) -> None:
        """Have `git pull` merge into this branch. Git refuses to choose, so where the person has not, this does."""
        chosen = ("pull.rebase", "pull.ff", f"branch.{branch}.rebase")
        if not any(self.git.line("config", "--get", name, statuses=(0, 1)) for name in chosen):
            self.git.run("config", f"branch.{branch}.rebase", "false")

    def remotes(self) -> list[str]:
        """The remote repositories, the one that the checkout was cloned from first."""
        return sorted(self.git.line("remote").split(), key=lambda name: (name != "origin", name))


def listed(paths: tuple[str, ...] | list[str]) -> str:
    """Some paths in a sentence."""
    more = f" and {len(paths) - NAMED} more" if len(paths) > NAMED else ""
    return ", ".join(paths[:NAMED]) + more


def refuse_unfinished(root: Path) -> None:
    """Raise WrongUse in the middle of a merge or the like: what is there is nobody's answer yet.

    Without git, or where git will not work, nobody can say; a grading does not need it.
    """
    checkout, unfinished = Checkout.at(root), None
    with contextlib.suppress(GitFailed):
        unfinished = checkout.unfinished() if checkout is not None else None
    if unfinished is not None and unfinished.conflicts:
        raise WrongUse(str(unfinished))
