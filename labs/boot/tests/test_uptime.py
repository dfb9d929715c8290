"""Stage 3: the system call `uptime` writes only where the program may write."""

import random

from grader.machine import Machine, Report
from grader.testing.boots import Boots
from grader.testing.plugin import graded

HANDOUT = "a-failed-test-to-read-uptime"
E_FAULT = -2
KBASE = 0xC0000000
TICKS_PER_SECOND = 100
UNTOUCHED = 0x5A5A5A5A
USUALLY = "the kernel writes through a program's pointer without asking whether the program may write there"


def ask(boot: Boots, seed: int, *, address: int = 0, kind: str = "") -> tuple[Machine, Report]:
    """Boot the probe, which asks with a bad buffer and then with a good one; the good one must be filled in right."""
    machine = boot(
        "ask_uptime", guest_seconds=5, ticks=random.Random(seed).randint(110, 190), address=address, kind=kind
    )
    report = machine.finish()
    assert report.signed("granted") == 0, "the program's own buffer must be taken"
    assert report["ticks"] < TICKS_PER_SECOND
    assert report["earliest"] <= report["seconds"] * TICKS_PER_SECOND + report["ticks"] <= report["latest"]
    return machine, report


@graded(stage=3, points=10, handout=HANDOUT, usually=USUALLY)
def test_an_unmapped_buffer_is_refused(boot: Boots, seed: int) -> None:
    """A buffer where the program has no memory is answered with E_FAULT, and the kernel goes on."""
    _, report = ask(boot, seed, address=0x1000)
    assert report.signed("refused") == E_FAULT


@graded(stage=3, points=10, handout=HANDOUT, usually=USUALLY)
def test_the_kernels_memory_is_refused(boot: Boots, seed: int) -> None:
    """A buffer in the kernel's memory is answered with E_FAULT, and not a byte of it is changed."""
    low_memory = 0x9000  # mapped for the kernel, and used by nobody
    machine, report = ask(boot, seed, address=KBASE + low_memory)
    assert report.signed("refused") == E_FAULT
    assert machine.read_physical(low_memory, 8) == bytes(8)


@graded(stage=3, points=5, handout=HANDOUT, usually="only the buffer's first byte is checked")
def test_a_buffer_that_ends_outside_is_refused(boot: Boots, seed: int) -> None:
    """A buffer whose last bytes are not the program's is answered with E_FAULT, and its first bytes stay the same."""
    _, report = ask(boot, seed, kind="edge")
    assert report.signed("refused") == E_FAULT
    assert report["edge"] == UNTOUCHED


@graded(
    stage=3,
    points=5,
    handout=HANDOUT,
    usually="the buffer is checked for reading, not for writing",
)
def test_memory_that_cannot_be_written_is_refused(boot: Boots, seed: int) -> None:
    """A buffer that the program can read but not write, its own code, is answered with E_FAULT."""
    _, report = ask(boot, seed, kind="code")
    assert report.signed("refused") == E_FAULT
