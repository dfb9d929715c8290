"""Composes a tree: baseline + the lab's own files + an answer.

(being written: the classes and signatures below are what the other parts use)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from grader.lab_file import Lab
from grader.paths import Project


@dataclass(frozen=True)
class Answer:
    """What is put into a lab's place. kind: none, starter, reference, stage, mutant, own, handin."""

    kind: str
    value: str = ""

    @staticmethod
    def parse(text: str) -> Answer:
        """Read --answer: starter, reference, stage:K, mutant:NAME, own (the files of this checkout) or a PATH. Raises WrongUse."""
        raise NotImplementedError


@dataclass(frozen=True)
class Tree:
    """A composed tree, in memory: `files` maps a path (relative, with /) to its content.

    `given` is the same without the answer: what probes are compiled in. `notes` are sentences for the student
    (a file that was ignored). `digest` is the hash of all content; `answer_digest` of the answer's files alone.
    """

    label: str
    files: Mapping[str, bytes]
    given: Mapping[str, bytes]
    probes: Mapping[str, bytes]
    notes: tuple[str, ...]
    trusted: bool

    @property
    def digest(self) -> str:
        """Hash over all paths and contents."""
        raise NotImplementedError

    @property
    def answer_digest(self) -> str:
        """Hash over the answer's paths and contents."""
        raise NotImplementedError


def compose(project: Project, lab: Lab | None, answer: Answer) -> Tree:
    """Compose a tree; lab None: the baseline alone. Raises HandinFault (0 points), WrongUse, LabFileError, MarkerError."""
    raise NotImplementedError


def write_tree(tree: Tree, folder: Path) -> None:
    """Write a tree into a new or empty folder (kernel/, probes/). Raises WrongUse when it is not empty."""
    raise NotImplementedError
