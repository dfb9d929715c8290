"""Pictures of a failure: its run as a timeline, and the address space it ended in.

They are made after the verdicts, for the forms that show them, and change none: see `camera` for how.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from grader.machine.address_space import AddressSpace
from grader.machine.timeline import Timeline

if TYPE_CHECKING:
    from grader.testing.verdict import Graded

FAILURES_OF_A_STAGE = 3
"""Of each stage so many failures get pictures, the first ones: they often explain the others, and each costs about as
much as ten tests.
"""


@dataclass(frozen=True)
class Pictures:
    """What is drawn of a failed test."""

    timeline: Timeline | None = None
    memory: AddressSpace | None = None
    note: str = ""
    """Why there is no timeline, or what is different about it."""

    def to_dict(self) -> dict[str, Any]:
        """As result.json has it."""
        return {
            "timeline": self.timeline.to_dict() if self.timeline else None,
            "memory": self.memory.to_dict() if self.memory else None,
            "note": self.note,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Pictures:
        """The inverse of `to_dict`. Raises ValueError."""
        timeline = Timeline.from_dict(data["timeline"]) if data["timeline"] else None
        memory = AddressSpace.from_dict(data["memory"]) if data["memory"] else None
        return cls(timeline, memory, data["note"])


def chosen(tests: Sequence[Graded]) -> list[Graded]:
    """Of the tests of a grading those that get pictures."""
    from grader.testing.verdict import Verdict

    counts: dict[int, int] = {}
    found = []
    for test in tests:
        if test.outcome.verdict is Verdict.FAILED and test.outcome.boots:
            stage = test.requirement.stage
            counts[stage] = counts.get(stage, 0) + 1
            if counts[stage] <= FAILURES_OF_A_STAGE:
                found.append(test)
    return found
