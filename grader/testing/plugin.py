"""The pytest plugin: what a graded test is, what it is given, and how a failure becomes data.

    @graded(stage=1, points=3, handout="rendezvous", usually="the receiver is never woken")
    def test_a_waiting_receiver_gets_the_message(boot):
        \"\"\"A message sent to a waiting receiver arrives whole, whoever came first.\"\"\"
        machine = boot("rendezvous", order=1)
        report = machine.finish()
        must(report["received"], machine.nonce, "a receiver that waited got a message whose first word was")

A plain assertion that does not hold, or a machine that stopped otherwise than it must, is a failed test. Any other
exception is the grader's own fault: the test is ungradable and costs nobody points. The first sentence of the test is
the requirement a student reads.

With `witnesses=BOTH` (of `grader.machine.witness`) the function runs once on each of these emulators, with fresh
fixtures, and the test passes only if it passes on each. `boot.witness` says which one it is now.

With `schedules=True` the requirement must hold wherever the timer interrupts: see `grader.testing.schedules`.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from grader.labs.lab_file import HIDDEN
from grader.machine.witness import Witness
from grader.testing import explanation, seeds
from grader.testing.schedules import ORDINARY, pattern_of
from grader.testing.setting import Setting
from grader.testing.verdict import Outcome, Requirement, Verdict

if TYPE_CHECKING:
    from grader.builds.build import Build
    from grader.testing.boots import Boots
    from grader.testing.sweep import Sweep

Function = TypeVar("Function", bound=Callable[..., Any])


def graded(
    stage: int,
    points: float,
    handout: str = "",
    usually: str = "",
    witnesses: Sequence[Witness] = (Witness.QEMU,),
    schedules: bool = False,
) -> Callable[[Function], Function]:
    """Mark a test as graded.

    `stage` counts from 1, `points` is what it is worth in its stage, `handout` names the section (the anchor of its
    heading) that explains it, `usually` says in a sentence what a failure usually means, and `witnesses` are the
    emulators on each of which it must pass. `schedules`: it must pass wherever the timer interrupts, however often.
    """
    if not witnesses or len(set(witnesses)) < len(witnesses):
        raise ValueError("a test names one witness at least, and none twice")
    if schedules and Witness.QEMU not in witnesses:
        raise ValueError("schedules are QEMU's: a test that runs under them names it as a witness")
    return pytest.mark.graded(
        stage=stage,
        points=points,
        handout=handout,
        usually=usually,
        witnesses=tuple(map(Witness, witnesses)),
        schedules=schedules,
    )


SETTING = pytest.StashKey[Setting]()
WITNESS = pytest.StashKey[Witness]()
"""The emulator that a test runs on now."""
_SWEEP = pytest.StashKey["Sweep"]()
_OUTCOME = pytest.StashKey[Outcome]()
_BOOTS = pytest.StashKey["Boots"]()
_STARTED = pytest.StashKey[float]()


def pytest_configure(config: pytest.Config) -> None:
    """Make the mark known."""
    config.addinivalue_line(
        "markers", "graded(stage, points, handout, usually, witnesses, schedules): a test that is worth points"
    )


def requirement_of(item: pytest.Item) -> Requirement | None:
    """What a collected test demands, or None when it is not graded."""
    mark = item.get_closest_marker("graded")
    if mark is None:
        return None
    folders = item.path.relative_to(item.config.rootpath).parts[:-1]
    return Requirement(name=item.name, required=_first_sentence(item), hidden=HIDDEN in folders, **mark.kwargs)


def _first_sentence(item: pytest.Item) -> str:
    text = getattr(getattr(item, "function", None), "__doc__", None) or item.name.replace("_", " ")
    return " ".join(text.strip().split("\n\n")[0].split())


def _setting(request: pytest.FixtureRequest) -> Setting:
    setting = request.config.stash.get(SETTING, None)
    if setting is None:
        pytest.fail("graded tests are run by ./lab grade, which gives them a kernel to test", pytrace=False)
    return setting


@pytest.fixture
def build(request: pytest.FixtureRequest) -> Build:
    """The built answer: kernel image, symbols, programs, probes."""
    return _setting(request).build


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """A number drawn for this test: for `random.Random(seed)`, or as a value to look for."""
    return seeds.number(_setting(request).seed, "seed", request.node.name)


@pytest.fixture
def boot(request: pytest.FixtureRequest) -> Iterator[Boots]:
    """Starts a machine: `boot("probe", key=value, ...)`. Each one is ended with the test."""
    from grader.host.sandbox import Sandbox
    from grader.testing.boots import Boots

    setting = _setting(request)
    sandbox = Sandbox.detect(allowed=setting.sandboxed)
    witness = request.node.stash.get(WITNESS, Witness.QEMU)
    with Boots(
        setting.build,
        seed=setting.seed,
        test=request.node.name,
        sandbox=sandbox,
        witness=witness,
        tapes=setting.tapes,
        pattern=pattern_of(setting.schedule),
        on_boot=setting.on_boot,
    ) as boots:
        request.node.stash[_BOOTS] = boots
        yield boots


@pytest.fixture
def sweep(request: pytest.FixtureRequest, boot: Boots) -> Sweep:
    """Goes through the instructions of a window of a run: see `grader.testing.sweep`."""
    from grader.testing.sweep import Sweep

    setting = _setting(request)
    shown = None if setting.on_step is None else functools.partial(setting.on_step, boot)
    made = Sweep(only=setting.step, shown=shown)
    request.node.stash[_SWEEP] = made
    return made


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Forget what an earlier run of the same test left."""
    left: tuple[pytest.StashKey[Any], ...] = (_OUTCOME, _BOOTS, _SWEEP)
    for key in left:
        if key in item.stash:
            del item.stash[key]
    item.stash[_STARTED] = time.perf_counter()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn what happened into an outcome, while the machines still live."""
    report = yield
    if call.excinfo is not None:
        if _OUTCOME not in item.stash or item.stash[_OUTCOME].verdict is Verdict.PASSED:
            item.stash[_OUTCOME] = _outcome(item, call)
            hook = item.config.stash[SETTING].on_failure if SETTING in item.config.stash else None
            if hook is not None and _BOOTS in item.stash and call.when == "call":
                hook(item.stash[_BOOTS], call.excinfo.value)
    elif call.when == "call":
        item.stash[_OUTCOME] = _outcome(item, call)
    return report


def _outcome(item: pytest.Item, call: pytest.CallInfo[None]) -> Outcome:
    boots = item.stash.get(_BOOTS, None)
    sweep = item.stash.get(_SWEEP, None)
    setting = item.config.stash.get(SETTING, None)
    schedule = setting.schedule if setting is not None else ORDINARY
    facts: dict[str, Any] = {
        "schedule": schedule,
        "seconds": time.perf_counter() - item.stash[_STARTED],
        "witness": item.stash.get(WITNESS, Witness.QEMU),
    }
    if boots is not None:
        facts["nonce"] = " ".join(f"{nonce:#x}" for nonce in boots.nonces)
        facts["boots"] = len(boots.machines)
        facts["guest_instructions"] = sum(explanation.instructions(machine) for machine in boots.machines)
    if call.excinfo is None:
        wanted = setting.step if setting is not None else None
        if wanted is not None and not (sweep is not None and sweep.used):
            reason = f"the test sweeps over no instructions: there is no step {wanted}"
            return Outcome(item.name, Verdict.UNGRADABLE, reason, **facts)
        return Outcome(item.name, Verdict.PASSED, **facts)
    moment = sweep.moment if sweep is not None else None
    if moment is not None:
        facts["step"] = moment.number
    outcome = explanation.explain(item.name, call.excinfo, boots.machines if boots is not None else [], facts)
    return outcome if moment is None else replace(outcome, message=f"{moment.disturbed()}: {outcome.message}")


def outcome_of(item: pytest.Item) -> Outcome:
    """What came of the test's last run."""
    missing = Outcome(item.name, Verdict.UNGRADABLE, "the test did not run to its end")
    return item.stash.get(_OUTCOME, missing)
