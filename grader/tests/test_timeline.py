"""A run as data: who ran when, which calls came back, results in words, and how it is kept in result.json."""

from __future__ import annotations

import itertools
import json
import re
import struct
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from grader.machine.address_space import (
    KERNEL_HALF,
    NAMES_MAX,
    PAGES_MAX,
    REGIONS_MAX,
    AddressSpace,
    Cut,
    Mark,
    Region,
    merged,
    seen_in,
    shown,
)
from grader.machine.calls import CallBook, Post
from grader.machine.faults import NotAsRequired
from grader.machine.inspection import Inspection
from grader.machine.message_calls import MessageCalls
from grader.machine.paging import Mapping
from grader.machine.symbols import SymbolTable
from grader.machine.timeline import (
    Event,
    Kind,
    Message,
    Process,
    Timeline,
    calls,
    result_in_words,
    spans,
    vector_name,
)
from grader.results import html, memory_picture, result, timeline_picture, timeline_words
from grader.testing.pictures import FAILURES_OF_A_STAGE, Pictures, chosen
from grader.testing.verdict import Graded
from grader.tests.samples import ATTACK, FORBIDDEN, address_space, drawn, failed, grading, passed, timeline
from grader.untrusted import NAME_LIMIT, plain


def small() -> Timeline:
    """Boot, a process that makes a call in which another one runs, and comes back from it."""
    events = [
        Event(100, Kind.SWITCH, 1, 0),
        Event(110, Kind.RETURN, 1, 3),
        Event(200, Kind.ENTRY, 1, 3, "wait", 0x80),
        Event(220, Kind.SWITCH, 2, 0),
        Event(230, Kind.RETURN, 2, 3),
        Event(300, Kind.ENTRY, 2, 3, "exit", 0x80),
        Event(320, Kind.SWITCH, 1, 0),
        Event(330, Kind.RETURN, 1, 3, "2", begun=2),
    ]
    return Timeline([Process(0, ""), Process(1, "parent"), Process(2, "child")], events, end=400)


def test_who_ran_is_known_for_every_instruction() -> None:
    """Spans follow one another from power-on to the end, and neighbours differ."""
    found = [(span.start, span.end, span.process, span.ring) for span in spans(small())]
    assert found == [
        (0, 100, 0, 0),
        (100, 110, 1, 0),
        (110, 200, 1, 3),
        (200, 220, 1, 0),
        (220, 230, 2, 0),
        (230, 300, 2, 3),
        (300, 320, 2, 0),
        (320, 330, 1, 0),
        (330, 400, 1, 3),
    ]


def test_nobody_ran_where_nobody_looked() -> None:
    """What is left out is a stretch of its own, and the entry after it says who ran before."""
    made = small()
    made.events = [*made.events[:3], Event(390, Kind.ENTRY, 2, 3, "timer", 32)]
    made.gaps = [(210, 350)]
    found = [(span.start, span.end, span.process, span.ring) for span in spans(made)][3:]
    assert found == [(200, 210, 1, 0), (210, 350, None, 0), (350, 390, 2, 3), (390, 400, 2, 0)]


def test_a_call_ends_with_its_return_or_never() -> None:
    """A call whose process others interrupt lasts until its own return."""
    found = [(call.what, call.start, call.end, call.result) for call in calls(small())]
    assert found == [("wait", 200, 330, "2"), ("exit", 300, None, "")]
    made = small()
    assert [call.until for call in calls(made)] == [330, 400]
    made.gaps = [(340, 380)]
    assert [call.until for call in calls(made)] == [330, 340], "who looks away knows nothing"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, ("0", False)),
        (41, ("41", False)),
        (0x80500000, ("0x80500000", False)),
        (0xFFFFFFFE, ("E_FAULT", True)),
        (0xFFFFFF9C, ("-100", True)),
    ],
)
def test_results_are_shown_as_one_reads_them(value: int, shown: tuple[str, bool]) -> None:
    """Errors by name, small numbers in decimal, addresses in hexadecimal."""
    assert result_in_words(value, {-2: "E_FAULT", 0: "OK"}) == shown


def test_vectors_have_names() -> None:
    """Exceptions, devices, the system call, and what has none."""
    assert [vector_name(number) for number in (14, 32, 46, 0x80, 99)] == [
        *("page fault", "timer", "disk", "system call", "vector 99")
    ]


