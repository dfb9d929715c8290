"""Pieces of text by which copied lines are known again, wherever they lie and however they are indented.

A piece is four lines in a row, or one long line, without blanks and without the signs that a patch, a quotation or a
stage's marker puts before a line. Shorter pieces are everybody's: `return 0;` gives nothing away, nor do the three
lines of a system call in inline assembly.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

IN_A_ROW = 4
CHARACTERS_IN_A_ROW = 60
"""Lines in a row count from so many characters on: `}` and `else {` do not."""
CHARACTERS_OF_A_LINE = 60

_SIGNS = re.compile(r"^[\s+>|-]*(?:(?://|#|;):)?")
_BLANKS = re.compile(r"\s+")


def plain_lines(text: str) -> list[str]:
    """The lines that are not empty, without blanks and signs before them."""
    lines = (_BLANKS.sub("", _SIGNS.sub("", line)) for line in text.splitlines())
    return [line for line in lines if line]


def fragments(text: str) -> Iterator[str]:
    """All pieces of a text, as it stands."""
    lines = plain_lines(text)
    for line in lines:
        if len(line) >= CHARACTERS_OF_A_LINE:
            yield line
    for start in range(len(lines) - IN_A_ROW + 1):
        piece = "\n".join(lines[start : start + IN_A_ROW])
        if len(piece) >= CHARACTERS_IN_A_ROW:
            yield piece


def is_distinctive(text: str) -> bool:
    """Whether a whole file says enough to be known again: an empty one, or one of a line, does not."""
    return sum(map(len, plain_lines(text))) >= CHARACTERS_IN_A_ROW
