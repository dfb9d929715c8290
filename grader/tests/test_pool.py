"""Workers: what they run, what becomes of exceptions, and that one that dies harms nobody else."""

from __future__ import annotations

import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from grader.builds.build import Build
from grader.testing import pool as pools
from grader.testing.pool import Job, Pool, PoolError
from grader.testing.setting import Setting
from grader.testing.verdict import Outcome, Verdict

TESTS = '''
import os
import signal
import time
from pathlib import Path

from shared import ANSWER, judge
from grader.faults import Ungradable
from grader.builds.image import ImageError
from grader.machine.faults import NotAsRequired
from grader.testing.kernel_error import KernelError
from grader.testing.message import must
from grader.testing.plugin import graded


@graded(stage=1, points=2, handout="rules", usually="a wrong sign")
def test_holds():
    """It holds, because.

    More that nobody needs.
    """
    assert ANSWER == 0x539


@graded(stage=1, points=2)
def test_fails():
    """It does not hold."""
    assert ANSWER + 1 == 0x539


@graded(stage=1, points=2)
def test_returns():
    """A system call does not return what it must."""
    must(0, KernelError.E_DEAD, "a send to a dead process returned")


@graded(stage=1, points=2)
def test_reports():
    """A probe's report is wrong."""
    judge(
        sent=0,
        woken=1,
    )


@graded(stage=2, points=2)
def test_lacks():
    """What a probe reported is missing."""
    raise NotAsRequired("the probe never reported 'x'")


@graded(stage=2, points=2)
def test_breaks():
    """The test itself is wrong."""
    {}["missing"]


@graded(stage=2, points=2)
def test_takes_all_memory():
    """What it looks into is endless."""
    assert len(bytearray(5 << 30)) == 0


@graded(stage=2, points=2)
def test_is_ungradable():
    """The emulator is missing."""
    raise Ungradable("no emulator")


@graded(stage=2, points=2)
def test_is_too_large():
    """The answer's kernel does not fit."""
    raise ImageError("the kernel takes 9000 sectors")


@graded(stage=2, points=2)
def test_dies():
    """The process ends."""
    os._exit(3)


@graded(stage=2, points=2)
def test_draws(seed, build):
    """The seed decides."""
    assert seed == 0, build.tree.name


@graded(stage=2, points=2)
def test_waits():
    """It takes long, and leaves a sign when it is ended in order."""
    try:
        time.sleep(60)
    finally:
        Path(os.environ["SIGN"]).write_text("cleaned")
'''

SHARED = """
from grader.machine.faults import NotAsRequired

ANSWER = 0x539

def judge(**reports):
    error = NotAsRequired("a process slept on, which a send was to wake")
    error.report = "woken"
    raise error
"""