def test_pictures_survive_result_json() -> None:
    """The page can be made again from the file; a file without pictures, as older ones, is read too."""
    made = grading(drawn("test_b"), failed("test_c"))
    data = json.loads(json.dumps(result.to_json(made)))
    again = result.from_json(data)
    assert again.tests[0].outcome.pictures == made.tests[0].outcome.pictures
    assert again.tests[1].outcome.pictures is None
    del data["tests"][1]["pictures"]
    assert result.from_json(data).tests[1].outcome.pictures is None


@pytest.mark.parametrize("change", [{"process": 9}, {"begun": 400}, {"kind": "leap"}, {"ring": 4}])
def test_a_timeline_that_refers_to_nothing_is_refused(change: dict[str, object]) -> None:
    """A file that was written by others must not break the drawing."""
    data = result.to_json(grading(drawn("test_b")))
    data["tests"][0]["pictures"]["timeline"]["events"][3] |= change
    with pytest.raises(ValueError, match=r"timeline|not a kernelist"):
        result.from_json(data)


def test_the_first_failures_of_each_stage_are_drawn() -> None:
    """A starter with forty failures must not take minutes; what had no machine has nothing to draw."""
    tests = [passed("test_a"), *(failed(f"test_{number}") for number in range(9)), failed("test_z", stage=2)]
    names = [test.requirement.name for test in chosen(tests)]
    assert names == [*(f"test_{number}" for number in range(FAILURES_OF_A_STAGE)), "test_z"]


def test_time_goes_from_left_to_right() -> None:
    """However the axis is bent, what is later stands further right, and a label has its room."""
    made = timeline()
    scale = timeline_picture.Scale(made)
    places = [scale(event.at) for event in made.events]
    assert places == sorted(places) and scale(made.end) < scale.width
    assert len(set(places)) == len({event.at for event in made.events})
    assert scale(401_000 + 150) == pytest.approx((scale(401_000) + scale(401_300)) / 2, abs=0.2)


def test_the_drawing_says_what_there_is() -> None:
    """Lanes, rings, calls with their results, messages, the stretch left out, the failure: each once."""
    made = timeline()
    picture = timeline_picture.draw(made, "t")
    root = ElementTree.fromstring(picture.drawing)
    classes = [part.get("class", "") for part in root.iter()]
    assert len(picture.lanes) == 3 and set(picture.lanes[2].rows) == {0, 2, 3}
    assert classes.count("message") == 2 and classes.count("gap") == 1 and classes.count("end") == 2
    assert classes.count("event") == sum(event.kind in (Kind.ENTRY, Kind.FAR_CALL) for event in made.events)
    texts = " ".join(part.text or "" for part in root.iter())
    for part in (
        "write \u2192 29",
        "\u2717 privuser_entry \u2192 E_FAULT",
        "\u2717 page fault",
        "1,587,000 not traced",
    ):
        assert part in texts
    assert "system call write in client (1), from ring 3 at write (library.c:9); ebx=0x1; returns 29 at" in texts


def test_the_table_says_the_same_as_the_drawing() -> None:
    """For who cannot see the drawing: every event and message, in the order of time."""
    rows = timeline_words.table(timeline())
    assert [row.at for row in rows] == sorted(row.at for row in rows)
    assert len(rows) == len(timeline().events) + len(timeline().messages)
    assert any(row.what == "message (type 16) from client (1) to 539kernel\nprobe a=0x1 (2)" for row in rows)


def test_drawings_are_well_formed_whatever_a_guest_prints() -> None:
    """XML that a parser takes, without any element or attribute of the guest's."""
    said = plain(ATTACK)
    for text in (timeline_picture.draw(timeline(said), "t").drawing, memory_picture.draw(address_space(said), "m")):
        root = ElementTree.fromstring(text)
        assert {part.tag for part in root.iter()} <= {
            *("svg", "defs", "pattern", "marker", "rect", "path", "g", "text", "title"),
        }
        assert not any(character in text for character in FORBIDDEN)
        assert not re.search(r"\son\w+=", re.sub(r">[^<]*<", "><", text))


def test_an_empty_run_is_drawn() -> None:
    """A test that fails before the kernel's first event has a timeline too."""
    picture = timeline_picture.draw(Timeline([Process(0, "")], end=0), "t")
    ElementTree.fromstring(picture.drawing)


def page(virtual: int, *, writable: bool = True, user: bool = True) -> Mapping:
    """A mapped page of 4 KB."""
    return Mapping(virtual, virtual, 4096, writable, user, 0)


