"""The HTML report in a real browser (Chromium without a window): offline, light and dark, on a phone, by keyboard, with
and without scripts, and when a guest does its worst.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, Page, sync_playwright

from grader.results import html
from grader.tests.samples import drawn, failed, grading, passed

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
"""Names under which systems know the browser."""

QUIET = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-sandbox",
]
"""It is to do nothing by itself. Its own sandbox does not work for root; the page is ours."""

HOSTILE = (
    "</text></svg></script><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
    "\n\"onmouseover=\"document.title='owned'\" <svg onload=document.title='owned'> ${document.title='owned'} `;//"
)

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]
"""What axe is to look for. In the dark only the colours are others."""

PHONE = {"width": 390, "height": 844}

CONTRAST = """() => {
  const channel = (v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const light = (c) => c.match(/[0-9.]+/g).slice(0, 3).map(Number).map(channel)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ratio = (a, b) => (Math.max(light(a), light(b)) + 0.05) / (Math.min(light(a), light(b)) + 0.05);
  const fill = (selector) => getComputedStyle(document.querySelector(selector)).fill;
  const stroke = (selector) => getComputedStyle(document.querySelector(selector)).stroke;
  const lane = fill(".lane");
  return {
    text: ratio(fill(".event text"), lane), small: ratio(fill(".axis .small"), lane),
    bad: ratio(fill(".event text.bad"), lane), region: ratio(fill(".memory .what"), fill(".user")),
    supervisor: ratio(fill(".memory .what"), fill(".supervisor")),
    ring3: ratio(fill(".run rect.ring3"), lane), ring2: ratio(fill(".stroke2"), fill("pattern .ring2")),
    ring0: ratio(fill(".run rect.ring0"), lane), message: ratio(stroke(".message path"), lane),
  };
}"""
"""Contrast ratios as WCAG 2 defines them, of what the drawings are made of."""

FOCUSED = """() => {
  const at = document.activeElement;
  return at === document.body ? "" : at.getAttribute("aria-label") || at.textContent.trim();
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for all tests here. It talks over a pipe: there is no port."""
    program = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if program is None:
        pytest.skip(f"there is no Chromium here ({', '.join(CHROMIUM)})")
    with sync_playwright() as player:
        started = player.chromium.launch(executable_path=program, args=QUIET)
        yield started
        started.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report with two timelines, and a failure without."""
    made = grading(passed("test_a"), drawn("test_b"), failed("test_c", stage=2), drawn("test_d", stage=2))
    return html.write(made, tmp_path_factory.mktemp("report"))


class Opened:
    """A page that is looked at, with what it asked for and what the browser said of it."""

    def __init__(self, browser: Browser, file: Path, **options: Any) -> None:
        self.context = browser.new_context(**{"viewport": {"width": 1200, "height": 900}, **options})
        self.page: Page = self.context.new_page()
        self.asked: list[str] = []
        self.said: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("dialog", lambda dialog: self.said.append(dialog.message))
        self.page.goto(file.as_uri())

    def __enter__(self) -> Page:
        return self.page

    def __exit__(self, *_: object) -> None:
        self.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_right_on_a_phone_and_for_everybody(browser: Browser, report: Path, scheme: str) -> None:
    """It asks for nothing, complains of nothing, fits a phone, and breaks no rule of accessibility (axe: WCAG 2.1 A and
    AA) with all that folds unfolded.
    """
    opened = Opened(browser, report, viewport=PHONE, color_scheme=scheme)
    with opened as page:
        page.evaluate("document.querySelectorAll('details').forEach((part) => { part.open = true; })")
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        wanted = RULES if scheme == "light" else {"type": "rule", "values": ["color-contrast"]}
        results = Axe().run(page, options={"runOnly": wanted})
        assert not results.violations_count, results.generate_report()
        ratios = page.evaluate(CONTRAST)
        words = {"text", "small", "bad", "region", "supervisor"}
        assert all(ratio >= (4.5 if what in words else 3) for what, ratio in ratios.items()), ratios
    assert opened.asked == [report.as_uri()]
    assert not opened.said


def test_everything_can_be_done_by_keyboard(browser: Browser, report: Path) -> None:
    """Tab comes to each failure's link, each button and each part that scrolls; keys zoom and go through the events."""
    with Opened(browser, report) as page:
        seen: list[str] = []
        for _ in range(80):
            page.keyboard.press("Tab")
            seen.append(page.evaluate(FOCUSED))
            if not seen[-1]:
                break
        named = " | ".join(seen)
        for part in (
            "test_b must hold",
            "test_c must hold",
            "Zoom in",
            "Whole run",
            "Timeline of test_b",
            "Serial line",
        ):
            assert part in named
        assert named.count("Timeline of") == 2
        first = page.locator(".timeline").first
        drawing, told = first.locator("svg.run"), first.locator(".told")
        usual = drawing.bounding_box()
        assert usual is not None
        first.locator(".scroller").focus()
        page.keyboard.press("End")
        assert "page fault" in told.inner_text()
        page.keyboard.press("ArrowLeft")
        assert "timer in" in told.inner_text() and "from ring 2" in told.inner_text()
        assert first.locator(".chosen").count() == 1
        page.keyboard.press("+")
        larger = drawing.bounding_box()
        assert larger is not None and larger["width"] > usual["width"] * 1.4
        for background in drawing.locator("[data-full]").all():
            box = background.bounding_box()
            assert box is not None and box["width"] > usual["width"] * 1.4
        page.keyboard.press("0")
        whole = drawing.bounding_box()
        assert whole is not None and whole["width"] <= first.locator(".scroller").evaluate("(part) => part.clientWidth")
        page.keyboard.press("Home")
        assert "write" in told.inner_text()


def test_buttons_do_what_the_keys_do(browser: Browser, report: Path) -> None:
    """On a phone there is no keyboard: the failure is in sight first, and buttons zoom and go through the events."""
    with Opened(browser, report, viewport=PHONE, has_touch=True) as page:
        first = page.locator(".timeline").first
        scroller, size = first.locator(".scroller"), first.locator(".size")
        assert scroller.evaluate("(part) => part.scrollLeft + part.clientWidth >= part.scrollWidth - 1")
        first.get_by_role("button", name="Zoom out").tap()
        assert size.inner_text() == "67 %"
        first.get_by_role("button", name="Zoom in").tap()
        assert size.inner_text() == "100 %"
        first.get_by_role("button", name="Failure").tap()
        first.get_by_role("button", name="Event before").tap()
        first.get_by_role("button", name="Next event").tap()
        assert "page fault" in first.locator(".told").inner_text()
        first.get_by_role("button", name="Start").tap()
        assert scroller.evaluate("(part) => part.scrollLeft") == 0


def test_without_scripts_all_is_there(browser: Browser, report: Path) -> None:
    """The whole picture, which scrolls, and the tables; only the buttons, which would do nothing, are not."""
    with Opened(browser, report, java_script_enabled=False) as page:
        assert page.locator(".timeline svg.run").count() == 2
        drawing = page.locator("svg.run").first.bounding_box()
        scroller = page.locator(".scroller").first.bounding_box()
        assert drawing is not None and scroller is not None and drawing["width"] > scroller["width"]
        assert not page.locator(".controls").first.is_visible()
        page.locator(".timeline summary").first.click()
        assert page.get_by_role("row", name="system call ipc_call").first.is_visible()


def test_nothing_a_guest_says_acts(browser: Browser, tmp_path: Path) -> None:
    """Markup, attributes and scripts in whatever a guest decides about are words on the page."""
    page_file = html.write(grading(drawn("test_b", said=HOSTILE)), tmp_path)
    opened = Opened(browser, page_file)
    with opened as page:
        for _ in range(3):
            page.locator(".scroller").press("ArrowLeft")
        assert page.title() == "demo: 0 of 10"
        assert page.locator("script").count() == 1 and not page.locator("img").count()
        assert "<script>" in page.locator("svg.heads").first.inner_html().replace("&lt;", "<").replace("&gt;", ">") or (
            "<script>" in page.locator(".serial").first.inner_text()
        )
    assert opened.asked == [page_file.as_uri()] and not opened.said
