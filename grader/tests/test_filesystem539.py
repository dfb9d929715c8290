"""The host's side of 539filesystem: what is made reads back, and every kind of damage is named."""

import struct

import pytest

from grader.builds.filesystem539 import (
    BASE_MAGIC,
    FILE_MAGIC,
    FILESYSTEM_SECTORS,
    SECTOR_SIZE,
    CorruptFilesystem,
    FilesystemError,
    encode_metadata,
    make_filesystem,
    read_filesystem,
    walk,
)

FILES = {"empty": b"", "one": b"x", "sector": b"s" * 512, "more": bytes(range(256)) * 5}


def test_what_is_made_reads_back() -> None:
    """Names, contents and order survive, lengths to the byte."""
    assert list(read_filesystem(make_filesystem(FILES)).items()) == list(FILES.items())


def test_an_empty_filesystem_is_sound_and_of_full_size() -> None:
    """No files is a filesystem too."""
    image = make_filesystem({})
    assert len(image) == FILESYSTEM_SECTORS * SECTOR_SIZE
    assert read_filesystem(image) == {}


def test_the_layout_is_the_kernels() -> None:
    """The bytes are those that kernel/filesystem.h describes."""
    image = make_filesystem({"a": b"A" * 513, "b": b"B"}, sectors=8)
    assert struct.unpack_from("<8sII32s", image) == (BASE_MAGIC, 1, 8, bytes(32))
    assert struct.unpack_from("<8sII32s", image, 512) == (FILE_MAGIC, 4, 513, b"a".ljust(32, b"\0"))
    assert image[1024 : 1024 + 513] == b"A" * 513
    assert struct.unpack_from("<8sII32s", image, 4 * 512) == (FILE_MAGIC, 0, 1, b"b".ljust(32, b"\0"))


def test_a_filesystem_can_be_filled_to_its_last_sector() -> None:
    """The exact fit is allowed, one byte more is not."""
    room = (FILESYSTEM_SECTORS - 2) * SECTOR_SIZE
    assert read_filesystem(make_filesystem({"all": b"a" * room}))["all"] == b"a" * room
    with pytest.raises(FilesystemError, match="does not fit"):
        make_filesystem({"all": b"a" * (room + 1)})


@pytest.mark.parametrize("name", ["", "x" * 32, "a\nb", "gr\u00fcn", "nul\0"])
def test_a_name_the_kernel_would_refuse_is_refused(name: str) -> None:
    """1 to 31 printable ASCII characters."""
    with pytest.raises(FilesystemError):
        make_filesystem({name: b""})


def damaged(sector: int, replacement: bytes) -> bytes:
    """A filesystem of two files and 8 sectors with `sector` overwritten."""
    image = bytearray(make_filesystem({"a": b"A", "b": b"B"}, sectors=8))
    image[sector * SECTOR_SIZE : sector * SECTOR_SIZE + len(replacement)] = replacement
    return bytes(image)


@pytest.mark.parametrize(
    ("sector", "replacement", "message"),
    [
        (0, b"not a filesystem"[:8], "magic"),
        (0, encode_metadata(BASE_MAGIC, 1, 9), "claims 9 sectors"),
        (0, encode_metadata(BASE_MAGIC, 8, 8), "next is 8"),
        (0, encode_metadata(BASE_MAGIC, 2, 8), "magic"),
        (1, encode_metadata(FILE_MAGIC, 1, 1, b"a"), "next is 1"),
        (1, encode_metadata(FILE_MAGIC, 2, 1, b"a"), "next is 2"),
        (1, encode_metadata(FILE_MAGIC, 3, 0xFFFFFFFF, b"a"), "past the end"),
        (1, encode_metadata(FILE_MAGIC, 3, 1, b""), "no name"),
        (1, encode_metadata(FILE_MAGIC, 3, 1, b"a" * 32), "no name"),
        (1, encode_metadata(FILE_MAGIC, 3, 1, b"b"), "second file"),
        (3, encode_metadata(FILE_MAGIC, 1, 1, b"b"), "next is 1"),
    ],
)
def test_damage_is_found_and_named(sector: int, replacement: bytes, message: str) -> None:
    """The checker is the judge after a crash: it must not be lenient, and never loop."""
    with pytest.raises(CorruptFilesystem, match=message):
        read_filesystem(damaged(sector, replacement))


def test_a_truncated_image_is_corrupt() -> None:
    """Less than a sector, or less than the base block claims."""
    for data in (b"", make_filesystem(FILES)[:-1]):
        with pytest.raises(CorruptFilesystem):
            list(walk(data))
