"""Records the run of a test that fails, so that the very same run can be played again.

The recorded run executes what the graded one does, except where the moment of something depends on the host (when the
disk or a console answers). Such a failure may not come while it is recorded: then another try is made.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import pytest

from grader.machine.tape import Tapes
from grader.machine.witness import Witness
from grader.testing import plugin, worker
from grader.testing.setting import Setting
from grader.testing.verdict import Outcome, Verdict

TRIES_MAX = 5


@dataclass(frozen=True)
class Recording:
    """A test's recorded run. It failed, unless it passed in every try."""

    outcome: Outcome
    tapes: Tapes

    @property
    def failed(self) -> bool:
        """Whether there is a failure to play."""
        return self.outcome.verdict is Verdict.FAILED

    def play(self, item: pytest.Item, setting: Setting) -> Outcome:
        """Run the test once more, on machines that play what was recorded."""
        self.tapes.rewind()
        return _run(item, setting, self.tapes)


@contextmanager
def record(item: pytest.Item, setting: Setting) -> Iterator[Recording]:
    """Run a test on machines (QEMU alone) that are recorded, until it fails. The tapes last for the `with` block."""
    for number in range(1, TRIES_MAX + 1):
        tapes = Tapes()
        try:
            outcome = _run(item, setting, tapes)
            if outcome.verdict is Verdict.FAILED or number == TRIES_MAX:
                yield Recording(outcome, tapes)
                return
        finally:
            tapes.close()


def _run(item: pytest.Item, setting: Setting, tapes: Tapes) -> Outcome:
    item.config.stash[plugin.SETTING] = replace(setting, witness=Witness.QEMU, tapes=tapes)
    return worker.run_item(item)
