"""Stage 1: the monitor, which may name all memory, is no deputy: its own memory is no buffer, and stays mapped."""

from __future__ import annotations

from mediated import (
    E_PERMISSION,
    FORBIDDEN,
    GAVE_UP,
    HARMLESS,
    PRIVUSER_END,
    PRIVUSER_START,
    come_to,
    denied,
    ended,
    place_of,
    refused,
)

from grader.machine import Machine
from grader.testing.boots import Boots
from grader.testing.message import must
from grader.testing.plugin import graded
from grader.testing.reported import must_report

OVER_PRIVUSER = [
    "memory_map, of PrivUser's first page,",
    "memory_map, of the page before PrivUser and its first one,",
    "memory_map, of PrivUser's last page,",
    "memory_map, of PrivUser's last page and the one after it,",
    "memory_map, of a free page in PrivUser,",
    "memory_map, of all PrivUser and a page on each side,",
    "memory_map, from the page before PrivUser around the end of memory,",
    "memory_unmap, of PrivUser's first page,",
    "memory_unmap, of the page before PrivUser and its first one,",
    "memory_unmap, of all PrivUser,",
    "memory_unmap, of a free page in PrivUser,",
]
"""The role `maps` of probes/borders.c, in its order."""


def not_wholly_own() -> list[str]:
    """The role `buffers` of probes/borders.c: what it passes to the kernel, in its order."""
    found = []
    for where in ("a PrivUser variable", "PrivUser's first bytes", "PrivUser's last bytes", "the kernel's code"):
        found += [
            f"{call}, with a buffer at {where}," for call in ("write", "list_processes", "list_files", "parameter")
        ]
        found += [
            f"{call} at {where}," for call in ("spawn, with a name", "spawn, with an argument", "parameter, with a key")
        ]
    for call in ("write", "list_processes", "list_files", "parameter"):
        found.append(f"{call}, with a buffer whose second half is the kernel's,")
    return [
        *found,
        "write, of a buffer whose second half is PrivUser's,",
        "list_processes, into a buffer whose second half is PrivUser's,",
        "write, of a buffer that wraps around the end of memory,",
        "list_processes, into a buffer that wraps around the end of memory,",
        "write, of a buffer that ends in PrivUser,",
        "read, into PrivUser,",
        "answer, with its question in PrivUser,",
        "wait, with its status in PrivUser,",
        "wait, with its status half in PrivUser,",
        "thread_create, with a stack in PrivUser's code,",
        "thread_create, with a stack in PrivUser's variables,",
    ]


def privuser_pages(machine: Machine) -> dict[int, tuple[int, bool, bool]]:
    """Each page of PrivUser: its frame, whether it may be written, whether ring 3 may touch it."""
    pages = machine.mappings(start=PRIVUSER_START, end=PRIVUSER_END)
    return {page.virtual: (page.physical, page.writable, page.user) for page in pages}


@graded(
    stage=1,
    points=2,
    handout="deputy",
    usually="the monitor passes a pointer on in ring 2, where the kernel lets PrivUser be named",
)
def test_the_monitors_memory_is_no_buffer(boot: Boots) -> None:
    """Whatever call is given PrivUser memory for a buffer, wholly, in part or around the end of memory, is refused, and
    nothing of it is printed or written; ordinary buffers right beside it are good.
    """
    machine = boot("borders", role="buffers")
    secret = b"treasure %08x" % (machine.nonce ^ 0xFFFFFFFF)
    come_to(machine, "buffers_begin", "borders", "the first call with a buffer that is not the program's")
    place = place_of(machine, "treasure", "borders")
    machine.write_physical(place, secret)
    report = must_report(machine, taken=refused(not_wholly_own()), **GAVE_UP)
    assert secret not in machine.serial, "calls with buffers in PrivUser were errors, but what lies there was printed"
    kept = machine.read_physical(place, len(secret)) == secret
    assert kept, "calls with buffers in PrivUser were errors, but a variable there was written"
    must(report["wait"], report["pid"], "wait, for a child that was waited for with bad pointers before, returned")
    must(ended(report["status"]), ended(HARMLESS), "a child that was waited for with bad pointers before ended")
    must(report["nonce"], machine.nonce, "parameter, with a buffer on the program's stack, brought as `nonce`")
    must(report["border"], (1, 2), "list_processes, with a buffer for two that ends right before PrivUser, returned")
    must(report["denied"], E_PERMISSION, f"after these calls {FORBIDDEN} returned")


@graded(
    stage=1,
    points=1,
    handout="deputy",
    usually="the monitor passes memory_map and memory_unmap on without a look at the range",
    schedules=True,
)
def test_nothing_is_mapped_over_the_monitor(boot: Boots) -> None:
    """Mapping, unmapping or growing memory over PrivUser, holes included, is refused as a whole; memory next to it is
    the program's.
    """
    machine = boot("borders", role="maps")
    come_to(machine, "maps_begin", "borders", "the first memory_map that touches PrivUser")
    before = privuser_pages(machine)
    must_report(
        machine,
        taken=refused(OVER_PRIVUSER),
        below=(0, "memory_map, of the page before PrivUser, returned"),
        code=(E_PERMISSION, "memory_unmap, of a page of the program's code, where other code could then be, returned"),
        kept=(machine.nonce, "a word that was written to the page before PrivUser reads"),
        above=(0, "memory_map, of the page after PrivUser, returned"),
        denied=denied(f"after these calls {FORBIDDEN}"),
    )
    same = before.items() <= privuser_pages(machine).items()
    assert same, "memory_map and memory_unmap in PrivUser were errors, but pages there are gone, or are others"
