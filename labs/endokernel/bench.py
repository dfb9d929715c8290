"""The endokernel lab's experiment: what it costs to have a system call judged, inside the process or by another one.

The same system calls are made by a program without a monitor, by a mediated one, and by one that asks another process
first (by the given exchange; that process decides by the same table). A call of another domain stands beside a function
call. Counted are guest instructions, so the same kernel gives the same table on any computer.

Sources of the literature's figures: B. Im and others, "The Endokernel: Fast, Secure, and Programmable Subprocess
Virtualization" (2021), and its authors' "Making syscall a Privilege not a Right" (2024), for the claims; K. Yasukata
and others, "zpoline" (USENIX ATC 2023), whose abstract has the factors; kbox's measurements of system calls judged by a
process through seccomp's user notification (kbox, issue 21: getpid 0.3 us, judged 10.9 us); a null system call of
Linux: 154 to 222 cycles.
"""

from __future__ import annotations

from grader.experiments.experiment import Series, Table
from grader.machine.report import Report
from grader.testing.boots import Boots

FILES = {"public": b"a file for the calls to be about"}

PER_SECOND = 1e9
"""Instructions, or cycles, that a processor is taken to do in a second."""

CALLS = 100_000
SHOWN = [calls * 1000 for calls in (10, 25, 50, 100, 150, 200)]
LINUX_CYCLES = (154 + 222) / 2
KBOX_JUDGED = 10.9e-6 * PER_SECOND


def experiment(boot: Boots) -> Table:
    """Boot both probes once; rows are instructions, and the share of all time at 100,000 calls a second."""
    plain = boot("cost_plain", files=FILES, programs={"cost_plain": "cost_plain"}).finish()
    mediated = boot("cost_mediated", files=FILES).finish()
    null, file = instructions(plain, "null_call"), instructions(plain, "file_call")
    function = instructions(mediated, "function")
    rows = [
        ("system call that does nothing", null, null),
        ("the same, judged in ring 2", instructions(mediated, "null_call"), null),
        ("the same, another process asked first", instructions(plain, "asked_call"), null),
        ("call about an open file", file, file),
        ("the same, the file judged in ring 2", instructions(mediated, "file_call"), file),
        ("function call", function, function),
        ("call of another domain", instructions(mediated, "domain_call"), function),
    ]
    return Table(
        title="Judged system calls: guest instructions a call",
        columns=("call", "instructions", "times the plain one", f"of all time, at {CALLS:,} calls a second"),
        rows=[
            (name, round(cost), f"{cost / plain_one:.1f}", f"{share(cost, CALLS):.2f} %")
            for name, cost, plain_one in rows
        ],
        literature=[
            ("nexpoline, the Endokernel's trap", "cheaper than ptrace, with the same guarantees (arXiv 2406.07429)"),
            ("judged by another process, seccomp", "getpid 10.9 us instead of 0.3 us: 36 times (kbox, issue 21)"),
            ("rewritten into a function call", "28 to 761 times cheaper than traps and ptrace (zpoline 2023)"),
            ("Linux, null system call", "154 to 222 cycles"),
        ],
        series=[
            *(Series(name, points(cost)) for name, cost, _ in rows if name != "function call"),
            Series("Linux, null call (cycles)", points(LINUX_CYCLES), literature=True),
            Series("Linux, judged by a process", points(KBOX_JUDGED), literature=True),
        ],
        x_label="thousand calls a second",
        y_label="% of all time",
        logarithmic=True,
        notes=[
            "The share of time takes a processor to do 10^9 instructions a second. Ours are instructions, theirs are "
            "cycles or time: a trap costs dozens of cycles and more on hardware, and the emulator counts it as one.",
            "The function call's figure is mostly that of the measuring. A judged call is two traps instead of one, "
            "and a return from ring 2 to ring 3; the rest is the frame that the kernel copies, and the monitor's "
            "questions. The process that is asked needs two system calls, two changes of address space and the "
            "scheduler, and then the call is still to be made. And it is no protection yet: who does not want to ask, "
            "does not.",
            "A call of another domain is two judged calls and, in each, one of the monitor's own to the kernel, which "
            "changes the view: seven entries of the page directory and CR3. On hardware the TLB is empty afterwards. "
            "Protection keys, which the Endokernel's prototype uses, change the view by one register.",
        ],
    )


def instructions(report: Report, key: str) -> float:
    """Instructions, from what a probe reported in units of its time-stamp counter."""
    assert report[key] > 0, f"the {key} did not do its work"
    return report[key] / report["unit"]


def share(cost: float, calls: int) -> float:
    """Percent of all time that so many calls a second take."""
    return 100 * cost * calls / PER_SECOND


def points(cost: float) -> list[tuple[float, float]]:
    """The line of one way of calling."""
    return [(calls / 1000, share(cost, calls)) for calls in SHOWN]
