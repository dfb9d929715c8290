"""`./lab bench LAB`: runs the experiment a lab ends with and shows it as a table and a plot beside the literature's
figures.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

from grader.builds.build import build_tree
from grader.experiments import plot
from grader.experiments.experiment import Table, cell
from grader.faults import WrongUse
from grader.host.sandbox import Sandbox
from grader.labs import course
from grader.labs.lab_file import Lab
from grader.labs.tree import Answer, compose
from grader.paths import Project
from grader.results import html, result
from grader.testing.boots import Boots

SEED = "experiment"
"""Always the same: the same kernel gives the same table on any computer."""


def measure(project: Project, lab_name: str, answer: str, *, sandboxed: bool = True) -> Table:
    """Run the lab's experiment on an answer. Raises WrongUse when the lab has none, and what building and booting
    raise.
    """
    lab = course.find(project, lab_name)
    file = lab.folder / "bench.py"
    if not file.is_file():
        raise WrongUse(f"the lab {lab_name} ends with no experiment (labs/{lab_name}/bench.py)")
    sandbox = Sandbox.detect(allowed=sandboxed)
    build = build_tree(project, compose(project, lab, Answer.parse(answer)), sandbox)
    with Boots(build, seed=SEED, test=lab_name, sandbox=sandbox) as boot:
        table = _experiment(lab, file)(boot)
    if not isinstance(table, Table):
        raise TypeError(f"labs/{lab_name}/bench.py: experiment() must return a grader.experiments.experiment.Table")
    return table


def _experiment(lab: Lab, file: Path):  # type: ignore[no-untyped-def]  # a function of the lab's own
    spec = importlib.util.spec_from_file_location(f"bench_of_{lab.name.replace('-', '_')}", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.experiment


def write_page(table: Table, lab: str, answer: str, folder: Path) -> Path:
    """Write the experiment as one HTML page, DIR/index.html. Raises OSError."""
    page = folder / "index.html"
    template = html.environment().get_template("experiment.html")
    result.write_text(page, template.render(table=table, lab=lab, answer=answer, plot=plot.to_svg(table), cell=cell))
    return page
