"""Stage 2: the journal keeps its newest eight entries, however many there have been."""

import random

from grader.machine import Machine
from grader.testing.boots import Boots
from grader.testing.kernel_error import KernelError
from grader.testing.message import at_least
from grader.testing.plugin import graded
from grader.testing.reported import must_report

HANDOUT = "a-hunt-who-overwrites-the-journal"
CAPACITY = 8
E_NOT_FOUND = KernelError.E_NOT_FOUND


def value(machine: Machine, number: int) -> int:
    """What the probe wrote down as entry `number`."""
    return (machine.nonce + number * number) % 2**32


def numbers(filled: str) -> tuple[object, str, dict[None, str]]:
    """The report of how many entries did not get the next number."""
    other = f"{filled}, and those that got another number than the next one were"
    return 0, other, {None: f"{filled}, and the calls that add them did not all come back"}


def found(word: int) -> str:
    """What reading an entry gave: the probe reports 0 for an error."""
    return f"the value {word:#010x}" if word else "an error, or the value 0"


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
    filled = f"{count} entries were added to the journal"
    newest = {
        f"value{age}": (
            value(machine, count - 1 - age),
            f"{filled}; reading entry {count - 1 - age}, one of the newest eight, gave",
            found,
        )
        for age in range(CAPACITY)
    }
    must_report(machine, misnumbered=numbers(filled), **newest)


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
    filled = f"{count} entries were added to the journal"
    oldest = f"{filled}; reading entry {count - CAPACITY}, the oldest that must still be there, gave"
    must_report(
        machine,
        misnumbered=(at_least(0), *numbers(filled)[1:]),
        value7=(value(machine, count - CAPACITY), oldest, found),
        forgotten=(E_NOT_FOUND, f"{filled}; reading entry {count - 1 - CAPACITY}, which must be forgotten, returned"),
        first=(E_NOT_FOUND, f"{filled}; reading entry 0, which must be forgotten, returned"),
        unwritten=(E_NOT_FOUND, f"{filled}; reading entry {count}, which nobody wrote, returned"),
    )


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
    filled = f"{count} entries were added to the journal"
    newest = f"{filled}; reading entry {count - 1}, the newest, gave"
    must_report(machine, misnumbered=numbers(filled), value0=(value(machine, count - 1), newest, found))