@pytest.fixture(scope="module")
def tests(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of graded tests, with blanks in its name."""
    folder = tmp_path_factory.mktemp("a lab with blanks") / "tests"
    folder.mkdir()
    (folder / "test_demo.py").write_text(TESTS)
    (folder / "shared.py").write_text(SHARED)
    (folder.parent / "conftest.py").write_text("raise SystemExit('what lies above a lab is not for its workers')\n")
    return folder


@pytest.fixture(scope="module")
def pool(tests: Path) -> Iterator[Pool]:
    """One worker."""
    with Pool(tests, 1) as made:
        yield made


def setting(seed: str = "abc") -> dict[str, object]:
    """A setting whose build is not there: these tests boot nothing."""
    nowhere = Path("/nowhere/tree")
    return Setting(Build(nowhere, nowhere, nowhere, nowhere, nowhere, {}, {}), seed).to_dict()


def run(pool: Pool, test: str, seed: str = "abc") -> Outcome:
    """One test, once."""
    pool.submit(Job(test, setting(seed)))
    done = pool.next(60)
    assert done is not None
    return done[1]


def test_requirements_are_read(pool: Pool) -> None:
    """Stage, points, the first sentence and the texts of the mark, in the order of the file."""
    first, *_ = found = pool.requirements()
    assert [item.name for item in found][:2] == ["test_holds", "test_fails"]
    assert (first.stage, first.points, first.handout, first.usually) == (1, 2, "rules", "a wrong sign")
    assert first.required == "It holds, because."


@pytest.mark.parametrize(
    ("test", "verdict", "message"),
    [
        ("test_holds", Verdict.PASSED, ""),
        ("test_fails", Verdict.FAILED, "assert (1337 + 1) == 1337"),
        ("test_returns", Verdict.FAILED, "A send to a dead process returned 0 (success) instead of E_DEAD."),
        ("test_lacks", Verdict.FAILED, "The probe never reported 'x'."),
        ("test_is_too_large", Verdict.FAILED, "the kernel takes 9000 sectors"),
        ("test_is_ungradable", Verdict.UNGRADABLE, "no emulator"),
        ("test_breaks", Verdict.UNGRADABLE, "the grader's own code failed: KeyError: 'missing'"),
    ],
)
def test_whose_fault_it_is(pool: Pool, test: str, verdict: Verdict, message: str) -> None:
    """Assertions and what the guest did fail a test; whatever else goes wrong costs nobody points."""
    outcome = run(pool, test)
    assert (outcome.verdict, outcome.message) == (verdict, message)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits what a worker takes")
def test_a_worker_that_takes_all_memory_is_stopped(pool: Pool) -> None:
    """Before the computer's is gone, and it serves on: the test costs nobody points."""
    outcome = run(pool, "test_takes_all_memory")
    assert outcome.verdict is Verdict.UNGRADABLE and "MemoryError" in outcome.message
    assert run(pool, "test_holds").verdict is Verdict.PASSED


def test_a_failure_names_its_line(pool: Pool) -> None:
    """A student reads the test: file, line, and what was compared; of a table of reports, the line of the one that is
    wrong.
    """
    outcome = run(pool, "test_fails")
    assert outcome.expected == "1337"
    assert "test_demo.py:" in outcome.seen and "assert ANSWER + 1 == 0x539" in outcome.seen
    outcome = run(pool, "test_returns")
    assert outcome.expected == "E_DEAD"
    assert "test_demo.py:" in outcome.seen and outcome.seen.endswith("\n0 (success)")
    outcome = run(pool, "test_reports")
    assert outcome.message == "A process slept on, which a send was to wake."
    assert "test_demo.py:" in outcome.seen and outcome.seen.endswith(": woken=1,")


def test_a_test_can_be_run_again_with_another_seed(pool: Pool) -> None:
    """The same worker serves many runs of many answers, and nothing of one is left in the next."""
    first, again, other = (run(pool, "test_draws", seed).seen for seed in ("a", "a", "b"))
    assert first == again != other


def test_a_worker_that_dies_is_replaced(tests: Path) -> None:
    """Its test is ungradable, after a second try; the others keep their verdicts."""
    with Pool(tests, 2) as made:
        made.requirements()
        for name in ("test_dies", "test_holds", "test_holds", "test_fails"):
            made.submit(Job(name, setting()))
        verdicts = []
        while (done := made.next(60)) is not None:
            verdicts.append((done[0].test, done[1].verdict))
        assert sorted(verdicts) == [
            ("test_dies", Verdict.UNGRADABLE),
            ("test_fails", Verdict.FAILED),
            ("test_holds", Verdict.PASSED),
            ("test_holds", Verdict.PASSED),
        ]


def test_a_silent_worker_is_ended(tests: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that never comes back does not stop the grading."""
    monkeypatch.setenv("SIGN", str(tmp_path / "sign"))
    monkeypatch.setattr(pools, "SILENCE_MAX", 0.3)
    with Pool(tests, 1) as made:
        made.requirements()
        assert run(made, "test_waits").verdict is Verdict.UNGRADABLE


def test_leaving_ends_every_worker_in_order(tests: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After Ctrl-C nothing runs on, and what a test holds is given back: its machines are closed."""
    sign = tmp_path / "sign"
    monkeypatch.setenv("SIGN", str(sign))
    with pytest.raises(KeyboardInterrupt), Pool(tests, 2) as made:
        made.requirements()
        made.submit(Job("test_waits", setting()))
        processes = [worker.process for worker in made._workers]
        time.sleep(0.5)
        raise KeyboardInterrupt
    assert sign.read_text() == "cleaned"
    assert len(processes) == 2 and all(process.returncode is not None for process in processes)


def test_cancelled_jobs_are_never_heard_of(tests: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is at one is ended, in order, when it is wanted for another; who is idle stays."""
    sign = tmp_path / "sign"
    monkeypatch.setenv("SIGN", str(sign))
    with Pool(tests, 1) as made:
        made.requirements()
        made.submit(Job("test_fails", setting()))
        assert made.next(60) is not None
        idle = made._workers[0].process
        for name in ("test_waits", "test_fails"):
            made.submit(Job(name, setting()))
        made.cancel()
        assert not made.outstanding and not made.running and made.next(60) is None
        assert made._workers[0].process is idle
        assert run(made, "test_holds").verdict is Verdict.PASSED
        assert made._workers[0].process is not idle
        made.cancel()
        assert run(made, "test_fails").verdict is Verdict.FAILED
    assert idle.returncode is not None


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import nonsense_that_is_not_there", "nonsense_that_is_not_there"),
        ("def test_a():\n    pass\n", "test_a lacks @graded"),
        ("from grader.testing.plugin import graded\n@graded(stage=1)\ndef test_a(): pass\n", "points"),
    ],
)
def test_tests_that_cannot_be_used_are_named(tmp_path: Path, source: str, reason: str) -> None:
    """A lab's author sees what is wrong; a student is not given 0 for it."""
    (tmp_path / "test_demo.py").write_text(textwrap.dedent(source))
    with Pool(tmp_path, 1) as made, pytest.raises(PoolError, match=reason):
        made.requirements()


def test_no_tests_at_all(tmp_path: Path) -> None:
    """A lab without its tests is no full score."""
    with Pool(tmp_path / "missing", 1) as made, pytest.raises(PoolError, match="there is no folder"):
        made.requirements()