def test_pages_become_regions() -> None:
    """Neighbours with the same rights and contents are one region; names come from the file, and from the stack."""
    pages = [
        *(page(0x10000000, writable=False), page(0x10001000, writable=False), page(0x10002000)),
        *(page(0x20000000), page(0xBFFFD000), page(0xC0000000, user=False), page(0xC0001000, user=False)),
    ]
    sections = [(0x10000000, 0x10001800, ".text"), (0x10002000, 0x10002010, ".data")]
    found = [(region.start, region.size, region.what, region.rights) for region in merged(pages, sections, 0xBFFFDF00)]
    assert found == [
        (0x10000000, "8 KB", ".text", "user, read-only"),
        (0x10002000, "4 KB", ".data", "user, writable"),
        (0x20000000, "4 KB", "not from its file", "user, writable"),
        (0xBFFFD000, "4 KB", "stack", "user, writable"),
        (0xC0000000, "8 KB", "kernel", "supervisor, writable"),
    ]
    overlapping = [(0x10000000, 0x10001000 + number, f".{number}") for number in range(NAMES_MAX + 3)]
    first, second, *_ = merged(pages, overlapping)
    assert first.what == ", ".join(f".{number}" for number in range(NAMES_MAX))
    assert (second.start, second.what) == (0x10001000, ", ".join(f".{number}" for number in range(1, NAMES_MAX + 1)))


def test_the_map_marks_the_address_of_a_fault_in_its_hole() -> None:
    """The address that a page fault was about has its arrow, also where nothing is mapped; rights are words."""
    text = memory_picture.draw(address_space(), "m")
    words = [part.text for part in ElementTree.fromstring(text).iter() if part.text]
    assert "20000000" in words and "last page fault (CR2)" in words and "supervisor, read-only" in words
    order = [words.index(address) for address in ("c0000000", "a0000000", "20000000", "10000000")]
    assert order == sorted(order)
    assert AddressSpace.from_dict(address_space().to_dict()) == address_space()


def regions(count: int, *, apart: int = 0x1000) -> list[Region]:
    """So many pages, each a region of its own, from 0 up."""
    return [Region(start, start + 0x1000, bool(start & apart), True, "x") for start in range(0, count * apart, apart)]


def test_what_is_left_out_of_the_map_is_no_hole() -> None:
    """Of many regions those are kept that the marks lie in, and what is not shown has a place that says so; a mark
    between two regions is in a hole.
    """
    marks = [Mark(0x1E004, "last page fault (CR2)", fault=True)]
    kept, cuts = shown(regions(60), marks)
    assert len(kept) == REGIONS_MAX + 1 and kept[20].start == 0x1E000
    assert cuts == [Cut(0x14000, 0x1E000, 10), Cut(0x1F000, 0x28000, 9)]
    space = AddressSpace(0x1000, "p (1)", 0, "now", kept, marks, cuts)
    assert AddressSpace.from_dict(json.loads(json.dumps(space.to_dict()))) == space and space.left_out == 19
    words = [part.text for part in ElementTree.fromstring(memory_picture.draw(space, "m")).iter() if part.text]
    order = ["00028000", "9 regions left out", "0001e000", "0001e004", "10 regions left out", "00013000"]
    places = [words.index(word) for word in order]
    assert places == sorted(places)
    page = html.to_html(grading(with_memory(space)))
    assert "There are too many regions to show all." in page and "<td>9 regions left out</td>" in page

    kept, cuts = shown(regions(60, apart=0x2000), [Mark(0x3D004, "last page fault (CR2)", fault=True)])
    assert len(kept) == REGIONS_MAX and [cut.regions for cut in cuts] == [11, 9]
    assert cuts[0].end == 0x3D000 and cuts[1].start == 0x3E000


def with_memory(space: AddressSpace) -> Graded:
    """A failure with that address space."""
    test = failed("test_b")
    return replace(test, outcome=replace(test.outcome, pictures=Pictures(None, space)))


class Mapped(Inspection):
    """A machine whose one page table, entered everywhere, maps pages of alternating rights."""

    def __init__(self) -> None:
        self.read = 0
        self.symbols = SymbolTable.empty()

    def registers(self) -> Any:
        """Paging is on."""
        return SimpleNamespace(paging=True, cr0=1 << 31, cr3=0x1000, cr4=0, cr2=0xB0000000, cpl=3, esp=0x7000)

    def read_physical(self, address: int, length: int) -> bytes:
        """The directory, whose entries are all the same, or the page table."""
        self.read += 1
        return struct.pack("<1024I", *([0x2007] * 1024 if address == 0x1000 else [5, 7] * 512))

    def running_process(self) -> tuple[int, str]:
        """The kernel."""
        return 0, ""

    def table(self, program: str | None = None) -> SymbolTable:
        """It has no programs."""
        raise NotAsRequired("there are none")

    def instructions(self) -> int:
        """So many since power-on."""
        return 5


