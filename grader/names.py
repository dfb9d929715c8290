"""Names that people mistype: the near ones, and the ones that patterns choose."""

from __future__ import annotations

import difflib
import fnmatch
from collections.abc import Iterable, Sequence

from grader.faults import WrongUse


def near(name: str, known: Iterable[str]) -> str:
    """ "; did you mean a or b?" with the names that are nearest, or an empty text."""
    found = difflib.get_close_matches(name, list(known), n=3, cutoff=0.5)
    return f"; did you mean {' or '.join(found)}?" if found else ""


def chosen(patterns: Sequence[str], names: Sequence[str]) -> list[str]:
    """The test names that the patterns of `--only` choose, in the lab's order.

    A pattern is a name, with or without `test_` and parameters, or a glob over names. Raises WrongUse for one that
    chooses nothing.
    """
    taken: set[str] = set()
    for pattern in patterns:
        found = [name for name in names if _fits(pattern, name)]
        if not found:
            raise WrongUse(f"there is no test {pattern!r}{_meant(pattern, names)}")
        taken.update(found)
    return [name for name in names if name in taken]


def _meant(pattern: str, names: Sequence[str]) -> str:
    """What somebody may have meant whose pattern chooses nothing: a beginning, a mistyped name, a word of one."""
    plain = _plain(pattern)
    if any(name.startswith(plain) for name in names):
        return f"; a part of a name needs a star: '{pattern}*'"
    words = sorted({word for name in names for word in name.split("_")})
    like = {word for part in plain.split("_")[1:] for word in difflib.get_close_matches(part, words, n=1, cutoff=0.75)}
    found = [name.removeprefix("test_") for name in names if like & set(name.split("_"))][:3]
    mistyped = near(
        plain.removeprefix("test_"), [name.removeprefix("test_") for name in names]
    )  # "test_" is like itself
    return mistyped or (f"; did you mean {' or '.join(found)}?" if found else "")


def _plain(pattern: str) -> str:
    joined = pattern.replace(" ", "_")
    return joined if joined.startswith("test_") else f"test_{joined}"


def _fits(pattern: str, name: str) -> bool:
    function = name.split("[", 1)[0]
    wanted = {pattern, _plain(pattern)}
    if name in wanted or function in wanted:
        return True
    return any(
        fnmatch.fnmatchcase(name, glob) for glob in {pattern.replace("[", "[[]"), _plain(pattern).replace("[", "[[]")}
    )
