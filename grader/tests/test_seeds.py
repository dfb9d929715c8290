"""Values drawn for a run: the same from the same seed, others from another."""

from __future__ import annotations

import pytest

from grader.faults import WrongUse
from grader.testing import seeds


def test_the_same_tree_draws_the_same() -> None:
    """Verdicts repeat; another tree, test or boot gets another value."""
    seed = seeds.choose(None, "0123456789abcdef" * 4)
    assert seed == seeds.choose(None, "0123456789abcdef" * 4) == "0123456789abcdef"
    drawn = {seeds.nonce(seed, test, boot) for test in ("test_a", "test_b") for boot in range(100)}
    assert len(drawn) == 200 and all(0 < value < 1 << 32 for value in drawn)


def test_a_random_seed_is_fresh() -> None:
    """For whoever fears a kernel that knows its values."""
    assert seeds.choose("random", "x") != seeds.choose("random", "x")


@pytest.mark.parametrize("bad", ["", "a b", "x" * 65, "$(id)", "a\n"])
def test_a_seed_can_be_typed_again(bad: str) -> None:
    """It is printed into a command line."""
    with pytest.raises(WrongUse, match="a seed is"):
        seeds.choose(bad, "x")
