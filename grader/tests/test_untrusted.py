"""Whatever a guest prints, what is shown is harmless."""

from __future__ import annotations

import unicodedata

import pytest

from grader.tests.samples import ATTACK, FORBIDDEN
from grader.untrusted import LINE_LIMIT, excerpt, no_commands, opening, plain


def test_no_control_character_survives() -> None:
    """Over all of Unicode: nothing that acts on a terminal, on reading direction, or that XML forbids is left."""
    every = "".join(map(chr, range(0x110000)))
    shown = plain(every)
    kinds = {unicodedata.category(character) for character in set(shown) - {"\n", "\t"}}
    assert "Cc" not in kinds and "Cs" not in kinds
    directions = {unicodedata.bidirectional(character) for character in set(shown)}
    assert not directions & {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
    assert "\ufffe" not in shown and "\U0001ffff" not in shown


def test_escapes_stay_visible() -> None:
    """A student must see that the kernel printed an escape sequence, so it is pictured, not dropped."""
    assert plain(b"a\x1b[31mb\x00") == "a\u241b[31mb\u2400"
    assert plain("\u202e") == "<U+202E>"


def test_bytes_that_are_no_text_are_shown() -> None:
    """Binary output is no error."""
    assert plain(b"\xff\xfe ok") == "\ufffd\ufffd ok"


def test_ordinary_text_is_unchanged() -> None:
    """Most text needs nothing, in any language."""
    for text in ("shell ready\n539> ", "h\u00e4llo", "\u06a9\u0631\u0646\u0644", "tab\there"):
        assert plain(text) == text


def test_carriage_returns_cannot_overwrite_a_line() -> None:
    """A lone CR would let a kernel paint over what stands before it."""
    assert plain("FAIL\rpass\r\nnext") == "FAIL\npass\nnext"


@pytest.mark.parametrize("command", ["::error::x", "  ::set-env name=a::b", "##[error]x", "##vso[a]b", "x ##VSO[a]"])
def test_commands_of_ci_systems_are_broken(command: str) -> None:
    """A CI system reads every line a job prints."""
    safe = no_commands(command)
    assert "::" not in safe and "##" not in safe


def test_an_excerpt_is_the_end_and_an_opening_the_start() -> None:
    """Serial output is read from its end, a compiler's from its start."""
    text = "\n".join(f"line {number}" for number in range(1000))
    assert excerpt(text, 2) == "line 998\nline 999"
    assert opening(text, 2) == "line 0\nline 1\n... and 998 more lines" or "more lines" in opening(text, 2)


def test_a_flood_is_cut() -> None:
    """One line of megabytes takes no more room than it should."""
    assert len(excerpt("x" * 10_000_000)) < 12 * (LINE_LIMIT + 60)
    assert len(opening(b"\x1b" * 10_000_000)) < 40 * (LINE_LIMIT + 60)


def test_the_attack_is_disarmed() -> None:
    """The sample that the forms of results are tested with is one."""
    shown = no_commands(plain(ATTACK))
    assert not any(character in shown for character in FORBIDDEN)
