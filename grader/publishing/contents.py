"""What each published branch holds, as a map from paths to contents.

    main         the baseline, its tests and handout, the grader, a student's tools, README.md: the list of labs
    lab/NAME     the same grader and tools; kernel/ with the lab's files and the starter, in place, to be worked on;
                 labs/NAME: handout, public tests, probes, and base/kernel/: what the lab starts from, untouched

The grader composes a student's tree from labs/NAME/base/kernel, so that a change of a file that is not handed in counts
neither here nor where the hand-in is graded. Files are named by what is published, not by what is left out: a new
folder of the project is not published until it is listed.
"""

from __future__ import annotations

import json
import string
from collections.abc import Iterable, Mapping
from pathlib import Path

from grader.faults import WrongUse
from grader.labs.course import BASELINE
from grader.labs.lab_file import HIDDEN, Lab, load_lab
from grader.labs.tree import Answer, base_files, compose
from grader.paths import Project
from grader.publishing import hidden, version
from grader.publishing.folders import files_below
from grader.publishing.published import FILE, MAIN, Offer, Published, branch_of

Files = Mapping[str, bytes]

PACKAGES = "requirements.txt"
AUTHORS_PACKAGE = "  # author"
TOP_FILES = (
    ".clang-format",
    ".clang-tidy",
    ".clangd",
    ".dockerignore",
    ".editorconfig",
    ".gitattributes",
    ".gitignore",
    "LICENSE",
    "Makefile",
    "docs/macos.md",
    "lab",
    "labs/conftest.py",
    "pyproject.toml",
    PACKAGES,
)
TOOLS = ("compile_commands.py", "environment.py", "lint.py", "project.py", "set_up.sh")
FOLDERS = (".devcontainer", ".vscode", "docker", "grader")
LEFT_OUT = ("tests",)  # of grader/: it tests the grader, for whoever works on it
TASKS = ".vscode/tasks.json"
AUTHORS_TARGETS = ("demo", "lint", "picture", "test")
"""Targets of tools/author.mk, which students do not get."""
EXECUTABLE = ("docker/grade", "lab", "tools/set_up.sh")
TEMPLATES = Path(__file__).with_name("templates")


def main_branch(project: Project, labs: Iterable[Lab]) -> Files:
    """The branch main of a course with these labs."""
    offers = tuple(Offer(lab.name, lab.title, lab.points) for lab in labs)
    lines = "\n".join(f"./lab start {offer.name:24} # {offer.title} ({offer.points} points)" for offer in offers)
    about = Published(MAIN, labs=offers)
    return {
        **_common(project, BASELINE),
        **_below(project.root, "kernel"),
        **_below(project.root, f"labs/{BASELINE}", leave_out=_unpublished()),
        "README.md": _readme("main.md", {"labs": lines, "first": offers[0].name if offers else "NAME"}),
        FILE: about.to_bytes(),
    }


def lab_branch(project: Project, lab: Lab) -> Files:
    """The branch of one lab. Raises WrongUse without a solution, ProjectFault when the lab is not sound."""
    if not project.solution(lab.name).is_dir():
        raise WrongUse(f"the lab {lab.name} has no solutions/{lab.name}: there is no starter to publish")
    about = Published(branch_of(lab.name), lab.name, version.of_lab(project, lab), hidden.count(lab))
    base = {f"labs/{lab.name}/base/{path}": content for path, content in base_files(project, lab).items()}
    facts = {"name": lab.name, "title": lab.title, "points": str(lab.points), "files": _handed_in(lab)}
    return {
        **_common(project, lab.name),
        **compose(project, lab, Answer("starter")).files,
        **_below(project.root, f"labs/{lab.name}", leave_out=_unpublished()),
        **base,
        "README.md": _readme("lab.md", facts),
        FILE: about.to_bytes(),
    }


def offered(project: Project, names: Iterable[str]) -> list[Lab]:
    """The labs of these names, in the order in which a student meets them: as the README lists them."""
    return [load_lab(project, name) for name in sorted(names)]


def _common(project: Project, lab: str) -> dict[str, bytes]:
    root = project.root
    files = {name: (root / name).read_bytes() for name in TOP_FILES if (root / name).is_file()}
    for folder in FOLDERS:
        files |= _below(root, folder, leave_out=LEFT_OUT)
    tools = files_below(root / "tools")
    files |= {f"tools/{name}": tools[name] for name in TOOLS if name in tools}
    if TASKS in files:
        files[TASKS] = _students_tasks(files[TASKS], lab)
    if PACKAGES in files:
        files[PACKAGES] = _students_packages(files[PACKAGES])
    return files


def _below(root: Path, folder: str, leave_out: tuple[str, ...] = ()) -> dict[str, bytes]:
    found = files_below(root / folder, leave_out=leave_out)
    return {f"{folder}/{path}": content for path, content in found.items()}


def _unpublished() -> tuple[str, ...]:
    """What of a lab's folder is not taken over: hidden tests, and what publishing itself makes."""
    return (f"tests/{HIDDEN}", "base")


def _students_tasks(data: bytes, lab: str) -> bytes:
    """An editor's tasks for the branch of `lab`, without those that call what only the author's repository has."""
    facts = json.loads(data)
    for question in facts.get("inputs", []):
        if question["id"] == "lab":
            question["default"] = lab
    facts["tasks"] = [
        task
        for task in facts["tasks"]
        if task.get("command") != "make" or not set(AUTHORS_TARGETS) & set(task.get("args", []))
    ]
    return (json.dumps(facts, indent=2) + "\n").encode()


def _students_packages(data: bytes) -> bytes:
    """The list of Python packages without those that only the grader's own tests need, and the words about them."""
    kept = []
    for block in data.decode().split("\n\n"):
        lines = [line for line in block.split("\n") if not line.endswith(AUTHORS_PACKAGE)]
        if AUTHORS_PACKAGE not in block or any("==" in line for line in lines):
            kept.append("\n".join(lines))
    return "\n\n".join(kept).encode()


def _handed_in(lab: Lab) -> str:
    return "\n".join(f"- `{path}`" for path in lab.handin)


def _readme(template: str, facts: Mapping[str, str]) -> bytes:
    text = (TEMPLATES / template).read_text(encoding="utf-8")
    return string.Template(text).substitute(facts).encode()
