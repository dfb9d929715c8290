"""What a failed test says: sentences made of a clause and two values, and the rule that tells them from Python."""

from __future__ import annotations

import pytest

from grader.testing.kernel_error import KILLED_STATUS, KernelError, fault_status
from grader.testing.message import Every, Unexpected, at_least, at_most, fault, in_words, must, sentence

E_DEAD, E_INVALID = KernelError.E_DEAD, KernelError.E_INVALID


@pytest.mark.parametrize(
    ("seen", "wanted", "said"),
    [
        (0, E_DEAD, "0 (success) instead of E_DEAD"),
        (0xFFFFFFF2, E_DEAD, "E_BLOCKED instead of E_DEAD"),
        (-2, 0, "E_FAULT instead of 0 (success)"),
        (0, (E_INVALID, E_DEAD), "0 (success) instead of E_INVALID or E_DEAD"),
        (3, 14, "3 instead of 14"),
        (0, 14, "0 instead of 14"),
        (-365192875, 358, "0xea3b9955 instead of 358"),
        (42, fault_status(14), "42 instead of the status of a process that a page fault (vector 14) ended"),
        (KILLED_STATUS, 7, "the status of a killed process instead of 7"),
        (b"\x01\x02", b"", "01 02 instead of no bytes"),
        (["poem"], ["poem", "new"], "poem instead of poem, new"),
    ],
)
def test_values_are_said_in_the_labs_words(seen: object, wanted: object, said: str) -> None:
    """Errors and exit statuses by name, other large words in hexadecimal; and such a message is one for a student."""
    with pytest.raises(Unexpected) as failure:
        must(seen, wanted, "what was done to the kernel returned")
    assert str(failure.value) == f"what was done to the kernel returned {said}"
    assert said == f"{failure.value.seen} instead of {failure.value.wanted}"
    assert fault(sentence(str(failure.value))) == ""


@pytest.mark.parametrize(("seen", "wanted"), [(0, 0), (E_DEAD, (E_INVALID, E_DEAD)), (0xFFFFFFF1, E_DEAD), ([1], [1])])
def test_what_is_as_it_must_be_says_nothing(seen: object, wanted: object) -> None:
    """Equal, or one of several that are right."""
    must(seen, wanted, "it returned")


@pytest.mark.parametrize(
    ("message", "why"),
    [
        ("assert 0 == <KernelError.E_DEAD: 4294967281>", "a failed assertion"),
        ("on Bochs: assert False", "a failed assertion"),
        ("at step 3 (copy at ipc.c:7): assert 3 == 4", "a failed assertion"),
        ("The send ended, and then there was KeyError: 'send'", "names an exception"),
        ("The answer to the send was <KernelError.E_DEAD: 1> at last", "a Python object"),
        ("What was reported by the probe is Report(send=0x0)", "a Python object"),
        ("Whether the port is allowed must be False but is True", "a constant"),
        ("The send of a message must hold report['send'] then", "syntax"),
        ("The files on the disk are {'poem', 'new'} after that", "syntax"),
        ("The send to a dead process returned 4294967281 instead", "machine word"),
        ("The send failed.", "fewer than"),
        ("", "fewer than"),
    ],
)
def test_messages_that_are_pythons_are_found(message: str, why: str) -> None:
    """A student need not know Python, nor read the test."""
    assert why in fault(message)


@pytest.mark.parametrize(
    "message",
    [
        "A send to the endpoint of a dead process returned 0 (success) instead of E_DEAD.",
        "The return of both never came within 2 s of guest time (12,345,678 instructions): the machine is idle.",
        "process_create ran in ring 0, at 0xc0101234, not in ring 3.",
        "None of the three processes was ever woken by it.",
        "The kernel panicked: ipc.c:102: this must hold: error == OK. A call to a killed process returned nothing.",
        "on Bochs: The process server's pages are not there: 0x00401000 -> nothing.",
    ],
)
def test_sentences_are_let_through(message: str) -> None:
    """Names, rings, addresses and numbers as people write them."""
    assert fault(message) == ""


@pytest.mark.parametrize(
    ("word", "seen"),
    [
        (0b0000, "none"),
        (0b0010, "only a"),
        (0b0110, "all but c"),
        (0b0111, "all but c"),
        (0xFFFFFFF1, "E_DEAD"),
    ],
)
def test_a_word_of_bits_is_said_by_their_names(word: int, seen: str) -> None:
    """The shorter of those that are set and those that are not."""
    with pytest.raises(Unexpected) as failure:
        must(word, Every(("a", "b", "c"), first=1), "of three, refused were")
    assert (failure.value.seen, failure.value.wanted) == (seen, "all 3")
    must(0b1110, Every(("a", "b", "c"), first=1), "of three, refused were")


def test_ranges_are_wanted_in_words() -> None:
    """What is in them is right."""
    for seen, wanted, said in (
        (3, at_least(8), "3 instead of 8 or more"),
        (9, at_most(8), "9 instead of 8 or less"),
        (1, range(32, 65), "1 instead of 32 to 64"),
        (0xFFFFFFF1, range(64, 1 << 31), "E_DEAD instead of 64 or more"),
    ):
        with pytest.raises(Unexpected, match=said):
            must(seen, wanted, "processes that were started numbered")
    must(8, at_least(8), "it was")
    must(8, at_most(8), "it was")


def test_a_sentence_begins_and_ends_as_one() -> None:
    """Names of the kernel's stay as they are."""
    assert sentence("the send returned 0") == "The send returned 0."
    assert sentence("process_create ran in ring 0.") == "process_create ran in ring 0."
    assert sentence("E_DEAD was not returned") == "E_DEAD was not returned."
    assert in_words(0x401000) == "0x00401000"
