"""A probe's report: only what two witnesses agree on."""

from __future__ import annotations

import pytest

from grader.machine.faults import NotAsRequired
from grader.machine.report import ENTRY, Report, agreed, reports_in_memory, reports_on_console, unfinished_line

CONSOLE = b"539kernel\nprobe first=0x00000001\r\nprobe other=0x000000ff\nprobe first=0xfffffff6\nnot probe x=0x1\n"


def test_reports_among_other_lines() -> None:
    """Whole lines of the exact form."""
    assert reports_on_console(CONSOLE) == [("first", 1), ("other", 255), ("first", 0xFFFFFFF6)]
    assert reports_on_console(b"xprobe a=0x00000001\nprobe a=0x1\nprobe a=0x00000001 \n") == []


def test_the_log_in_memory() -> None:
    """As struct probe_entry lays it out."""
    data = ENTRY.pack(b"first", 1) + ENTRY.pack(b"fifteen_letters", 2)
    assert reports_in_memory(2, data) == [("first", 1), ("fifteen_letters", 2)]


def test_a_log_that_cannot_be_one() -> None:
    """A count beyond the log fails the test, it does not read on."""
    with pytest.raises(NotAsRequired, match="claims 4096 entries of 128"):
        reports_in_memory(4096, b"")


def test_both_agree() -> None:
    """Other probes may report in between."""
    report = agreed([("first", 1), ("first", 0xFFFFFFF6)], reports_on_console(CONSOLE))
    assert report["first"] == 0xFFFFFFF6
    assert report.all("first") == [1, 0xFFFFFFF6]
    assert report.signed("first") == -10
    assert "other" not in report


@pytest.mark.parametrize("memory", [[("first", 2)], [("other", 255), ("first", 1)], [("missing", 1)]])
def test_they_disagree(memory: list[tuple[str, int]]) -> None:
    """Another value, another order, a report that only one knows."""
    with pytest.raises(NotAsRequired, match="the two witnesses disagree"):
        agreed(memory, reports_on_console(CONSOLE))


@pytest.mark.parametrize("end", ["probe miss", "probe missing=0x0000"])
def test_a_report_that_is_not_finished(end: str) -> None:
    """The console ends in the midst of the report that is missing: the failure says so, and of no other."""
    unfinished = unfinished_line(CONSOLE + end.encode())
    assert unfinished == end
    with pytest.raises(NotAsRequired, match="the beginning of that report, its last line: 'probe miss"):
        agreed([("missing", 1)], [], unfinished)
    with pytest.raises(NotAsRequired, match=r"the console said nothing$"):
        agreed([("first", 2)], [], unfinished)
    assert unfinished_line(CONSOLE) == ""


def test_a_value_that_was_never_reported() -> None:
    """It fails the test, with what was reported."""
    with pytest.raises(NotAsRequired, match="never reported 'third'; it reported first"):
        Report([("first", 1)])["third"]
