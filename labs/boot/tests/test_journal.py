"""Stage 2: the journal keeps its newest eight entries, however many there have been."""

import random

from grader.machine import Machine
from grader.testing.boots import Boots
from grader.testing.plugin import graded

HANDOUT = "a-hunt-who-overwrites-the-journal"
CAPACITY = 8
E_NOT_FOUND = -4


def value(machine: Machine, number: int) -> int:
    """What the probe wrote down as entry `number`."""
    return (machine.nonce + number * number) % 2**32


@graded(
    stage=2,
    points=15,
    handout=HANDOUT,
    usually="something overwrites the journal's own fields",
)
def test_the_newest_entries_are_kept(boot: Boots, seed: int) -> None:
    """Of more entries than the journal has places for, the newest eight are read back as they were written."""
    count = random.Random(seed).randint(3 * CAPACITY, 7 * CAPACITY)
    machine = boot("fill_journal", count=count)
    report = machine.finish()
    assert report["misnumbered"] == 0
    kept = [report[f"value{age}"] for age in range(CAPACITY)]
    assert kept == [value(machine, count - 1 - age) for age in range(CAPACITY)]


@graded(
    stage=2,
    points=15,
    handout=HANDOUT,
    usually="an entry that is gone is not told from one that is there",
)
def test_older_entries_are_forgotten(boot: Boots, seed: int) -> None:
    """An entry that has been forgotten, or was never written, is not found: old values are not shown as new ones."""
    count = random.Random(seed).randint(3 * CAPACITY, 7 * CAPACITY)
    machine = boot("fill_journal", count=count)
    report = machine.finish()
    assert report["value7"] == value(machine, count - CAPACITY), "the oldest entry that must still be there"
    assert report.signed("forgotten") == E_NOT_FOUND
    assert report.signed("first") == E_NOT_FOUND
    assert report.signed("unwritten") == E_NOT_FOUND


@graded(
    stage=2,
    points=10,
    handout=HANDOUT,
    usually="the cause was moved further away, not removed",
)
def test_the_journal_goes_on_for_ever(boot: Boots, seed: int) -> None:
    """After thousands of entries the numbers still count on and the newest entry is right: no fixed limit is left."""
    count = random.Random(seed).randint(3000, 4000)
    machine = boot("fill_journal", count=count)
    report = machine.finish()
    assert report["misnumbered"] == 0
    assert report["value0"] == value(machine, count - 1)
