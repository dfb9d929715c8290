"""Records the run of a test that fails, so that the very same run can be played again.

The recorded run executes what the graded one does, except where the moment of something depends on the host (when the
disk or a console answers): then QEMU must count time in its other way, in which a recorder notices such answers. What
was recorded counts only if the test failed there as it does without.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import pytest

from grader.machine.tape import Tapes
from grader.machine.witness import Witness
from grader.testing import plugin, worker
from grader.testing.setting import Setting
from grader.testing.verdict import Outcome, Verdict

WAYS = (False, True, True, True)
"""For each try, whether the recorder hears from disk and console (`Tape.listening`)."""


@dataclass(frozen=True)
class Recording:
    """A test's recorded run."""

    outcome: Outcome
    tapes: Tapes
    same: bool
    """Whether the test failed as it does without being recorded."""

    def play(self, item: pytest.Item, setting: Setting) -> Outcome:
        """Run the test once more, on machines that play what was recorded."""
        self.tapes.rewind()
        return _run(item, setting, self.tapes)


@contextmanager
def record(item: pytest.Item, setting: Setting) -> Iterator[Recording]:
    """Run a test on machines (QEMU alone) that are recorded, until it fails as it does without. A test that does not
    fail is not recorded: its outcome says why. The tapes last for the `with` block.
    """
    plain = _run(item, setting, None)
    recording = Recording(plain, Tapes(), same=False)
    for listening in WAYS if plain.verdict is Verdict.FAILED else ():
        recording.tapes.close()
        tapes = Tapes(listening=listening)
        try:
            outcome = _run(item, setting, tapes)
        except BaseException:
            tapes.close()
            raise
        recording = Recording(outcome, tapes, same=_without_numbers(outcome) == _without_numbers(plain))
        if recording.same:
            break
    try:
        yield recording
    finally:
        recording.tapes.close()


def _without_numbers(outcome: Outcome) -> str:
    """A failure's sentence, whatever values were drawn and instructions counted."""
    return f"{outcome.verdict}: {re.sub('[0-9][0-9,a-fx]*', '#', outcome.message)}"


def _run(item: pytest.Item, setting: Setting, tapes: Tapes | None) -> Outcome:
    item.config.stash[plugin.SETTING] = replace(setting, witness=Witness.QEMU, tapes=tapes)
    return worker.run_item(item)
