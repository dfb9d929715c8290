"""What a failed test says: one sentence, in the lab's own words, for a student who has not read the test.

    must(report["send"], E_DEAD, "a send to the endpoint of a dead process returned")

fails with "A send to the endpoint of a dead process returned 0 (success) instead of E_DEAD.". What is no comparison of
two values is written out after a plain assertion: `assert waited >= 33, f"a sleep of 33 ticks took {waited}"`. Either
tells what was done to the kernel and what the machine did, and leaves it to `usually` to guess at the cause. `fault` is
the rule by which `./lab prove` judges every message that an answer of the project brings forth.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from grader.machine.diagnosis import an_exception
from grader.machine.faults import NotAsRequired
from grader.testing.kernel_error import KILLED_STATUS, KernelError, faults_vector

WORDS_MIN = 6
"""Words that a sentence has at least: fewer do not say both what was done and what came of it."""

_PYTHON = (
    (re.compile(r"(?:^|: )assert\b|\bAssertionError\b"), "it is a failed assertion in Python's words"),
    (re.compile(r"<[\w.]+(?: object at |: )|\b[A-Z]\w*\([\w']+="), "it shows a Python object"),
    (re.compile(r"\b[A-Z]\w*(?:Error|Exception)\b"), "it names an exception of Python's"),
    (re.compile(r"\b(?:True|False|None(?! of))\b"), "it shows a constant of Python's"),
    (re.compile(r"[=!<>]=|\w\[['\"]|[\[({]['\"]"), "it is written in Python's syntax"),
    (re.compile(r"(?<![\w,.])\d{8,}\b"), "it shows a machine word in decimal: errors have names"),
)

_QUOTED = re.compile(r"The kernel panicked: .*")
"""What the kernel says itself: an assertion of C's is a student's own."""


class Unexpected(NotAsRequired):
    """A value that is not what it must be. `seen` and `wanted` are in words."""

    def __init__(self, clause: str, seen: str, wanted: str) -> None:
        super().__init__(f"{clause} {seen} instead of {wanted}")
        self.seen = seen
        self.wanted = wanted


@dataclass(frozen=True, eq=False)
class Every:
    """As the wanted value of a word of bits: one for each of `names`, from bit `first` on, all of them set."""

    names: tuple[str, ...]
    first: int = 0

    def __eq__(self, word: object) -> bool:
        return word == (1 << len(self.names)) - 1 << self.first

    def seen(self, word: int) -> str:
        """Which bits are set, in words; or the word, when it has others too (an error)."""
        if word >> self.first >> len(self.names):
            return in_words(word)
        there = [name for bit, name in enumerate(self.names, self.first) if word >> bit & 1]
        clear = [name for name in self.names if name not in there]
        few, what = ("only", there) if len(there) < len(clear) else ("all but", clear)
        return f"{few} {' and '.join(what)}" if there else "none"


def at_least(least: int) -> range:
    """As the wanted value: that or more."""
    return range(least, 1 << 32)


def at_most(most: int) -> range:
    """As the wanted value: that or less."""
    return range(most + 1)


def must(seen: object, wanted: object, clause: str, words: Callable[[int], str] | None = None) -> None:
    """Fail the test unless `seen` equals `wanted`; is one of them when `wanted` is a tuple, or within it when a range.

    `clause` says what was done and ends where the value stands that was seen: "a send to a dead process returned".
    `words` says values that have a meaning of their own. Raises Unexpected.
    """
    choices = wanted if isinstance(wanted, tuple) else (wanted,)
    if any(seen in choice if isinstance(choice, range) else choice == seen for choice in choices):
        return
    if words is not None and isinstance(seen, int):
        raise Unexpected(clause, words(seen), " or ".join(map(words, choices)))
    result = any(isinstance(value, KernelError) for value in (*choices, _error(seen)))
    said = " or ".join(in_words(choice, result=result) for choice in choices)
    found = wanted.seen(seen) if isinstance(wanted, Every) and isinstance(seen, int) else in_words(seen, result=result)
    raise Unexpected(clause, found, said)


def in_words(value: object, *, result: bool = False) -> str:
    """A value as the labs speak of it: an error by its name, an exit status as what ended the process, another large
    word in hexadecimal. `result`: it is what a system call returned, so 0 is its success.
    """
    if isinstance(value, Every):
        return f"all {len(value.names)}"
    if isinstance(value, range):
        first, last = in_words(value.start), in_words(value.stop - 1)
        return f"{first} or more" if value.stop >> 31 else f"{first} to {last}" if value.start else f"{last} or less"
    if isinstance(value, bytes):
        return value[:16].hex(" ") + (" ..." if len(value) > 16 else "") if value else "no bytes"
    if isinstance(value, (list, frozenset, set)):
        return ", ".join(in_words(one) for one in value) or "none"
    if not isinstance(value, int):
        return str(value)
    if (error := _error(value)) is not None:
        return error.name
    word = value & 0xFFFFFFFF
    if word == KILLED_STATUS:
        return "the status of a killed process"
    if (vector := faults_vector(word)) is not None:
        return f"the status of a process that {an_exception(vector)} ended"
    if word == 0:
        return "0 (success)" if result else "0"
    return str(value) if -0x10000 < value < 0x10000 else f"{word:#010x}"


def _error(value: object) -> KernelError | None:
    if isinstance(value, int) and value & 0xFFFFFFFF in KernelError._value2member_map_:
        return KernelError(value & 0xFFFFFFFF)
    return None


def sentence(text: str) -> str:
    """The text with a capital, unless a name of the kernel's begins it, and a full stop."""
    first, blank, rest = text.partition(" ")
    if first.isalpha() and first.islower():
        text = f"{first[0].upper()}{first[1:]}{blank}{rest}"
    return text if text.endswith((".", "!", "?", "...")) else f"{text}."


def fault(message: str) -> str:
    """Why a message is none for a student; empty when it is one."""
    own = _QUOTED.sub("", message)
    for pattern, why in _PYTHON:
        if pattern.search(own):
            return why
    if len(message.split()) < WORDS_MIN:
        return f"it has fewer than {WORDS_MIN} words: what was done, and what did the machine do?"
    return ""
