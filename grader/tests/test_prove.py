"""`./lab prove`: what it demands of each answer, and that it finds tests that catch too little or too much."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from grader.builds.build import Build
from grader.faults import HandinFault, WrongUse
from grader.paths import Project
from grader.progress import Progress
from grader.results import proof_board
from grader.testing.prove import Expectation, Proof, Prover
from grader.testing.setting import Setting
from grader.testing.verdict import Outcome, Verdict

LAB = """
title = "Demo"
summary = "For tests."
[handin]
files = ["kernel/a.c"]
[[stage]]
number = 1
title = "One"
points = 40
[[stage]]
number = 2
title = "Two"
points = 60
"""

TESTS = '''
import os
from pathlib import Path
from grader.testing.plugin import SETTING, graded

PYTHON = os.environ.get("DEMO_PYTHON", "")

def check(build, name, request=None):
    passing = build.tree.name.split("+")
    if f"{name}~" in passing:  # a race: under one schedule of four it fails
        schedule = request.config.stash[SETTING].schedule
        assert not schedule or int(schedule, 16) % 4, "lost"
        return
    if f"{name}?" in passing:  # now and then: every second time
        mark = Path(os.environ["DEMO_MARK"])
        if not mark.exists():
            mark.write_text("")
            return
        mark.unlink()
        raise AssertionError("this time the kernel did not do it")
    else:
        assert name in passing, PYTHON or f"the kernel did not do what {name} asks for"

@graded(stage=1, points=40, handout="rules", usually="x")
def test_one(build):
    """One holds, because."""
    check(build, "one")

@graded(stage=2, points=30, handout="rules", usually="x", schedules=True)
def test_two(build, request):
    """Two holds, because."""
    check(build, "two", request)

@graded(stage=2, points=30, handout="rules", usually="x")
def test_three(build):
    """Three holds, because."""
    check(build, "three")
'''

SOUND = {
    "starter": "",
    "stage:1": "one",
    "reference": "one+two+three",
    "mutant:forgets_two": "one+three",
}
"""What passes when all is right."""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project with one lab and one mutant; nothing of it is ever built."""
    lab, solution = tmp_path / "labs" / "demo", tmp_path / "solutions" / "demo"
    (lab / "tests").mkdir(parents=True)
    (solution / "mutants").mkdir(parents=True)
    (lab / "lab.toml").write_text(LAB)
    (lab / "README.md").write_text("# Demo\n## Rules\n")
    (lab / "tests" / "test_demo.py").write_text(TESTS)
    mutant = "misconception = 'Two is optional.'\nfails = ['test_two']\npatch = 'x'\n"
    (solution / "mutants" / "forgets_two.toml").write_text(mutant)
    return Project(tmp_path)


def prove(
    project: Project,
    passing: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    runs: int = 1,
    answers: list[str] | None = None,
    extra: bool = False,
    failing_only: bool = False,
    schedules: int = 0,
    one_in: int = 1,
) -> Prover:
    """Prove the lab with answers whose tests pass as told."""
    prover = Prover(project, "demo")

    def built(answer: str, _sandbox: object) -> Setting:
        if passing[answer] == "broken":
            raise HandinFault("kernel/a.c:1: error: no")
        tree = Path("/nowhere") / (passing[answer] or "nothing")
        return Setting(Build(tree, tree, tree, tree, tree, {}, {}), "seed")

    monkeypatch.setattr(prover, "_build", built)
    monkeypatch.setenv("DEMO_MARK", str(project.root / "mark"))
    prover.run(
        runs=runs,
        load=False,
        workers=1,
        answers=answers or [],
        progress=Progress(),
        extra=extra,
        failing_only=failing_only,
        schedules=schedules,
        one_in=one_in,
    )
    return prover


def problems(prover: Prover) -> str:
    """All that is wrong, as it is printed."""
    out = io.StringIO()
    proof_board.show(prover, Console(file=out, width=300))
    return out.getvalue()


