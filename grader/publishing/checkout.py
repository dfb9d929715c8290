"""The state of a student's checkout in git: on which branch it is, what is not committed, what is half done."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from grader.faults import WrongUse
from grader.publishing.git import Git

UNFINISHED = {
    "MERGE_HEAD": ("a merge", "git merge --abort"),
    "rebase-merge": ("a rebase", "git rebase --abort"),
    "rebase-apply": ("a rebase", "git rebase --abort"),
    "CHERRY_PICK_HEAD": ("a cherry-pick", "git cherry-pick --abort"),
    "REVERT_HEAD": ("a revert", "git revert --abort"),
    "BISECT_LOG": ("a bisection", "git bisect reset"),
}
NAMED = 6


@dataclass(frozen=True)
class Unfinished:
    """Something that git was told to do and that is not done: what, the files in conflict, how to call it off."""

    what: str
    conflicts: tuple[str, ...]
    way_back: str

    def __str__(self) -> str:
        if not self.conflicts:
            return f"{self.what} is not finished: finish it (git status says how), or call it off: {self.way_back}"
        return (
            f"{self.what} is not finished, and two versions of the same lines stand in {listed(self.conflicts)}.\n"
            "Edit what is between <<<<<<< and >>>>>>> into what it must be, then: git add FILE ... and git commit.\n"
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
        for mark, (what, way_back) in UNFINISHED.items():
            if Path(self.root, self.git.line("rev-parse", "--git-path", mark)).exists():
                return Unfinished(what, self.conflicts(), way_back)
        conflicts = self.conflicts()  # of a stash that was taken back, which leaves no mark
        return Unfinished("taking changes together", conflicts, "git reset --merge") if conflicts else None

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

    def remotes(self) -> list[str]:
        """The remote repositories, the one that the checkout was cloned from first."""
        return sorted(self.git.line("remote").split(), key=lambda name: (name != "origin", name))


def listed(paths: tuple[str, ...] | list[str]) -> str:
    """Some paths in a sentence."""
    more = f" and {len(paths) - NAMED} more" if len(paths) > NAMED else ""
    return ", ".join(paths[:NAMED]) + more


def refuse_unfinished(root: Path) -> None:
    """Raise WrongUse in the middle of a merge or the like: what is there is nobody's answer yet."""
    checkout = Checkout.at(root)
    unfinished = checkout.unfinished() if checkout is not None else None
    if unfinished is not None and unfinished.conflicts:
        raise WrongUse(str(unfinished))
