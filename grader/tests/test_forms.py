"""The score board, the HTML page and JUnit XML: what a person or system reads, and that no guest can act through it."""

from __future__ import annotations

import base64
import hashlib
import io
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from rich.console import Console

from grader.results import board, html, junit, result
from grader.testing.verdict import Grading
from grader.tests.samples import ATTACK, FORBIDDEN, drawn, failed, grading, passed, raced
from grader.untrusted import plain

SHOWN = plain(ATTACK)
"""What the explanation hands to the forms: controls are gone, words remain."""


def printed(made: Grading, *, width: int = 100, terminal: bool = False) -> str:
    """The board as a terminal or a pipe gets it."""
    out = io.StringIO()
    console = Console(file=out, width=width, force_terminal=terminal, highlight=False)
    board.show(made, console)
    return out.getvalue()


def test_the_board_reads_without_colour() -> None:
    """Verdicts are words; points stand by test, by stage and in all."""
    text = printed(grading(passed("test_a_message_arrives"), failed("test_b", stage=2)))
    assert re.search(r"pass\s+a message arrives\s+10/10", text)
    assert re.search(r"FAIL\s+b\s+0/10", text)
    assert re.search(r"Stage 2: The second\s+0/10", text)
    assert "Score: 10 of 20" in text and "\x1b" not in text


def test_a_failure_says_all_that_is_known() -> None:
    """Required, seen on serial, seen in the machine, what it usually means, where it is explained, how to open it."""
    text = printed(grading(failed("test_b")))
    for part in (
        "must hold, because",
        "assert 1 == 2",
        "probe a=0x1",
        "CPL 0 at kernel_main",
        "a wrong sign",
        "labs/demo/README.md#rules",
        "./lab debug demo test_b",
    ):
        assert part in text


def test_the_first_failures_are_explained_and_the_others_listed() -> None:
    """A starter fails everything; nobody reads forty explanations."""
    text = printed(grading(*(failed(f"test_{number}") for number in range(10))))
    assert text.count("usually means") == board.EXPLAINED_MAX
    assert "7 more did not pass" in text


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_no_line_of_the_board_is_a_command(width: int) -> None:
    """However lines wrap, none that a guest wrote begins a command or an escape sequence."""
    text = printed(grading(failed("test_b", said=SHOWN)), width=width)
    assert not any(character in text for character in FORBIDDEN)
    assert "::" not in text and not re.search(r"##(\[|vso\[)", text)


def test_markup_of_the_terminal_library_is_text() -> None:
    """A guest that prints rich's own markup gets it shown, not obeyed."""
    text = printed(grading(failed("test_b", said="[bold red]pass[/bold red] [link=file:///x]y[/link]")), terminal=True)
    assert "[bold red]pass[/bold red]" in text and "\x1b]8" not in text


def test_a_build_error_is_shown_first_and_scores_nothing() -> None:
    """With what the compiler said, and no list of tests that could not run."""
    made = grading(passed("test_a"))
    made.message = made.build_output = "kernel/message.c:3: error: expected ';'"
    text = printed(made)
    assert "does not compile" in text and "expected ';'" in text and "Score: 0 of 10" in text


def test_partial_and_ungradable_are_loud() -> None:
    """A score that means nothing says so."""
    made = grading(passed("test_a"))
    made.complete = made.gradable = False
    assert "PARTIAL" in printed(made)
    made.complete = True
    assert "NOT GRADABLE" in printed(made)


class Page(HTMLParser):
    """Collects what a browser would act upon."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.outside: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note tags, ids and everything that would be loaded."""
        self.tags.append(tag)
        if tag not in ("meta", "link", "img", "br"):
            self.open.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in ("src", "href") and not (value or "").startswith("#"):
                self.outside.append(value or "")
            assert not name.startswith("on")

    def handle_endtag(self, tag: str) -> None:
        """Every tag is closed in order."""
        assert self.open.pop() == tag


def test_the_page_holds_no_script_and_loads_nothing() -> None:
    """It must work offline, and nothing that a guest printed may act."""
    text = html.to_html(grading(passed("test_a"), failed("test_b", said=SHOWN)))
    page = Page(text)
    assert "script" not in page.tags and not page.outside and not page.open
    assert not any(character in text for character in FORBIDDEN)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "default-src 'none'" in text