def test_a_sound_lab_proves_itself(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every answer gets what it must, in every run."""
    prover = prove(project, SOUND, monkeypatch, runs=3)
    assert prover.sound, problems(prover)
    assert {answer: proof.score(prover.requirements) for answer, proof in prover.proofs.items()} == {
        "starter": 0,
        "stage:1": 40,
        "reference": 100,
        "mutant:forgets_two": 70,
    }
    assert "the lab proves itself   (23 tests run" in problems(prover)


@pytest.mark.parametrize(
    ("answer", "passing", "said"),
    [
        ("starter", "one", "starter: test_one must be failed, but it is passed"),
        ("stage:1", "one+three", "stage:1: test_three must be failed, but it is passed"),
        ("stage:1", "", "stage:1: test_one must be passed, but it is failed"),
        ("reference", "one+two", "reference: test_three must be passed, but it is failed"),
        ("mutant:forgets_two", "one+two+three", "mutant:forgets_two: test_two must be failed, but it is passed"),
        ("mutant:forgets_two", "one", "mutant:forgets_two: test_three must be passed, but it is failed"),
        ("mutant:forgets_two", "broken", "mutant:forgets_two: does not build: kernel/a.c:1: error: no"),
        ("reference", "one+two+three?", "test_three is not the same every time: 1 times passed, 1 times failed"),
    ],
)
def test_what_is_wrong_is_found(
    project: Project, monkeypatch: pytest.MonkeyPatch, answer: str, passing: str, said: str
) -> None:
    """Each way in which a lab can fail to prove itself is named with its answer and test."""
    prover = prove(project, {**SOUND, answer: passing}, monkeypatch, runs=2)
    assert not prover.sound
    assert said in problems(prover)


def test_a_message_that_is_pythons_is_wrong(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """A student reads it without the test."""
    monkeypatch.setenv("DEMO_PYTHON", "assert 0 == <KernelError.E_DEAD: 4294967281>")
    prover = prove(project, SOUND, monkeypatch)
    said = "mutant:forgets_two: test_two says what no student understands: it is a failed assertion in Python's words"
    assert not prover.sound and said in problems(prover)


def test_what_students_read_is_listed(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the tests that an answer must fail are run for that, and each message stands by itself."""
    prover = prove(project, SOUND, monkeypatch, answers=["stage:1", "mutant:*"], failing_only=True)
    out = io.StringIO()
    proof_board.show_messages(prover, Console(file=out, width=40))
    assert (
        "mutant:forgets_two" in out.getvalue()
        and "  test_two: The kernel did not do what two asks for.\n" in out.getvalue()
    )
    assert "the lab proves itself   (3 tests run" in out.getvalue()


def test_runs_are_made_while_they_may_tell_something_new(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two that agree, of the reference three, say what ten would; where runs differ, all are made, of what is not
    finished three.
    """
    wavering = {"reference": "one+two+three?", "stage:1": "one+two?", "mutant:forgets_two": "one+two?+three"}
    prover = prove(project, {**SOUND, **wavering}, monkeypatch, runs=10)
    runs = {answer: [len(outcomes) for outcomes in proof.outcomes.values()] for answer, proof in prover.proofs.items()}
    assert runs == {
        "starter": [2, 1, 1],
        "stage:1": [2, 3, 2],
        "reference": [3, 3, 10],
        "mutant:forgets_two": [1, 10, 1],
    }


def test_a_mutant_may_be_proved_by_a_share_of_what_it_passes(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """All that it must fail is run, of the others the same ones each time; and other answers are graded whole."""
    wrong = {**SOUND, "mutant:forgets_two": "one+two"}
    prover = prove(project, wrong, monkeypatch, one_in=1000)
    assert list(prover.proofs["mutant:forgets_two"].outcomes) == ["test_two"]
    assert "test_two must be failed, but it is passed" in problems(prover)
    assert prover.proofs["mutant:forgets_two"].score(prover.requirements) is None
    assert prover.proofs["reference"].score(prover.requirements) == 100


def test_what_makes_two_runs_the_same() -> None:
    """Verdict, message and the guest's instructions; a machine whose instructions are not known proves nothing."""
    run = Outcome("test", Verdict.FAILED, "why", guest_instructions=1000, boots=1)
    for other, same in (
        (run, True),
        (replace(run, guest_instructions=1001), False),
        (replace(run, message="another reason"), False),
        (replace(run, verdict=Verdict.PASSED), False),
    ):
        proof = Proof(Expectation("reference", frozenset(), ""))
        proof.outcomes["test"] += [run, other]
        assert proof.steady("test") is same
    unknown = Proof(Expectation("reference", frozenset(), ""))
    unknown.outcomes["test"] += [replace(run, guest_instructions=0)] * 3
    assert not unknown.steady("test")


def test_faults_of_the_labs_texts_are_found(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Points that do not add up, a handout without the section, a mutant that names no test."""
    (project.labs / "demo" / "README.md").write_text("# Demo\n")
    (project.labs / "demo" / "lab.toml").write_text(LAB.replace("points = 60", "points = 50"))
    mutant = project.solution("demo") / "mutants" / "forgets_two.toml"
    mutant.write_text(mutant.read_text().replace("test_two", "test_too"))
    text = problems(prove(project, SOUND, monkeypatch))
    assert "stage 2 is worth 50 points, its tests 60" in text
    assert "test_one: the handout has no section #rules" in text
    assert "mutant forgets_two names a test that is none: test_too; did you mean test_two" in text


def test_some_answers_can_be_chosen(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """By name or glob, while a mutant is being written."""
    prover = prove(project, SOUND, monkeypatch, answers=["mutant:*"])
    assert list(prover.proofs) == ["mutant:forgets_two"] and prover.sound
    with pytest.raises(WrongUse, match="did you mean reference"):
        prove(project, SOUND, monkeypatch, answers=["referense"])


def test_an_extra_mutant_is_proved_when_it_is_asked_for(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Others stand for it in everyday checks."""
    file = project.solution("demo") / "mutants" / "forgets_two.toml"
    file.write_text("extra = true\n" + file.read_text())
    assert "mutant:forgets_two" not in prove(project, SOUND, monkeypatch).proofs
    assert prove(project, SOUND, monkeypatch, answers=["mutant:forgets_two"]).sound
    assert prove(project, SOUND, monkeypatch, extra=True).sound
    assert "mutant:forgets_two" in prove(project, SOUND, monkeypatch, extra=True).proofs


def race(project: Project) -> None:
    """Have the mutant be one."""
    file = project.solution("demo") / "mutants" / "forgets_two.toml"
    file.write_text("schedules = 50\n" + file.read_text())


def test_a_race_passes_in_the_ordinary_run_and_fails_under_a_schedule(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both halves are proved, and that the schedule gives the same run again."""
    race(project)
    mutant = "mutant:forgets_two"
    prover = prove(project, {**SOUND, mutant: "one+two~+three"}, monkeypatch)
    assert prover.sound, problems(prover)
    proof = prover.proofs[mutant]
    assert proof.score(prover.requirements) == 100
    assert proof.schedules.outcomes["test_two"].verdict is Verdict.FAILED
    assert len(proof.schedules.failures["test_two"]) == 2
    assert "passes, and fails 1 of 3 tests within 50 schedules" in proof.expectation.says


@pytest.mark.parametrize(
    ("passing", "said"),
    [
        ("one+two+three", "test_two must fail under schedules, but it is passed under 50 schedules"),
        ("one+three", "test_two must be passed, but it is failed"),
        ("one+three", "test_two must fail under schedules, but it did not run under any"),
        ("two~+three", "test_one must be passed, but it is failed"),
    ],
)
def test_a_race_that_is_none_is_found(
    project: Project, monkeypatch: pytest.MonkeyPatch, passing: str, said: str
) -> None:
    """It fails never, or always, or elsewhere too."""
    race(project)
    prover = prove(project, {**SOUND, "mutant:forgets_two": passing}, monkeypatch, answers=["mutant:*"])
    assert not prover.sound and said in problems(prover)


def test_right_answers_pass_under_schedules_when_that_is_asked(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reference with a race in it is no reference; a mutant that is no race is not asked."""
    prover = prove(project, SOUND, monkeypatch, schedules=5)
    assert prover.sound, problems(prover)
    assert prover.proofs["reference"].schedules.outcomes["test_two"].schedules == 5
    assert not prover.proofs["mutant:forgets_two"].schedules.outcomes
    prover = prove(project, {**SOUND, "reference": "one+two~+three"}, monkeypatch, schedules=50)
    assert "reference: test_two must pass under every schedule, but it is failed; under schedule" in problems(prover)


def test_a_students_tree_cannot_be_proved(tmp_path: Path) -> None:
    """There are no solutions in it."""
    with pytest.raises(WrongUse, match="no solutions of demo"):
        Prover(Project(tmp_path), "demo")
