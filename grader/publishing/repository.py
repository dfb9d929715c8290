"""The published repository as publishing sees it: its branches, whether they are ours, and how a commit is added.

Commits are the same for the same input: a fixed author, and a date that counts the commits before it, in days. So a
commit that somebody else made is known by its author or date, and publishing does not build on it.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from grader.faults import WrongUse
from grader.publishing.git import Git, GitFailed
from grader.publishing.objects import EMPTY_TREE, object_id, tree_id
from grader.publishing.published import MAIN

AUTHOR = "Kernelist", "course@kernelist.invalid"
FIRST_DATE, DAY = 1735689600, 86400  # 2025-01-01, in seconds
NEW = "refs/kernelist/new/"
"""Where commits lie until all of them are known to be right."""


@dataclass(frozen=True)
class Commit:
    """What is to be added to a branch."""

    branch: str
    files: Mapping[str, bytes]
    executable: tuple[str, ...]
    message: str


class Repository:
    """A folder that publishing may write to; `opened` and `make` are the ways to one."""

    def __init__(self, folder: Path, git: Git, *, bare: bool) -> None:
        self.folder = folder
        self.git = git
        self._bare = bare
        self._inside = folder if bare else folder / ".git"

    @staticmethod
    def make(folder: Path) -> Repository:
        """A new one in a folder that is new or empty. Raises WrongUse if it is neither."""
        check_empty(folder)
        folder.mkdir(parents=True, exist_ok=True)
        inside = folder.resolve() / ".git"
        try:
            Git(folder, inside, plain=True).run("init", "--quiet", "--object-format=sha1", "-b", MAIN)
        except BaseException:
            shutil.rmtree(inside, ignore_errors=True)  # half a repository would be in the way of the next attempt
            raise
        made = Repository.opened(folder)
        assert made is not None, "git init made no repository"
        return made

    @staticmethod
    def opened(folder: Path) -> Repository | None:
        """The repository at `folder` itself, never one around it; None when there is none."""
        folder = folder.resolve()
        bare = (folder / "HEAD").is_file() and (folder / "objects").is_dir()
        if not bare and not (folder / ".git").exists():
            return None
        return Repository(folder, Git(folder, folder if bare else folder / ".git", plain=True), bare=bare)

    def branches(self) -> dict[str, str]:
        """All branches and their newest commits."""
        lines = self.git.run("for-each-ref", "--format=%(refname) %(objectname)", "refs/heads").decode().splitlines()
        pairs = (line.split(" ") for line in lines)
        return {name.removeprefix("refs/heads/"): commit for name, commit in pairs}

    def check(self) -> None:
        """Raise WrongUse where adding a commit would harm somebody's work: what is here, and what to do."""
        branches = self.branches()
        self._check_clone(branches)
        if branches and MAIN not in branches:
            raise WrongUse(f"{self.folder} is a git repository that ./lab publish did not make: name a new folder")
        if not branches and not self._bare and any(entry.name != ".git" for entry in self.folder.iterdir()):
            raise WrongUse(f"{self.folder} has files and no commits: name a new folder")
        for branch in branches:
            if branch == MAIN or branch.startswith("lab/"):
                self._check_authors(branch)
        changed = self._changed_files() if branches and not self._bare else []
        if changed:
            raise WrongUse(
                f"{self.folder} has changes that are not committed ({', '.join(changed[:4])}): publishing would run "
                f"over them. Take them over into the course, then: git -C {self.folder} checkout --force"
            )

    def _check_clone(self, branches: Mapping[str, str]) -> None:
        """A clone of what was published must have all its branches, or they would be begun a second time."""
        refs = self.git.run("for-each-ref", "--format=%(refname)", "refs/remotes").decode().split()
        remote = {ref.split("/", 3)[3]: ref.removeprefix("refs/remotes/") for ref in refs}
        missing = sorted(branch for branch in remote if branch.startswith("lab/") and branch not in branches)
        if missing:
            lines = [f"    git -C {self.folder} branch {branch} {remote[branch]}" for branch in missing]
            raise WrongUse(
                "\n".join([f"{self.folder} is a clone without all of its branches. Make them first:", *lines])
            )

    def _check_authors(self, branch: str) -> None:
        own = f"{AUTHOR[0]}\0{AUTHOR[1]}"
        text = self.git.run("log", "--reverse", "--topo-order", "--format=%H%x00%cn%x00%ce%x00%ct%x00%P%x00%s", branch)
        commits = text.decode("utf-8", "replace").splitlines()
        for depth, line in enumerate(commits):
            commit, name, address, date, parents, subject = line.split("\0", 5)
            if (f"{name}\0{address}", date, len(parents.split())) == (own, str(_date(depth)), int(depth > 0)):
                continue
            if depth == 0:
                raise WrongUse(f"{self.folder} is a git repository that ./lab publish did not make: name a new folder")
            before = parents.split()[0] if parents else ""
            raise WrongUse(
                f"{self.folder}: the branch {branch} has a commit that ./lab publish did not make: {commit[:12]} "
                f"({subject[:60]!r} by {name[:60]}). What is published comes from the course alone: make the change "
                f"there, keep this one elsewhere, and publish again:\n"
                f"    git -C {self.folder} branch kept {branch}\n"
                f"    git -C {self.folder} checkout -B {branch} {before[:12]}"
            )

    def _changed_files(self) -> list[str]:
        """Files of the work tree that differ from what is committed."""
        status = self.git.names("status", "--porcelain", "-z", "--untracked-files=no")
        return sorted(line[3:] for line in status if line[2:3] == " ")

    def newer(self, commits: list[Commit]) -> list[Commit]:
        """Those that would change their branch."""
        return [commit for commit in commits if self._tree(commit.branch) != tree_id(commit.files, commit.executable)]

    def _tree(self, branch: str) -> str:
        return self.git.line("rev-parse", "--verify", "--quiet", f"refs/heads/{branch}^{{tree}}", statuses=(0, 1, 128))

    def changed_paths(self, commit: Commit) -> list[str]:
        """The paths in which a commit will differ from its branch as it is."""
        there = {}
        for entry in self.git.names("ls-tree", "-r", "-z", f"refs/heads/{commit.branch}"):
            facts, _, path = entry.partition("\t")
            there[path] = facts.split(" ")[2]
        new = {path: object_id(b"blob", content).hex() for path, content in commit.files.items()}
        return sorted(path for path in {*there, *new} if there.get(path) != new.get(path))

    def write(self, commits: list[Commit]) -> None:
        """Write commits without moving a branch yet: they lie below NEW. Raises GitFailed (the disk is full, ...)."""
        self.discard()
        if not commits:
            return
        stream = b"".join(self._imported(commits))
        try:
            self.git.run("fast-import", "--quiet", "--date-format=raw", given=stream)
        except GitFailed:
            for left in (*self._inside.glob("fast_import_crash_*"), *self._inside.glob("objects/pack/tmp_pack_*")):
                left.unlink(missing_ok=True)  # on a full disk these would take the room that is made
            raise

    def discard(self) -> None:
        """Forget what `write` wrote, or what an earlier publishing left when it was interrupted."""
        refs = self.git.run("for-each-ref", "--format=%(refname)", NEW).decode().split()
        self.git.run("update-ref", "--stdin", given="".join(f"delete {ref}\n" for ref in refs).encode())

    def _imported(self, commits: list[Commit]) -> Iterator[bytes]:
        """The commits as `git fast-import` reads them: main first, for the first commit of a lab stands upon it."""
        branches = self.branches()
        with_main = any(commit.branch == MAIN for commit in commits)
        for commit in sorted(commits, key=lambda commit: commit.branch != MAIN):
            parent, depth = branches.get(commit.branch, ""), self._count(commit.branch)
            if not parent and commit.branch != MAIN:
                parent = NEW + MAIN if with_main else branches[MAIN]
                depth = self._count(MAIN) + with_main
            who = f"{AUTHOR[0]} <{AUTHOR[1]}> {_date(depth)} +0000"
            yield f"commit {NEW}{commit.branch}\nauthor {who}\ncommitter {who}\n".encode() + _data(commit.message)
            yield f"from {parent}\n".encode() if parent else b""
            yield b"deleteall\n"
            for path, content in sorted(commit.files.items()):
                mode = 755 if path in commit.executable else 644
                yield f"M 100{mode} inline {path}\n".encode() + _data(content)

    def _count(self, branch: str) -> int:
        """How many commits a branch has."""
        return int(self.git.line("rev-list", "--count", branch)) if branch in self.branches() else 0

    def move_branches(self, commits: list[Commit]) -> None:
        """Let all branches have their new commits, at once, and the work tree its new files."""
        before = self.branches()
        head = self.git.line("symbolic-ref", "--quiet", "HEAD", statuses=(0, 1)).removeprefix("refs/heads/")
        if not before and head != MAIN:
            self.git.run("symbolic-ref", "HEAD", f"refs/heads/{MAIN}")
            head = MAIN
        shown = head in {commit.branch for commit in commits} and not self._bare
        step = (before.get(head, EMPTY_TREE), NEW + head)
        if shown:
            self.git.run("read-tree", "-m", "-u", "--dry-run", *step)  # a file that is in the way is found out here
        lines = [
            f"update refs/heads/{commit.branch} {self.git.commit(NEW + commit.branch)} "
            f"{before.get(commit.branch, '0' * 40)}\n"
            for commit in commits
        ]
        self.git.run("update-ref", "--stdin", given="".join(lines).encode())
        if shown:
            self.git.run("read-tree", "-m", "-u", *step)
        self.discard()


def check_empty(folder: Path) -> None:
    """Raise WrongUse where no repository can be made, since something else is there."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise WrongUse(
            f"{folder} is not empty, and no repository that ./lab publish made: name a new folder, or that repository"
        )


def _date(depth: int) -> int:
    return FIRST_DATE + depth * DAY


def _data(content: bytes | str) -> bytes:
    content = content.encode() if isinstance(content, str) else content
    return b"data %d\n" % len(content) + content + b"\n"
