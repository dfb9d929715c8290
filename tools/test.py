"""Check everything: style, the grader's own tests, the baseline, and that every lab proves itself.

The steps run one after another, each whatever the others say, each using all processors itself. The last line counts
what passed and failed; the exit status is 1 when anything failed.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from containers import containers
from lint import lint
from project import TOP, Outcome, ending, python, report, run

EVERY_DAY = ("--runs", "10", "--load", "--one-in", "3")
"""How a lab proves itself here: the same verdicts ten times over, once on a busy computer. That mutants pass what they
must is looked at in part; ./lab prove LAB does that whole.
"""


@dataclass(frozen=True)
class Step:
    """One part of the run: its name on the command line, what it is, and how it runs."""

    name: str
    title: str
    run: Callable[[], Outcome]


def unit_tests() -> Outcome:
    """The grader's own tests, counted from pytest's JUnit file."""
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "junit.xml"
        command = python("-m", "pytest", "-q", "-n", "auto", f"--junit-xml={results}", "grader/tests")
        finished = run(command)
        if not results.exists():
            return report("pytest ended before it had results", False)
        suites = ElementTree.parse(results).getroot().findall("testsuite")
    tests, failed, skipped = (
        sum(int(suite.get(what, "0")) for suite in suites) for what in ("tests", "failures", "skipped")
    )
    failed += sum(int(suite.get("errors", "0")) for suite in suites)
    counted = Outcome(passed=tests - failed - skipped, failed=failed)
    # pytest may fail without a failed test: a broken file, an interruption, no test at all.
    return counted if finished.returncode == 0 or failed else counted + Outcome(failed=1)


def graded(title: str, *arguments: str) -> Outcome:
    """Grade an answer that must pass every test."""
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "result.json"
        finished = run(python("-m", "grader", "grade", *arguments, "--json", results))
        if finished.returncode != 0 or not results.exists():
            return report(f"{title}: no verdicts (exit status {finished.returncode})", False)
        verdicts = [test["verdict"] for test in json.loads(results.read_text())["tests"]]
    passed = verdicts.count("passed")
    return Outcome(passed=passed, failed=max(len(verdicts) - passed, 0 if verdicts else 1))


def baseline(level: str) -> Callable[[], Outcome]:
    """The baseline kernel's own tests, compiled with one optimisation level."""
    return lambda: graded(f"baseline -{level}", "baseline", "--optimisation", f"-{level}")


def proof(lab: str) -> Callable[[], Outcome]:
    """A lab's proof of itself: starter, stages, reference and mutants score what they must."""

    def prove() -> Outcome:
        return report(f"{lab} proves itself", run(python("-m", "grader", "prove", lab, *EVERY_DAY)).returncode == 0)

    return prove


def all_steps() -> Iterable[Step]:
    """Every step, the quick ones first."""
    yield Step("lint", "style and types", lint)
    yield Step("grader", "the grader's own tests", unit_tests)
    yield Step("containers", "the images of docker/", containers)
    for level in ("O2", "O0"):
        yield Step(f"baseline-{level}", f"the baseline kernel, compiled with -{level}", baseline(level))
    for solution in sorted((TOP / "solutions").glob("*/")):
        yield Step(f"prove-{solution.name}", f"the lab {solution.name} proves itself", proof(solution.name))


def main() -> int:
    """Run the steps named on the command line, or all."""
    steps = list(all_steps())
    parser = argparse.ArgumentParser(description="check everything, or only the steps named")
    parser.add_argument("steps", nargs="*", metavar="STEP", help=", ".join(step.name for step in steps))
    wanted = parser.parse_args().steps
    unknown = set(wanted) - {step.name for step in steps}
    if unknown:
        parser.error(f"no such step: {', '.join(sorted(unknown))}")
    total, lines = Outcome(), []
    for step in steps:
        if wanted and step.name not in wanted:
            continue
        print(f"\n=== {step.title}", flush=True)
        started = time.monotonic()
        outcome = step.run()
        total += outcome
        lines.append(f"{step.title:50} {outcome.closing_line():24} {time.monotonic() - started:6.1f} s")
    print("\n=== all together", *lines, "", total.closing_line(), sep="\n", flush=True)
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(ending(main))
