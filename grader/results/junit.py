"""A grading as JUnit XML, for systems that show test reports. Points are properties of each test case."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

from grader.testing.verdict import Graded, Grading, Verdict
from grader.untrusted import no_commands, plain


def to_junit(grading: Grading) -> str:
    """The document as text. Everything in it is valid in XML 1.0, whatever a guest printed."""
    verdicts = [test.outcome.verdict for test in grading.tests]
    counts = {
        "tests": str(len(verdicts)),
        "failures": str(verdicts.count(Verdict.FAILED)),
        "errors": str(verdicts.count(Verdict.UNGRADABLE)),
        "time": f"{grading.seconds:.3f}",
    }
    root = ElementTree.Element("testsuites", {"name": "kernelist", **counts})
    suite = ElementTree.SubElement(root, "testsuite", {"name": _safe(grading.lab), **counts})
    if grading.started:
        suite.set("timestamp", grading.started.removesuffix("Z").removesuffix("+00:00"))
    _properties(
        suite,
        {
            "answer": grading.answer,
            "score": f"{grading.score:g}",
            "max_score": f"{grading.max_score:g}",
            "gradable": str(grading.gradable).lower(),
            "complete": str(grading.complete).lower(),
            "seed": grading.seed,
        },
    )
    for test in grading.tests:
        suite.append(_case(grading, test))
    if grading.message:
        ElementTree.SubElement(suite, "system-err").text = _safe(grading.message)
    ElementTree.indent(root)
    return "<?xml version='1.0' encoding='utf-8'?>\n" + ElementTree.tostring(root, encoding="unicode") + "\n"


def _case(grading: Grading, test: Graded) -> ElementTree.Element:
    requirement, outcome = test.requirement, test.outcome
    case = ElementTree.Element(
        "testcase",
        {
            "classname": _safe(f"{grading.lab}.stage{requirement.stage}"),
            "name": _safe(requirement.name),
            "time": f"{outcome.seconds:.3f}",
        },
    )
    points = 0 if grading.message else test.points
    machines = " ".join(requirement.witnesses)
    facts = {"points": f"{points:g}", "max_points": f"{requirement.points:g}", "witnesses": machines}
    if outcome.schedules:
        facts["schedules"] = str(outcome.schedules)
    if outcome.schedule:
        facts["schedule"] = outcome.schedule
    _properties(case, facts if outcome.witness is None else {**facts, "witness": outcome.witness.value})
    if outcome.verdict is not Verdict.PASSED:
        kind = "failure" if outcome.verdict is Verdict.FAILED else "error"
        element = ElementTree.SubElement(case, kind, {"message": _safe(outcome.message)})
        parts = {
            "required": requirement.required,
            "the test": outcome.seen,
            "seen in the machine": outcome.machine,
            "usually means": requirement.usually,
            "explained in": requirement.handout,
            "open this moment": test.command,
        }
        element.text = _safe("\n".join(f"{title}: {text}" for title, text in parts.items() if text))
    if outcome.serial:
        ElementTree.SubElement(case, "system-out").text = _safe(outcome.serial)
    return case


def _properties(parent: ElementTree.Element, values: dict[str, str]) -> None:
    properties = ElementTree.SubElement(parent, "properties")
    for name, value in values.items():
        ElementTree.SubElement(properties, "property", {"name": name, "value": _safe(value)})


def _safe(text: str) -> str:
    return no_commands(plain(text))
