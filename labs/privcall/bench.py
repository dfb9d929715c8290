"""The privcall lab's experiment: what it costs to keep a secret function out of reach of the program that calls it.

The same function is called in the program, in its PrivUser (with a number, and with 64 bytes that are copied in), and
in another process by the given exchange; a system call that does nothing stands beside them. Counted are guest
instructions, so the same kernel gives the same table on any computer.

Sources of the literature's figures: H. Lee, C. Song, B. Kang, "Lord of the x86 Rings" (CCS 2018), for the claims; A.
Vahldiek-Oberwagner and others, "ERIM" (USENIX Security 2019): less than 1 % at 100,000 switches a second; a null
system call of Linux: 154 to 222 cycles.
"""

from __future__ import annotations

from collections.abc import Mapping

from grader.experiments.experiment import Series, Table
from grader.testing.boots import Boots

WAYS = {
    "function call": "function",
    "null system call": "null_call",
    "privcall, a number": "privcall",
    "privcall, 64 bytes in": "privcall_text",
    "another process, asked": "process",
}
PER_SECOND = 1e9
"""Instructions, or cycles, that a processor is taken to do in a second."""

CALLS = 100_000
SHOWN = [calls * 1000 for calls in (10, 25, 50, 100, 150, 200)]
LINUX_CYCLES = (154 + 222) / 2


def experiment(boot: Boots) -> Table:
    """Boot the probe once; rows are instructions, and the share of all time at 100,000 calls a second."""
    report = boot("measure").finish()
    assert report["wrong"] == 0, "the function's results are wrong"
    costs = {way: report[key] / report["unit"] for way, key in WAYS.items()}
    function = costs["function call"]
    return Table(
        title="A secret function called in four places: guest instructions a call",
        columns=("way", "instructions", "times a function call", f"of all time, at {CALLS:,} calls a second"),
        rows=[
            (way, round(cost), f"{cost / function:.1f}", f"{share(cost, CALLS):.2f} %") for way, cost in costs.items()
        ],
        literature=[
            ("LOTRx86", "limited overhead, and no change of address space (Lee and others 2018)"),
            ("ERIM, by protection keys", "less than 1 % at 100,000 switches a second (Vahldiek-Oberwagner 2019)"),
            ("Linux, null system call", "154 to 222 cycles"),
        ],
        series=[
            *lines(costs),
            Series("Linux, null call (cycles)", [(calls / 1000, share(LINUX_CYCLES, calls)) for calls in SHOWN], True),
            Series("ERIM: less than", [(calls / 1000, calls / CALLS) for calls in SHOWN], True),
        ],
        x_label="thousand calls a second",
        y_label="% of all time",
        logarithmic=True,
        notes=[
            "The share of time takes a processor to do 10^9 instructions a second. Ours are instructions, theirs are "
            "cycles: a far call through a gate, a far return, and an interrupt cost dozens of cycles each on hardware, "
            "since they read and check descriptors, and the emulator counts each as one. So privcall looks cheaper "
            "here, beside a function call, than it is on a processor.",
            "What does carry over: privcall stays in its address space and away from the scheduler. The other process "
            "needs two system calls, two switches of CR3, and on hardware the misses of the TLB that follow. ERIM "
            "changes neither ring nor stack, and needs a processor with protection keys.",
            "Most of privcall's instructions are distrust: flags, segments, registers, the pointer's range, the copy.",
        ],
    )


def share(cost: float, calls: int) -> float:
    """Percent of all time that so many calls a second take."""
    return 100 * cost * calls / PER_SECOND


def lines(costs: Mapping[str, float]) -> list[Series]:
    """A line for each way."""
    return [Series(way, [(calls / 1000, share(cost, calls)) for calls in SHOWN]) for way, cost in costs.items()]
