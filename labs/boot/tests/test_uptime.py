"""Stage 3: the system call `uptime` writes only where the program may write."""

import random

from grader.machine import Machine
from grader.testing.boots import Boots
from grader.testing.kernel_error import KernelError
from grader.testing.message import at_least, must
from grader.testing.plugin import graded
from grader.testing.reported import must_report

HANDOUT = "a-failed-test-to-read-uptime"
E_FAULT = KernelError.E_FAULT
KBASE = 0xC0000000
TICKS_PER_SECOND = 100
UNTOUCHED = 0x5A5A5A5A
USUALLY = "the kernel writes through a program's pointer without asking whether the program may write there"


def ask(boot: Boots, seed: int, where: str, *, address: int = 0, kind: str = "") -> Machine:
    """Boot the probe: it asks with a bad buffer, to be refused, and then with a good one, to be filled in right."""
    machine = boot(
        "ask_uptime", guest_seconds=5, ticks=random.Random(seed).randint(110, 190), address=address, kind=kind
    )
    report = must_report(
        machine,
        refused=(E_FAULT, f"the system call uptime, with a buffer {where}, returned"),
        edge=(UNTOUCHED, f"uptime was called with a buffer {where}; then the last word of the program's memory was"),
        granted=(0, "the system call uptime, with a buffer of the program's own, returned"),
        seconds=(at_least(0), "the seconds that uptime gave were"),
        ticks=(range(TICKS_PER_SECOND), "the ticks beside the whole seconds that uptime gave were"),
    )
    given = report["seconds"] * TICKS_PER_SECOND + report["ticks"]
    moment = range(report["earliest"], report["latest"] + 1)
    must(given, moment, "the seconds and ticks that uptime gave were together so many ticks since the start:")
    return machine


@graded(stage=3, points=10, handout=HANDOUT, usually=USUALLY)
def test_an_unmapped_buffer_is_refused(boot: Boots, seed: int) -> None:
    """A buffer where the program has no memory is answered with E_FAULT, and the kernel goes on."""
    ask(boot, seed, "where the program has no memory", address=0x1000)


@graded(stage=3, points=10, handout=HANDOUT, usually=USUALLY)
def test_the_kernels_memory_is_refused(boot: Boots, seed: int) -> None:
    """A buffer in the kernel's memory is answered with E_FAULT, and not a byte of it is changed."""
    low_memory = 0x9000  # mapped for the kernel, and used by nobody
    machine = ask(boot, seed, "in the kernel's memory", address=KBASE + low_memory)
    there = machine.read_physical(low_memory, 8)
    must(there, bytes(8), "after uptime with a buffer in the kernel's memory, that memory's bytes were")


@graded(stage=3, points=5, handout=HANDOUT, usually="only the buffer's first byte is checked")
def test_a_buffer_that_ends_outside_is_refused(boot: Boots, seed: int) -> None:
    """A buffer whose last bytes are not the program's is answered with E_FAULT, and its first bytes stay the same."""
    ask(boot, seed, "that begins 4 bytes before the end of the program's memory", kind="edge")


@graded(
    stage=3,
    points=5,
    handout=HANDOUT,
    usually="the buffer is checked for reading, not for writing",
)
def test_memory_that_cannot_be_written_is_refused(boot: Boots, seed: int) -> None:
    """A buffer that the program can read but not write, its own code, is answered with E_FAULT."""
    ask(boot, seed, "in the program's own code, which can be read only", kind="code")
