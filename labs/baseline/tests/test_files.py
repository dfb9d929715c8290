"""539filesystem: every error by its name, full and reused disks, and the disk's own bytes as the second witness."""

from typing import Any

from file_pattern import pattern, weighted_sum

from grader.builds.filesystem539 import make_filesystem, read_filesystem
from grader.builds.image import filesystem_of
from grader.machine.witness import BOTH
from grader.testing.boots import Boots
from grader.testing.plugin import graded

OK, E_NOT_FOUND, E_EXISTS, E_FULL, E_NAME = 0, -4, -5, -6, -7
"""Of kernel/error.h."""


@graded(
    stage=1,
    points=2,
    handout="filesystem",
    usually="a name is used before its length or its existence was checked",
    witnesses=BOTH,
)
def test_a_wrong_name_is_an_error_and_a_right_one_is_not(boot: Boots) -> None:
    """Missing, duplicate, empty and too long names each have their error, because callers must tell them apart."""
    machine = boot("file_errors")
    report = machine.finish()
    assert report.signed("read_missing") == E_NOT_FOUND
    assert report.signed("delete_missing") == E_NOT_FOUND
    assert report.signed("create_empty") == E_NAME
    assert report.signed("read_empty") == E_NAME
    assert report.signed("create_long") == E_NAME
    assert (report["create_31"], report["read_31"]) == (OK, 1)
    assert (report["create_first"], report.signed("create_second")) == (OK, E_EXISTS)
    assert (report["read_twice"], report["is_the_first"]) == (5, 1)
    assert (report["create_nothing"], report["read_nothing"], report["untouched"]) == (OK, 0, 1)
    assert (report["list_none"], report["list_one"]) == (0, 1)
    files = read_filesystem(filesystem_of(machine.disk()))
    assert files["a-name-of-thirty-one-characters"] == b"x"
    assert files["twice"] == b"first"
    assert files["nothing"] == b""


@graded(
    stage=1,
    points=3,
    handout="filesystem",
    usually="freed sectors are not found again, or a gap's size is measured wrongly",
    witnesses=BOTH,
)
def test_a_full_disk_is_an_error_and_freed_space_is_used_again(boot: Boots) -> None:
    """A full disk refuses, and space that was freed is used again without end, because a leak fills any disk."""
    ballast = {"ballast": b"b" * 1_300_000}
    machine = boot("file_full", filesystem=make_filesystem(ballast), guest_seconds=10)
    report = machine.finish()
    content = pattern(machine.nonce, 40 * 1024)
    lengths = {"fill-a": 9, "fill-b": 10, "fill-c": 11, "fill-d": 0, "fill-e": 0}
    expected = {name: content[: len(content) - shorter] for name, shorter in lengths.items()}
    assert (report["files"], report.signed("error")) == (5, E_FULL)
    assert report["replaced"] == 12
    assert (report["read"], report["whole"]) == (len(content), 1)
    assert read_filesystem(filesystem_of(machine.disk())) == expected | ballast


PIECES = [(0, 65536), (0, 512), (0, 1), (511, 2), (512, 512), (513, 1600), (2900, 500), (3000, 1), (2**32 - 1, 2)]
"""(offset, length) of reads of a file of 3,000 bytes."""


@graded(
    stage=1,
    points=2,
    handout="filesystem",
    usually="the part of a sector before the offset, or behind the end, is handed out",
    witnesses=BOTH,
)
def test_any_part_of_a_file_can_be_read(boot: Boots, seed: int) -> None:
    """A read gives exactly the bytes from its offset on, and no more than there are, wherever sectors begin and end."""
    content = pattern(seed, 3000)
    pieces: dict[str, Any] = {f"at{number}": offset for number, (offset, _) in enumerate(PIECES)}
    pieces |= {f"for{number}": length for number, (_, length) in enumerate(PIECES)}
    report = boot("file_read", files={"given": content}, **pieces).finish()
    expected = [content[offset : offset + length] for offset, length in PIECES]
    assert report.all("result") == [len(piece) for piece in expected]
    assert report.all("sum") == [weighted_sum(piece) for piece in expected]


@graded(
    stage=1,
    points=2,
    handout="filesystem",
    usually="the last, partial sector is lost, or a long transfer is not split",
    witnesses=BOTH,
)
def test_a_file_that_was_written_is_on_the_disk(boot: Boots) -> None:
    """What create_file was given is on the disk to the byte, whatever its length: the disk itself is asked."""
    lengths = [0, 1, 511, 512, 513, 130_561, 200_000]
    parameters: dict[str, Any] = {f"length{number}": length for number, length in enumerate(lengths)}
    machine = boot("file_write", count=len(lengths), **parameters, guest_seconds=10)
    assert machine.finish().all("create") == [OK] * len(lengths)
    files = read_filesystem(filesystem_of(machine.disk()))
    for number, length in enumerate(lengths):
        assert files[f"made{number}"] == pattern(machine.nonce, length)


WRITES_OF_CHURN = 5 + 1 + 3 + 5 + 1 + 1
"""Sectors that the probe file_churn has written: a new file's data, its metadata, and the one that leads to it."""


@graded(
    stage=1,
    points=4,
    handout="filesystem",
    usually="the list leads to a file before that file is whole on the disk",
    witnesses=BOTH,
)
def test_a_machine_stopped_at_any_write_loses_nothing_that_was_there(boot: Boots, seed: int) -> None:
    """Whenever the power fails, the disk holds the files from before an operation or from after it, whole."""
    before = {"first": b"1" * 700, "middle": b"2" * 1500, "last": b"3"}
    machine = boot("file_churn", filesystem=make_filesystem(before), guest_seconds=10)
    content = pattern(machine.nonce, 1200)
    new, small, large = {"new": content}, {"small": content[:1]}, {"large": content}
    first, _, last = ({name: before[name]} for name in before)
    states = [before, before | new, first | last | new, first | last | new | small]
    states += [states[-1] | large, first | last | small | large, first | small | large]
    disks = []
    with machine.breakpoint("send_sector"):
        for _ in range(WRITES_OF_CHURN):
            machine.run()
            disks.append(filesystem_of(machine.disk()))
    assert machine.finish()["wrong"] == 0
    disks.append(filesystem_of(machine.disk()))
    found = [read_filesystem(disk) for disk in disks]
    assert all(files in states for files in found)
    reached = [states.index(files) for files in found]
    assert reached == sorted(reached)
    assert set(reached) == set(range(len(states)))

    after_the_cut = boot("disk_error", filesystem=disks[seed % len(disks)]).finish()
    assert after_the_cut["list"] == len(found[seed % len(disks)])
    assert after_the_cut["create"] == OK
