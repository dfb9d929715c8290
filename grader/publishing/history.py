"""The whole history of a repository, read object by object, to show that nothing confidential is in it.

Every object counts: each version of each file on each branch, commits' messages, and what no branch leads to any more.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from grader.faults import ProjectFault
from grader.publishing.confidential import Confidential, Found
from grader.publishing.git import Git, GitFailed
from grader.publishing.published import branch_of

NAMED = 8


class Leak(ProjectFault):
    """Something confidential is, or would be, in what students get. The message says what, where, and what to do."""


@dataclass(frozen=True)
class Place:
    """Where a confidential text was found."""

    where: str
    found: Found

    def __str__(self) -> str:
        return f"{self.where}: {self.found}"


def refuse(places: Sequence[Place], what: str, advice: str) -> None:
    """Raise Leak if there is any place."""
    if not places:
        return
    lines = [f"    {place}" for place in places[:NAMED]]
    if len(places) > NAMED:
        lines.append(f"    and {len(places) - NAMED} more")
    raise Leak("\n".join([f"{what}:", *lines, advice]))


def search(git: Git, confidential: Confidential) -> tuple[int, list[Place]]:
    """Look at every object; how many there were, and the confidential ones."""
    given = {name: _objects_of(git, name) for name in confidential.given}
    places, paths, count = [], _paths(git), 0
    for name, kind, content in _contents(git):
        if kind == "tree":  # names only; what they name is looked at itself
            continue
        count += 1
        lab = next((lab for lab, objects in given.items() if name in objects), "")
        found = confidential.find_in_file(content, lab) if kind == "blob" else confidential.find(content, lab)
        if found is not None:
            places.append(Place(paths.get(name, f"{kind} {name[:12]}, which no branch leads to"), found))
    return count, places


def _objects_of(git: Git, lab: str) -> frozenset[str]:
    """The objects that only the branch of one lab leads to, here or as a clone remembers it."""
    refs = git.run("for-each-ref", "--format=%(refname)").decode().split()
    own = [ref for ref in refs if ref.endswith("/" + branch_of(lab))]
    others = [ref for ref in refs if ref not in own and not ref.endswith("/HEAD")]
    return frozenset(_reachable(git, own)) - frozenset(_reachable(git, others))


def _reachable(git: Git, refs: Sequence[str]) -> Iterator[str]:
    for line in git.run("rev-list", "--objects", *refs).splitlines() if refs else ():
        yield line.split(b" ", 1)[0].decode()


def _paths(git: Git) -> dict[str, str]:
    """A path for each object that a branch leads to."""
    listed = git.run("rev-list", "--objects", "--all").decode("utf-8", "replace")
    pairs = (line.partition(" ") for line in listed.splitlines())
    return {name: f"{path} (blob {name[:12]})" if path else f"the commit {name[:12]}" for name, _, path in pairs}


def _contents(git: Git) -> Iterator[tuple[str, str, bytes]]:
    """Name, kind and content of every object."""
    data = git.run("cat-file", "--batch-all-objects", "--batch", "--unordered")
    place = 0
    while place < len(data):
        end = data.index(b"\n", place)
        name, kind, size = data[place:end].decode().split(" ")
        if not size.isdecimal():
            raise GitFailed(f"git cat-file says {kind!r} of {name}: is the repository damaged? Try git fsck there")
        start = end + 1
        yield name, kind, data[start : start + int(size)]
        place = start + int(size) + 1