def test_a_page_with_pictures_runs_one_script_that_it_names() -> None:
    """The timelines' own, by its hash; everything else stays forbidden."""
    text = html.to_html(grading(drawn("test_b", said=SHOWN)))
    page = Page(text)
    assert page.tags.count("script") == 1 and not page.outside and not page.open
    script = text.partition("<script>")[2].partition("</script>")[0]
    wanted = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = text.partition('http-equiv="Content-Security-Policy" content="')[2].partition('"')[0]
    assert policy == f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'sha256-{wanted}'"
    assert not any(character in text for character in FORBIDDEN)


def test_who_has_no_timeline_is_told_how_to_get_one() -> None:
    """Beside timelines of others, a failure without names the command that draws it alone."""
    text = html.to_html(grading(drawn("test_b"), failed("test_c[1]")))
    assert "./lab grade demo --only test_c --answer starter --html DIR" in text
    assert "--html DIR" not in html.to_html(grading(failed("test_c")))


def test_the_page_serves_keyboards_and_screen_readers() -> None:
    """A language, one main part, headed tables, unique ids, and scrolling parts that take the focus."""
    text = html.to_html(grading(passed("test_a"), failed("test_b", stage=2)))
    page = Page(text)
    assert page.tags.count("main") == 1 and page.tags.count("h1") == 1 and "caption" in page.tags
    assert len(page.ids) == len(set(page.ids))
    assert '<html lang="en">' in text and 'name="viewport"' in text and "prefers-color-scheme: dark" in text
    assert text.count("<pre") == text.count('<pre tabindex="0"')


def test_what_students_see_of_a_hidden_test_is_what_it_is_worth() -> None:
    """Neither its name nor what it demands or saw, in no form; result.json keeps all, and says which these are."""
    kept = failed("test_kept_from_students", 2, 7)
    kept = replace(kept, requirement=replace(kept.requirement, hidden=True))
    made = grading(passed("test_shown"), kept)
    made.only = ["test_kept*", "test_shown"]
    shown = made.for_students()
    assert (shown.score, shown.max_score, shown.of_stage(2)[0].requirement.points) == (10, 17, 7)
    for text in (html.to_html(shown), junit.to_junit(shown), printed(shown)):
        assert "test_kept" not in text and "kept from students" not in text
        assert not any(secret in text for secret in ("assert 1 == 2", "test_demo.py", "0x539", "./lab debug"))
        assert "hidden" in text
    assert "test_kept_from_students" in html.to_html(made)
    facts = result.to_json(made)
    assert [test["hidden"] for test in facts["tests"]] == [False, True]
    assert result.from_json(facts).for_students().tests[1].requirement.name == "hidden_test_1"


def test_a_narrow_terminal_loses_no_text() -> None:
    """The titles give way: each letter of an explanation is there, at any width."""
    for width in (24, 40):
        said = "".join(printed(grading(failed("test_x", said="A" * 90)), width=width).split())
        assert said.replace("\u2502", "").count("A") >= 3 * 90


def test_junit_is_valid_and_has_the_points() -> None:
    """Any XML reader takes it, whatever a guest printed."""
    made = grading(passed("test_a"), failed("test_b", said=ATTACK))
    text = junit.to_junit(made)
    root = ElementTree.fromstring(text)
    suite = root.find("testsuite")
    assert suite is not None and suite.get("tests") == "2" and suite.get("failures") == "1"
    case = suite.findall("testcase")[1]
    points = {item.get("name"): item.get("value") for item in case.iter("property")}
    assert points == {"points": "0", "max_points": "10", "witnesses": "qemu"}
    assert "::" not in text and not any(character in text for character in FORBIDDEN)
    assert case.find("failure") is not None


def test_every_form_says_under_how_many_schedules_a_test_ran_and_which_it_failed() -> None:
    """And the command that replays that one; without schedules nothing is said of them."""
    made = grading(passed("test_a"), raced("test_b"))
    made.schedules = 50
    text = printed(made, width=200)
    assert re.search(r"FAIL\s+b\s+under 3 schedules\s+0/10", text)
    assert "under schedule 7f3a (timer every 4,190 instructions from the 4,255th on): assert" in text
    assert "./lab debug demo test_b --schedule 7f3a" in text
    assert "schedules 50 for each marked test that passes: 1 test ran under them, 1 failed" in text
    page = html.to_html(made)
    assert "<code>7f3a</code>, the first of 3 that it did not pass" in page and "under 3 schedules" in page
    assert "50 for each marked test" in page
    case = ElementTree.fromstring(junit.to_junit(made)).findall("testsuite/testcase")[1]
    values = {item.get("name"): item.get("value") for item in case.iter("property")}
    assert (values["schedules"], values["schedule"]) == ("3", "7f3a")
    assert "schedule" not in printed(grading(passed("test_a"))) + html.to_html(grading(passed("test_a")))
