"""Text that a guest, a compiler or a hand-in wrote, made harmless for whoever reads it.

A kernel can print anything: escape sequences that repaint the terminal, controls that reverse the reading direction,
lines that a CI system takes for commands. Such text is shown as what it is and never acted upon. Every form of a
result takes it through here.
"""

from __future__ import annotations

import re

LINE_LIMIT = 400
"""Characters of one line that are shown; the rest is counted, not shown."""

NAME_LIMIT = 32
"""Characters of a name that are shown."""

_BIDIRECTIONAL = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_INVISIBLE = frozenset("\u00ad\u180e\u200b\u200c\u200d\u2028\u2029\u2060\ufeff")
_CI_COMMAND = re.compile(r"##(?=[a-z]*\[)|::", re.IGNORECASE)


def _visible(character: str) -> str:
    """One character as it may be shown: itself, or a picture or number that stands for it."""
    code = ord(character)
    if character in "\n\t" or 0x20 <= code < 0x7F:
        return character
    if code < 0x20:
        return chr(0x2400 + code)  # Unicode's control pictures, in ASCII's order
    if code == 0x7F:
        return "\u2421"
    if (
        code < 0xA0
        or character in _BIDIRECTIONAL
        or character in _INVISIBLE
        or 0xD800 <= code <= 0xDFFF  # lone surrogates
        or 0xFDD0 <= code <= 0xFDEF
        or code & 0xFFFE == 0xFFFE  # noncharacters, not allowed in XML
        or 0xE0000 <= code <= 0xE0FFF  # tags: invisible text
    ):
        return f"<U+{code:04X}>"
    return character


def plain(text: str | bytes) -> str:
    """The text with every control character replaced by something visible; newlines and tabs stay.

    The result is valid in XML 1.0, keeps its reading direction, and starts no escape sequence (C0, DEL, C1).
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_visible, text))


def name(text: str) -> str:
    """What a hand-in calls something, made plain and cut: names in its files may have any length."""
    return plain(text[:NAME_LIMIT])[:NAME_LIMIT]


def excerpt(text: str | bytes, lines: int = 12) -> str:
    """The last `lines` lines, made plain, each cut to `LINE_LIMIT` characters."""
    kept = text[-lines * LINE_LIMIT * 2 :]  # never walk through megabytes to show a screenful
    every = plain(kept).strip("\n").split("\n")
    return "\n".join(_cut(line) for line in every[-lines:])


def opening(text: str | bytes, lines: int = 40) -> str:
    """The first `lines` lines, made plain, each cut: for compilers, whose first message is the one that matters."""
    every = plain(text[: lines * LINE_LIMIT * 2]).strip("\n").split("\n")
    left = len(every) - lines
    shown = [_cut(line) for line in every[:lines]]
    if left > 0:
        shown.append(f"... and {left} more lines")
    return "\n".join(shown)


def _cut(line: str) -> str:
    if len(line) <= LINE_LIMIT:
        return line
    return f"{line[:LINE_LIMIT]} ... ({len(line) - LINE_LIMIT} more characters)"


def no_commands(text: str) -> str:
    """The text with what CI systems take for commands broken up (`::error::`, `##[error]`, `##vso[...]`).

    They look at every line a job prints, wherever a terminal's wrapping lets it begin, so the mark is broken
    everywhere.
    """
    return _CI_COMMAND.sub(lambda mark: mark[0][0] + " " + mark[0][1], text)
