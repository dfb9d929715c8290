"""Names that people type, and the anchors of handouts."""

from __future__ import annotations

from pathlib import Path

import pytest

from grader.faults import WrongUse
from grader.labs.handout import headings, slug
from grader.names import chosen, near

NAMES = ["test_a_message_arrives", "test_fifo[3]", "test_fifo[4]", "test_forged_sender"]


def test_the_near_names_are_offered() -> None:
    """A mistyped name gets a suggestion, a strange one none."""
    assert near("mikrokernel", ["microkernel", "boot"]) == "; did you mean microkernel?"
    assert near("zzz", ["microkernel"]) == ""


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("test_fifo", ["test_fifo[3]", "test_fifo[4]"]),
        ("fifo", ["test_fifo[3]", "test_fifo[4]"]),
        ("test_fifo[4]", ["test_fifo[4]"]),
        ("a message arrives", ["test_a_message_arrives"]),
        ("f*", ["test_fifo[3]", "test_fifo[4]", "test_forged_sender"]),
        ("*sender", ["test_forged_sender"]),
    ],
)
def test_patterns_choose_tests(pattern: str, found: list[str]) -> None:
    """With or without `test_` and parameters, as the board shows them, and globs."""
    assert chosen([pattern], NAMES) == found


def test_a_pattern_that_chooses_nothing_is_wrong_use() -> None:
    """Better than grading nothing with a full score."""
    with pytest.raises(WrongUse, match="did you mean forged_sender"):
        chosen(["forged_sendr"], NAMES)
    with pytest.raises(WrongUse, match=r"^there is no test 'mesage'; did you mean a_message_arrives\?$"):
        chosen(["mesage"], NAMES)
    with pytest.raises(WrongUse, match=r"^there is no test 'test_a_m'; a part of a name needs a star: 'test_a_m\*'$"):
        chosen(["test_a_m"], NAMES)
    with pytest.raises(WrongUse, match=r"^there is no test 'zzz'$"):
        chosen(["zzz"], NAMES)


def test_headings_are_anchors(tmp_path: Path) -> None:
    """As common renderers make them; comments in listings are no headings."""
    (tmp_path / "README.md").write_text(
        "# The lab\n## `send`, and how it fails!\n```sh\n# not this\n```\n### Stage 1: a_b\n"
    )
    assert headings(tmp_path / "README.md") == {"the-lab", "send-and-how-it-fails", "stage-1-a_b"}
    assert headings(tmp_path / "missing.md") == set()
    assert slug("[Rules](#x) *now*") == "rules-now"
