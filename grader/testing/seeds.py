"""The values drawn for a run, so that no kernel can know beforehand what it must say.

All of them come from one seed, which the report prints and `--seed` gives again. Unless another is asked for, the
seed is drawn from the composed tree, so that the same files get the same values and therefore the same verdicts, and
any change to the files gets new ones.
"""

from __future__ import annotations

import hashlib
import secrets
import string

from grader.faults import WrongUse

SEED_LENGTH_MAX = 64
_ALLOWED = frozenset(string.ascii_letters + string.digits + "-_.")


def choose(asked: str | None, tree_hash: str) -> str:
    """The seed of a grading: the one asked for, a fresh one for `random`, else one drawn from the tree's hash.

    Raises WrongUse for a seed that could not be typed again.
    """
    if asked == "random":
        return secrets.token_hex(8)
    if asked is None:
        return tree_hash[:16] or "0"
    if not asked or len(asked) > SEED_LENGTH_MAX or not _ALLOWED.issuperset(asked):
        raise WrongUse(f"a seed is 1 to {SEED_LENGTH_MAX} letters, digits, or any of - _ . (or the word random)")
    return asked


def number(seed: str, *of: str | int, bits: int = 64) -> int:
    """A number drawn from the seed for one purpose, named by `of`; never zero, below 2**bits."""
    text = "\0".join([seed, *map(str, of)])
    drawn = int.from_bytes(hashlib.sha256(text.encode()).digest(), "little")
    return drawn % ((1 << bits) - 1) + 1


def nonce(seed: str, test: str, boot: int) -> int:
    """The 32-bit value that a machine is given: another for each test and each of its boots."""
    return number(seed, "nonce", test, boot, bits=32)
