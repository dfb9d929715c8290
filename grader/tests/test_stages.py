"""The stages' markers: one finished file gives the starter and every step to the reference."""

from __future__ import annotations

import pytest

from grader.labs.stages import MarkerError, parse, render
from grader.tests.small_project import MESSAGE_C

STARTER = """#include "types.h"

int message_send(int value)
{
    // TASK 1: give the value back.
    (void)value;
    return -1;
}
"""
FIRST = """#include "types.h"

int message_send(int value)
{
    return value;
}
"""
REFERENCE = """#include "types.h"

int message_send(int value)
{
    value += 1;
    return value;
}
"""


def test_each_stage_takes_its_lines() -> None:
    """A stage that is not done leaves the text before it; done ones leave their lines; markers vanish."""
    assert [render(MESSAGE_C, stage) for stage in (0, 1, 2)] == [STARTER, FIRST, REFERENCE]
    assert parse(MESSAGE_C, "message.c").stages() == {1, 2}


def test_nasm_and_make_comments_are_markers_too() -> None:
    """The comment sign is the language's own."""
    nasm = "call:\n    ; STAGE 1 {\n    ;: mov eax, -10\n    mov eax, 1\n    ; STAGE 1 }\n    ret\n"
    assert render(nasm, 0) == "call:\n    mov eax, -10\n    ret\n"
    assert render(nasm, 1) == "call:\n    mov eax, 1\n    ret\n"
    assert render("# STAGE 1 {\n#: A = 1\nA = 2\n# STAGE 1 }\n", 0) == "A = 1\n"
    assert render("/* STAGE 1 { */\nint a;\n/* STAGE 1 } */\n", 0) == ""


def test_a_whole_file_belongs_to_a_stage() -> None:
    """Before its stage it does not exist."""
    text = "// STAGE 2 FILE\nint a;\n"
    assert [render(text, stage) for stage in (0, 1, 2)] == [None, None, "int a;\n"]


def test_a_block_that_vanishes_leaves_no_double_gap() -> None:
    """The starter looks written by hand; empty lines that were there before stay."""
    text = "int a;\n\n// STAGE 1 {\nint b;\n// STAGE 1 }\n\nint c;\n\n\nint d;\n"
    assert render(text, 0) == "int a;\n\nint c;\n\n\nint d;\n"
    assert render(text, 1) == "int a;\n\nint b;\n\nint c;\n\n\nint d;\n"


def test_the_text_before_keeps_its_shape() -> None:
    """Indentation is the comment's own and what follows its first space; a bare mark is an empty line."""
    text = "  // STAGE 1 {\n  //: if (a)\n  //:     b();\n  //:\n  //: c();\n  // STAGE 1 }\n"
    assert render(text, 0) == "  if (a)\n      b();\n\n  c();\n"


def test_a_file_without_markers_is_the_same_at_every_stage() -> None:
    """Ordinary comments, even about stages, are no markers."""
    text = "// The second stage of the boot: see chapter 3.\nint a; // a stage\n"
    assert render(text, 0) == render(text, 4) == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("// STAGE 1 {\nint a;\n", "x.c:1: STAGE 1 { is never closed"),
        ("int a;\n// STAGE 1 }\n", "x.c:2: STAGE 1 } closes nothing"),
        ("// STAGE 1 {\n// STAGE 2 }\n", "x.c:2: STAGE 2 } closes stage 1, opened in line 1"),
        ("// STAGE 2 {\n// STAGE 1 {\n", "x.c:2: STAGE 1 inside of stage 2"),
        ("int a;\n// STAGE 1 FILE\n", "x.c:2: STAGE 1 FILE must stand on the first line"),
        ("// STAGE 1 [\n", "x.c:1: looks like a stage marker"),
        ("// STAGE 1{ and more\n", "x.c:1: looks like a stage marker"),
        ("int a; // STAGE 1 {\n", "x.c:1: looks like a stage marker"),
        ("// STAGE {\n", "x.c:1: looks like a stage marker"),
        ("//: return 1;\n", "x.c:1: text before a stage"),
        ("// STAGE 1 {\n//:return 1;\n// STAGE 1 }\n", "x.c:2: text before a stage needs a space"),
    ],
)
def test_a_wrong_marker_is_an_error(text: str, message: str) -> None:
    """A marker that is not understood would give a part of the solution away; file and line are named."""
    with pytest.raises(MarkerError) as caught:
        parse(text, "x.c")
    assert str(caught.value).startswith(message)
