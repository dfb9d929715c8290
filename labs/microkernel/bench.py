"""The microkernel lab's experiment: what a service costs when it moves from the kernel into a server.

A service that inverts 1 to 14 words is called in three ways: as a function, as a system call of the monolithic kernel
(the baseline, with bench/service_call.c added to it), and by messages to a server in another address space (the
answer's kernel). Counted are guest instructions, so the same kernel gives the same table on any computer.

Sources of the literature's figures: J. Liedtke, "Improving IPC by Kernel Design" (SOSP 1993): 5 us for L3 on a 486 at
50 MHz, where other systems of the day took about 100 us; J. Liedtke and others, "Achieved IPC Performance" (HotOS 1997)
and "The Performance of mu-Kernel-Based Systems" (SOSP 1997): one way on L4, 45 cycles (Alpha) to 121 (Pentium); seL4's
published benchmarks; A. Baumann and others, "The Multikernel" (SOSP 2009): L4 on a 2x2 AMD machine.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from grader.builds.build import build_tree
from grader.experiments.experiment import Series, Table
from grader.host.sandbox import Sandbox
from grader.labs.course import find
from grader.labs.tree import Answer, compose
from grader.machine.report import Report
from grader.paths import Project
from grader.testing.boots import Boots

SERVICE_CALL = Path(__file__).with_name("bench") / "service_call.c"
SIZES = range(4, 57, 4)
SHOWN = (4, 8, 16, 32, 56)


def experiment(boot: Boots) -> Table:
    """Boot each way of calling once; rows are instructions, by bytes of payload."""
    project = Project.here()
    sandbox = Sandbox.detect()
    lab = find(project, "microkernel")
    bare = compose(project, lab, Answer.parse("none"))
    monolithic = replace(bare, files={**bare.files, "kernel/service_call.c": SERVICE_CALL.read_bytes()})
    build = build_tree(project, monolithic, sandbox)
    with Boots(build, seed="experiment", test="monolithic", sandbox=sandbox) as other:
        function = instructions(other("measure", role="function").finish())
        kernel_report = other("measure", role="kernel").finish()
    kernel = instructions(kernel_report)
    messages = instructions(boot("measure", role="messages").finish())
    null_call = kernel_report["null_call"] / kernel_report["unit"]
    ways = {"function call": function, "system call, monolithic kernel": kernel, "IPC round trip to a server": messages}
    return Table(
        title="A service called in three ways: guest instructions, by bytes of its argument and result",
        columns=("way", *(f"{size} bytes" for size in SHOWN)),
        rows=[
            *((name, *(round(figures[size]) for size in SHOWN)) for name, figures in ways.items()),
            ("IPC, times the system call", *(f"{messages[size] / kernel[size]:.1f}" for size in SHOWN)),
        ],
        literature=[
            ("L4, one way, Alpha to Pentium", "45 to 121 cycles (Liedtke and others 1997)"),
            ("L3 on a 486 at 50 MHz, one way", "5 us, or 250 cycles; others then: about 100 us (Liedtke 1993)"),
            ("seL4, round trip", "about 638 + 629 cycles (seL4's own benchmarks)"),
            ("L4 on a 2x2 AMD, one way", "424 cycles (Baumann and others 2009)"),
        ],
        series=[
            *(Series(name, [(size, figures[size]) for size in SIZES]) for name, figures in ways.items()),
            Series("seL4 (cycles)", [(SIZES[0], 638 + 629), (SIZES[-1], 638 + 629)], literature=True),
            Series("L4, Pentium, twice (cycles)", [(SIZES[0], 242), (SIZES[-1], 242)], literature=True),
        ],
        x_label="bytes of payload",
        y_label="guest instructions",
        logarithmic=True,
        notes=[
            "Ours are instructions, theirs are cycles: an instruction that enters or leaves the kernel takes dozens of "
            "cycles on hardware, a change of address space costs more afterwards, in misses of the TLB, and the "
            f"emulator counts each as one. A system call that does nothing is {null_call:.0f} instructions here.",
            "L4 and seL4 have a path of their own for a short message to a waiting receiver, in registers, written in "
            "assembly; ours goes through the same general C code as every other operation, checks and copies 64 bytes "
            "in memory whatever the payload is, and walks page tables in software to do so. Hence its flat line.",
        ],
    )


def instructions(report: Report) -> dict[int, float]:
    """Instructions for each size in bytes, from what the probe reported in units of its time-stamp counter."""
    assert report["wrong"] == 0, "the service did not do its work"
    return {size: report[str(size)] / report["unit"] for size in SIZES}
