"""What a probe must report, as a table that a test writes: each report with its value and a clause for the message.

    must_report(
        boot("death", role="receiver_dies"),
        killed=(0, "kill of a process that others wait for returned"),
        sender=(E_DEAD, "the send that waited for the killed process returned"),
    )

The probe may not come to its end: the kernel hangs, panics, or what the probe needs goes wrong. Then what it reported
until then is judged first, since the first wrong report tells more than the hang that came of it; after that, the
message says which report never came.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from grader.machine.faults import Hang, MachineStopped, NotAsRequired
from grader.machine.machine import Machine
from grader.machine.report import Report, reports_on_console
from grader.testing.message import in_words, must, sentence

Wanted = str | tuple[object, str] | tuple[object, str, Callable[[int], str]] | tuple[object, str, Mapping[Any, str]]
"""Of a report: the value as `must` takes it, its clause ("the send returned"), and if need be what says its values in
words, or whole sentences for values that mean something of their own, and for None, when the report never comes.

A clause alone is for a report that a probe makes only when it gives up: "a spawn returned".
"""


def must_report(machine: Machine, meanwhile: Callable[[Machine], object] | None = None, /, **wanted: Wanted) -> Report:
    """Run the probe to its end and judge its reports, `key=(value, clause)` in the probe's order; returns them all.

    `meanwhile` is what the test does with the machine before it lets it run to the end. Raises Unexpected or
    NotAsRequired for what is not as wanted, MachineStopped when the machine stops before.
    """
    ending = False
    try:
        if meanwhile is not None:
            meanwhile(machine)
        ending = True
        report = machine.finish(lambda: _missed(so_far(machine), wanted)[1])
    except MachineStopped as stopped:
        report = so_far(machine)
        _judge(report, wanted)
        stopped.report, missed = _missed(report, wanted)
        if not (ending and isinstance(stopped, Hang)):
            _add(stopped, sentence(missed))
        raise
    except NotAsRequired:
        if ending:
            _judge(so_far(machine), wanted)
        raise
    _judge(report, wanted)
    key, missed = _missed(report, wanted)
    if key:
        raise _about(key, NotAsRequired(f"{missed}, though the probe came to its end"))
    return report


def come_to(machine: Machine, where: str, program: str, awaited: str, **wanted: Wanted) -> None:
    """`Machine.run_to`, and when the machine stops before, judge what was reported, as `must_report` does."""
    try:
        machine.run_to(where, program=program, awaited=awaited)
    except MachineStopped:
        _judge(so_far(machine), wanted)
        raise


def so_far(machine: Machine) -> Report:
    """What the console says that probes reported until now: one witness alone, to explain a failure, not to pass."""
    return Report(reports_on_console(machine.serial))


def _judge(report: Report, wanted: Mapping[str, Wanted]) -> None:
    """Raise for the first report that is wrong; those that are missing are passed over."""
    for key, told in wanted.items():
        if key in report and not isinstance(told, str):
            _compare(report, key, told[0], told[1], told[2] if len(told) == 3 else {})
    for key, told in wanted.items():
        if key in report and isinstance(told, str):
            said = f"{told} {in_words(report[key], result=True)}, and the test could go no further"
            raise _about(key, NotAsRequired(said))


def _compare(
    report: Report, key: str, value: object, clause: str, words: Callable[[int], str] | Mapping[Any, str]
) -> None:
    if isinstance(words, Mapping) and report.signed(key) in words:
        raise _about(key, NotAsRequired(words[report.signed(key)]))
    try:
        must(report[key], value, clause, None if isinstance(words, Mapping) else words)
    except NotAsRequired as error:
        raise _about(key, error) from None


def _about(key: str, error: NotAsRequired) -> NotAsRequired:
    error.report = key
    return error


def _missed(report: Report, wanted: Mapping[str, Wanted]) -> tuple[str, str]:
    """What never came: the key of the first report that is missing, and a clause. Without a key when none is."""
    for key, told in wanted.items():
        if key not in report and not isinstance(told, str):
            sentences = told[2] if len(told) == 3 and isinstance(told[2], Mapping) else {}
            clause = told[1].removesuffix(" ended")
            never = f"{told[1]} nothing" if clause == told[1] else f"{clause} never ended"
            return key, sentences.get(None, never)
    return "", "the probe's end, after its last report, never came"


def _add(stopped: MachineStopped, missed: str) -> None:
    """Say in the diagnosis, after why the machine stopped, what never came."""
    headline, *others = stopped.diagnosis.sentences
    stopped.diagnosis = replace(stopped.diagnosis, sentences=(f"{sentence(headline)} {missed}", *others))
    stopped.args = (stopped.diagnosis.text(),)
