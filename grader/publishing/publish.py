"""`./lab publish DIR`: makes or updates the repository that students get.

What is to be published is composed in memory and searched before anything is written; then the whole history of DIR is
searched, old commits and new ones; only then do the branches move, all at once. A branch whose content is the same gets
no commit. So a publishing that is refused or interrupted leaves DIR as it was, and may be repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from grader.faults import WrongUse
from grader.labs import course
from grader.labs.lab_file import load_labs
from grader.paths import Project
from grader.publishing import contents, published
from grader.publishing.confidential import Confidential
from grader.publishing.history import Place, refuse, search
from grader.publishing.published import MAIN, branch_of
from grader.publishing.repository import Commit, Repository, check_empty

PATHS_NAMED = 20

_ADVICE = (
    "Solutions, mutants and hidden tests stay with you: nothing was published. If a line is nobody's secret, word it "
    "differently in one of the two places."
)
_OLD_ADVICE = (
    "It is in the history already, so that whoever has a clone may have it: nothing was published. Publish to a new "
    "folder, and change what has become known."
)


@dataclass(frozen=True)
class Outcome:
    """What a publishing did: the commits it added by branch, the branches that were as they must be, what it left out,
    and how many objects of the history were searched."""

    added: dict[str, str]
    same: tuple[str, ...]
    left_out: dict[str, str]
    searched: int


def publish(project: Project, folder: Path, names: Iterable[str], say: Callable[[str], None]) -> Outcome:
    """Publish the labs `names`, or all. Raises WrongUse, ProjectFault (Leak), GitFailed."""
    _check_author(project, folder)
    for name in names:
        course.find(project, name)
    confidential = Confidential.of(project)
    existing = Repository.opened(folder)
    if existing is None:
        check_empty(folder)
    else:
        existing.check()
    there = {name.removeprefix("lab/") for name in (existing.branches() if existing else ()) if name.startswith("lab/")}
    chosen, left_out = _chosen(project, list(names), there)
    if not chosen:
        raise WrongUse("there is no lab to publish: " + "; ".join(left_out.values()))
    commits = _commits(project, chosen, there, say)
    say("searching what is new")
    refuse(_leaks(confidential, commits), "What would be published holds what students must not get", _ADVICE)
    repository = existing or Repository.make(folder)
    newer = [_worded(repository, commit) for commit in repository.newer(commits)]
    repository.write(newer)
    say("searching the whole history")
    searched, places = search(repository.git, confidential)
    if places:
        repository.discard()
    refuse(places, f"The history of {folder} holds what students must not get", _OLD_ADVICE)
    repository.move_branches(newer)
    branches = repository.branches()
    added = {commit.branch: branches[commit.branch] for commit in newer}
    return Outcome(added, tuple(c.branch for c in commits if c.branch not in added), left_out, searched)


def check(project: Project, folder: Path) -> int:
    """Search the whole history of a repository; how many objects it has. Raises Leak, WrongUse."""
    _check_author(project, folder)
    repository = Repository.opened(folder)
    if repository is None:
        raise WrongUse(f"{folder} is no git repository: there is nothing to check")
    searched, places = search(repository.git, Confidential.of(project))
    refuse(places, f"The history of {folder} holds what students must not get", "Whoever has a clone may have it.")
    return searched


def _check_author(project: Project, folder: Path) -> None:
    if published.load(project) is not None or not (project.root / "solutions").is_dir():
        raise WrongUse("this is a student's checkout: a course is published from the repository that has its solutions")
    if folder.resolve().is_relative_to(project.root):
        raise WrongUse(f"{folder} lies within the course itself: name a folder outside of {project.root}")


def _chosen(project: Project, names: list[str], there: set[str]) -> tuple[list[str], dict[str, str]]:
    """The labs to publish, and why others are left out: only what is there already, or asked for, or harms no lab."""
    chosen, left_out = set(names), {}
    for lab in load_labs(project):
        if names or lab.name == course.BASELINE:
            continue
        if not project.solution(lab.name).is_dir():
            left_out[lab.name] = f"{lab.name} is left out: it has no solutions/{lab.name}, so no starter"
        elif lab.builds_on is not None and lab.name not in there:
            left_out[lab.name] = (
                f"{lab.name} is left out: its branch holds the finished {lab.builds_on}. Publish it when that lab is "
                f"over: --lab {lab.name}"
            )
        else:
            chosen.add(lab.name)
    if course.BASELINE in chosen:
        raise WrongUse(f"{course.BASELINE} is no lab of its own: it is the branch {MAIN}, which is always published")
    return sorted(chosen), left_out


def _commits(project: Project, chosen: list[str], there: set[str], say: Callable[[str], None]) -> list[Commit]:
    """All branches as they must become: main, and the chosen labs."""
    offered = sorted({*chosen, *(there & set(project.lab_names()))})
    files = {MAIN: contents.main_branch(project, contents.offered(project, offered))}
    for lab in contents.offered(project, chosen):
        say(f"composing {lab.name}")
        files[branch_of(lab.name)] = contents.lab_branch(project, lab)
    return [Commit(branch, content, contents.EXECUTABLE, "") for branch, content in files.items()]


def _leaks(confidential: Confidential, commits: list[Commit]) -> list[Place]:
    places = []
    for commit in commits:
        lab = commit.branch.removeprefix("lab/") if commit.branch != MAIN else ""
        for path, content in sorted(commit.files.items()):
            found = confidential.find_in_file(content, lab)
            if found is not None:
                places.append(Place(f"{commit.branch}: {path}", found))
    return places


def _worded(repository: Repository, commit: Commit) -> Commit:
    """The commit with its message: what it is, or what it changes."""
    what = "the baseline" if commit.branch == MAIN else f"the lab {commit.branch.removeprefix('lab/')}"
    if commit.branch not in repository.branches():
        return Commit(commit.branch, commit.files, commit.executable, f"Kernelist: {what}\n")
    paths = repository.changed_paths(commit)
    more = [f"and {len(paths) - PATHS_NAMED} more"] if len(paths) > PATHS_NAMED else []
    text = "\n".join([f"Kernelist: changes of {what}", "", *paths[:PATHS_NAMED], *more])
    return Commit(commit.branch, commit.files, commit.executable, text + "\n")
