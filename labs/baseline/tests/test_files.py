"""539filesystem: every error by its name, full and reused disks, and the disk's own bytes as the second witness."""

import pytest
from file_pattern import pattern, weighted_sum

from grader.filesystem539 import make_filesystem, read_filesystem
from grader.image import filesystem_of
from grader.plugin import graded

OK, E_NOT_FOUND, E_EXISTS, E_FULL, E_NAME = 0, -4, -5, -6, -7
"""Of kernel/error.h."""


def signed(value: int) -> int:
    """A probe's 32-bit value as the int it was."""
    return value - 2**32 if value >= 2**31 else value


@graded(stage=1, points=1, handout="filesystem", usually="a name is used before its length or its existence was checked")
def test_a_wrong_name_is_an_error_and_a_right_one_is_not(boot):
    """Missing, duplicate, empty and too long names each have their error, because a caller must be able to tell them apart."""
    machine = boot("file_errors")
    report = {key: signed(value) for key, value in machine.finish().items()}
    assert report["read_missing"] == E_NOT_FOUND
    assert report["delete_missing"] == E_NOT_FOUND
    assert report["create_empty"] == E_NAME
    assert report["read_empty"] == E_NAME
    assert report["create_long"] == E_NAME
    assert (report["create_31"], report["read_31"]) == (OK, 1)
    assert (report["create_first"], report["create_second"]) == (OK, E_EXISTS)
    assert (report["read_twice"], report["is_the_first"]) == (5, 1)
    assert (report["create_nothing"], report["read_nothing"], report["untouched"]) == (OK, 0, 1)
    assert (report["list_none"], report["list_one"]) == (0, 1)
    files = read_filesystem(filesystem_of(machine.disk()))
    assert files["a-name-of-thirty-one-characters"] == b"x"
    assert files["twice"] == b"first"
    assert files["nothing"] == b""


@graded(stage=1, points=1, handout="filesystem", usually="freed sectors are not found again, or a gap's size is measured wrongly")
def test_a_full_disk_is_an_error_and_freed_space_is_used_again(boot):
    """A disk that is full refuses, and space that was freed is used again without end, because a leak fills any disk."""
    machine = boot("file_full", guest_seconds=20)
    report = machine.finish()
    files = read_filesystem(filesystem_of(machine.disk()))
    content = pattern(machine.nonce, 100 * 1024)
    filled = {name: data for name, data in files.items() if name.startswith("fill-")}
    assert signed(report["error"]) == E_FULL
    assert len(filled) == report["files"] >= 10
    assert report["replaced"] == 20
    assert (report["read"], report["whole"]) == (100 * 1024, 1)
    assert all(content.startswith(data) for data in filled.values())
    assert {len(data) for data in filled.values()} == {100 * 1024, *(100 * 1024 - round for round in (17, 18, 19))}


@pytest.mark.parametrize(
    ("offset", "length"),
    [(0, 65536), (0, 512), (0, 1), (511, 2), (512, 512), (513, 1600), (2900, 500), (3000, 1), (2**32 - 1, 2)],
)
@graded(stage=1, points=1, handout="filesystem", usually="the part of a sector before the offset, or behind the end, is handed out")
def test_any_part_of_a_file_can_be_read(boot, offset, length):
    """A read gives exactly the bytes from its offset on, and no more than there are, wherever sectors begin and end."""
    content = pattern(boot.nonces[-1] if boot.nonces else offset, 3000)
    report = boot("file_read", files={"given": content}, offset=offset, length=length).finish()
    expected = content[offset : offset + length]
    assert (report["result"], report["sum"]) == (len(expected), weighted_sum(expected))


@pytest.mark.parametrize("length", [0, 1, 511, 512, 513, 130_561, 200_000])
@graded(stage=1, points=1, handout="filesystem", usually="the last, partial sector is lost, or a long transfer is not split")
def test_a_file_that_was_written_is_on_the_disk(boot, length):
    """What create_file was given is on the disk to the byte, whatever its length: the disk itself is asked."""
    machine = boot("file_write", length=length, guest_seconds=10)
    assert machine.finish()["create"] == OK
    assert read_filesystem(filesystem_of(machine.disk()))["made"] == pattern(machine.nonce, length)


@graded(stage=1, points=1, handout="filesystem", usually="the list leads to a file before that file is whole on the disk")
def test_a_machine_stopped_at_any_write_loses_nothing_that_was_there(boot):
    """Whenever the power fails, the disk holds the files from before an operation or from after it, and nothing in between."""
    before = {"first": b"1" * 700, "middle": b"2" * 1500, "last": b"3"}
    machine = boot("file_churn", filesystem=make_filesystem(before), guest_seconds=10)
    content = pattern(machine.nonce, 1200)
    new, small, large = {"new": content}, {"small": content[:1]}, {"large": content}
    first, middle, last = ({name: before[name]} for name in before)
    states = [before, before | new, first | last | new, first | last | new | small]
    states += [states[-1] | large, first | last | small | large, first | small | large]
    reached = cuts = 0
    with machine.breakpoint("send_sector"):
        while reached < len(states) - 1:
            machine.run()
            cuts += 1
            files = read_filesystem(filesystem_of(machine.disk()))
            while files != states[reached]:
                reached += 1
                assert reached < len(states), f"after {cuts} writes the disk holds {sorted(files)}, whole or not"
            if reached == len(states) - 2:
                break
    assert machine.finish()["wrong"] == 0
    assert read_filesystem(filesystem_of(machine.disk())) == states[-1]
    assert cuts >= 3 * 3 + 3
