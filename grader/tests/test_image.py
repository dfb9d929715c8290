"""The disk image: everything lies where the bootstrap, the kernel and the tests look for it."""

import struct

import pytest

from grader.builds.filesystem539 import FILESYSTEM_SECTORS, make_filesystem, read_filesystem
from grader.builds.image import (
    BOOT_SECTORS_MAX,
    DISK_SECTORS,
    FILESYSTEM_START,
    ImageError,
    compose_image,
    filesystem_of,
    make_archive,
    stripped,
)

BOOTSTRAP = bytes(510) + b"\x55\xaa"


def test_the_pieces_lie_where_the_bootstrap_looks() -> None:
    """Sector counts in bytes 4 to 7, the archive right after the kernel's last sector."""
    image = compose_image(BOOTSTRAP, b"K" * 513, {"shell": b"S"}, make_filesystem({"f": b"F"}))
    assert len(image) == DISK_SECTORS * 512 == 4032 * 512
    assert struct.unpack_from("<HH", image, 4) == (2, 1)
    assert image[512:1025] == b"K" * 513
    assert image[3 * 512 : 3 * 512 + 4] == b"539A"
    assert image[1024 * 512 : 1024 * 512 + 7] == b"539base"
    assert read_filesystem(filesystem_of(image)) == {"f": b"F"}


def test_without_a_filesystem_the_disk_has_an_empty_one() -> None:
    """A probe's image must not make the kernel complain about its disk."""
    assert read_filesystem(filesystem_of(compose_image(BOOTSTRAP, b"", {}))) == {}


def test_the_archive_is_aligned_and_complete() -> None:
    """Name, offset, length of each entry; data aligned to 16 bytes."""
    packed = make_archive({"a": b"1", "parameters": b"init=a\n"})
    assert packed[:8] == b"539A" + struct.pack("<I", 2)
    for index, (name, content) in enumerate([(b"a", b"1"), (b"parameters", b"init=a\n")]):
        entry, offset, length = struct.unpack_from("<24sII", packed, 8 + 32 * index)
        assert entry.rstrip(b"\0") == name
        assert offset % 16 == 0
        assert packed[offset : offset + length] == content


@pytest.mark.parametrize("name", ["", "n" * 24, "a\0b"])
def test_an_archive_name_that_does_not_fit_is_refused(name: str) -> None:
    """23 bytes and a NUL."""
    with pytest.raises(ImageError, match="boot archive"):
        make_archive({name: b""})


def test_what_is_too_large_is_refused() -> None:
    """Never a kernel cut silently, as the book's was at 15 sectors."""
    fits = (BOOT_SECTORS_MAX - 1) * 512
    compose_image(BOOTSTRAP, b"K" * fits, {})
    with pytest.raises(ImageError, match="896"):
        compose_image(BOOTSTRAP, b"K" * (fits + 1), {})
    with pytest.raises(ImageError, match="filesystem"):
        compose_image(BOOTSTRAP, b"", {}, bytes(FILESYSTEM_SECTORS * 512 + 1))
    with pytest.raises(ImageError, match="bootstrap"):
        compose_image(bytes(512), b"", {})
    assert FILESYSTEM_START == 1024


def program(segments: list[bytes], debug: bytes) -> bytes:
    """An ELF32 program of `segments`, with `debug` behind the last of them."""
    count = len(segments)
    header = struct.pack(
        "<16sHHIIIIIHHHHHH",
        *(b"\x7fELF\x01\x01\x01", 2, 3, 1, 0x400000, 52, 9999, 0, 52, 32, count, 40, 7, 6),
    )
    position = 52 + 32 * count
    headers = b""
    for content in segments:
        headers += struct.pack("<IIIIIIII", 1, position, 0x400000, 0x400000, len(content), len(content) + 8, 5, 4)
        position += len(content)
    return header + headers + b"".join(segments) + debug


def test_a_stripped_program_keeps_its_segments_and_loses_the_rest() -> None:
    """What the loader reads is unchanged; section headers and debug information are gone."""
    elf = program([b"text", b"data!"], b"debug" * 100)
    small = stripped(elf)
    assert len(small) == len(elf) - 500
    assert small[52:] == elf[52 : len(small)]
    assert struct.unpack_from("<IIIIIHHHHHH", small, 20)[3] == 0
    assert struct.unpack_from("<HHH", small, 46) == (0, 0, 0)
    assert stripped(small) == small


@pytest.mark.parametrize("elf", [b"", b"#!/bin/sh\n" * 10, program([], b"")], ids=["empty", "script", "no segments"])
def test_what_is_no_program_is_refused(elf: bytes) -> None:
    """By name, not by a struct.error."""
    with pytest.raises(ImageError):
        stripped(elf)


def test_a_segment_past_the_end_is_refused() -> None:
    """A truncated file must not become a program full of zeros."""
    with pytest.raises(ImageError, match="past the end"):
        stripped(program([b"text" * 10], b"")[:-1])