def test_of_pages_beyond_number_the_first_of_each_half_are_looked_at() -> None:
    """A kernel may map four gigabytes a page at a time; that there is more is said, also of a fault there."""
    machine = Mapped()
    space = seen_in(machine, "now")
    assert space is not None and machine.read <= 2 * (PAGES_MAX // 1024 + 2)
    unseen = [cut for cut in space.cuts if not cut.regions]
    assert unseen == [Cut(PAGES_MAX << 12, KERNEL_HALF), Cut(KERNEL_HALF + (PAGES_MAX << 12), 1 << 32)]
    assert space.left_out + len(space.regions) == 2 * PAGES_MAX
    parts = sorted([*((part.start, part.end) for part in space.regions), *((cut.start, cut.end) for cut in space.cuts)])
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(parts))
    page = html.to_html(grading(with_memory(space)))
    assert "not all were looked at" in page and "<td>not looked at</td>" in page


def test_names_in_a_hand_ins_files_are_harmless_and_short() -> None:
    """Its sections and enumerators may be called anything, at any length."""
    hostile = f"{ATTACK}{'A' * 100_000}"
    machine = Mapped()
    cast(Any, machine).symbols = SimpleNamespace(sections=lambda: [(0, 0x1000, hostile)])
    space = seen_in(machine, "now")
    enumerators = [(1, f"SYSTEM_CALL_{hostile}"), (-2, f"E_{hostile}"), (3, "SYSTEM_CALL_write")]
    table = SimpleNamespace(types=SimpleNamespace(enumerators=lambda: enumerators))
    book = CallBook([cast(SymbolTable, table)])
    assert space is not None and book.name(3) == "write"
    for name in (space.regions[0].what, book.name(1), book.errors[-2]):
        assert 0 < len(name) <= NAME_LIMIT and not any(character in name for character in FORBIDDEN)


def test_a_labs_message_calls_go_to_the_worker() -> None:
    """They cross the line as JSON."""
    calls_of = MessageCalls({"ipc_send": 1}, {"ipc_notify": 1}, {"ipc_receive": 2}, 32)
    assert MessageCalls(**json.loads(json.dumps(calls_of.to_dict()))) == calls_of


class Memory(Inspection):
    """A machine of which only the kernel's list of processes and one message can be read."""

    def __init__(self) -> None:
        self.message = (0, 0)

    def symbol(self, name: str, program: str | None = None) -> int:
        """The list."""
        assert name == "processes"
        return 0x1000

    def read_u32(self, address: int, cr3: int | None = None) -> int:
        """A pointer for each of the first four places: the place itself, but for the first."""
        return (address - 0x1000) // 4 if address < 0x1010 else 0

    def read_struct(self, type_name: str, address: int, program: str | None = None, cr3: int | None = None) -> Any:
        """The process at a place has that pid."""
        return {"pid": address, "name": f"p{address}"}

    def read_virtual(self, address: int, length: int, cr3: int | None = None) -> bytes:
        """The message, wherever it is."""
        return struct.pack("<II", *self.message)


def test_messages_go_from_who_sent_to_who_received() -> None:
    """From the call that sends to the return of the call that receives; what was refused, or went to nobody, is none;
    the kernel's message stands for all signals before it.
    """
    machine = Memory()
    post = Post(machine, MessageCalls({"send": 1}, {"notify": 1}, {"receive": 2}, 64), lambda pid, _name: pid)
    post.call(10, 1, "send", (64 + 2, 0x500))
    post.result(20, 1, "send", (64 + 2, 0x500), failed=True)  # refused
    post.call(30, 1, "send", (64 + 2, 0x500))
    post.call(40, 3, "send", (64 + 9, 0x500))  # to nobody
    post.call(50, 3, "notify", (64 + 2,))
    machine.message = (64 + 1, 7)
    post.result(60, 2, "receive", (0, 0x900), failed=False)
    machine.message = (0, 1)
    post.result(70, 2, "receive", (0, 0x900), failed=False)
    post.result(80, 2, "receive", (0, 0x900), failed=True)
    assert post.messages == [Message(30, 1, 60, 2, "type 7"), Message(50, 3, 70, 2, "signal")]
