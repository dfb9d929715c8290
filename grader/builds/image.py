"""Composes the one disk image that boots everywhere, from the pieces that the build made.

The disk has 4,032 sectors of 512 bytes (4 cylinders, 16 heads, 63 sectors a track):

======  =====================================================================================
sector  content
======  =====================================================================================
0       the bootstrap; its bytes 4 to 7 are filled in here: sectors of the kernel, of the archive
1       the kernel, padded to whole sectors; right behind it the boot archive, padded
1024    539filesystem, up to the end of the disk (see filesystem539)
======  =====================================================================================

The boot archive carries what a run needs without touching the disk: programs, and the run's
parameters. It is ``539A``, a u32 count, then for each entry a name of 24 bytes, a u32 offset from the
archive's start and a u32 length; the data follow, each aligned to 16 bytes.
"""

import struct
from collections.abc import Mapping

from grader.builds.filesystem539 import FILESYSTEM_SECTORS, SECTOR_SIZE, make_filesystem, sectors_for

DISK_SECTORS = 4 * 16 * 63
FILESYSTEM_START = DISK_SECTORS - FILESYSTEM_SECTORS
BOOT_SECTORS_MAX = 896
"""Kernel and archive together: what the bootstrap can load between 0x10000 and 0x80000."""

ARCHIVE_MAGIC = b"539A"
ARCHIVE_NAME_MAX = 23
_ARCHIVE_ALIGNMENT = 16
_ARCHIVE_ENTRY = struct.Struct("<24sII")

_ELF_HEADER = struct.Struct("<16sHHIIIIIHHHHHH")
_PROGRAM_HEADER = struct.Struct("<IIIIIIII")
_ELF32_LITTLE_ENDIAN = b"\x7fELF\x01\x01"
_MACHINE_I386 = 3


class ImageError(ValueError):
    """A piece does not fit where it must go, or is not what it should be; the message says which."""


def compose_image(
    bootstrap: bytes, kernel: bytes, archive: Mapping[str, bytes], filesystem: bytes | None = None
) -> bytes:
    """The whole disk, DISK_SECTORS * 512 bytes.

    `filesystem` is the raw region from FILESYSTEM_START (shorter is padded with zeros); None means an
    empty, sound one. Raises ImageError for whatever is too large.
    """
    if len(bootstrap) != SECTOR_SIZE or bootstrap[-2:] != b"\x55\xaa":
        raise ImageError(f"the bootstrap must be one sector that ends in 55 AA, this one has {len(bootstrap)} bytes")
    packed = make_archive(archive)
    kernel_sectors, archive_sectors = sectors_for(len(kernel)), sectors_for(len(packed))
    if kernel_sectors + archive_sectors > BOOT_SECTORS_MAX:
        raise ImageError(
            f"the kernel ({len(kernel)} bytes) and the boot archive ({len(packed)} bytes) take "
            f"{kernel_sectors + archive_sectors} sectors, the bootstrap can load {BOOT_SECTORS_MAX}"
        )
    if filesystem is None:
        filesystem = make_filesystem({})
    if len(filesystem) > FILESYSTEM_SECTORS * SECTOR_SIZE:
        raise ImageError(f"the filesystem has {len(filesystem)} bytes, {FILESYSTEM_SECTORS * SECTOR_SIZE} fit")
    image = bytearray(DISK_SECTORS * SECTOR_SIZE)
    _put(image, 0, bootstrap)
    struct.pack_into("<HH", image, 4, kernel_sectors, archive_sectors)
    _put(image, 1, kernel)
    _put(image, 1 + kernel_sectors, packed)
    _put(image, FILESYSTEM_START, filesystem)
    return bytes(image)


def filesystem_of(disk: bytes) -> bytes:
    """The filesystem's region of a whole disk."""
    return disk[FILESYSTEM_START * SECTOR_SIZE : DISK_SECTORS * SECTOR_SIZE]


def make_archive(entries: Mapping[str, bytes]) -> bytes:
    """The boot archive with `entries`, in their order. Raises ImageError for a name that does not fit."""
    position = len(ARCHIVE_MAGIC) + 4 + len(entries) * _ARCHIVE_ENTRY.size
    table, data = bytearray(), bytearray()
    start = _aligned(position)
    for name, content in entries.items():
        encoded = name.encode()
        if not 0 < len(encoded) <= ARCHIVE_NAME_MAX or b"\0" in encoded:
            raise ImageError(f"a name in the boot archive has 1 to {ARCHIVE_NAME_MAX} bytes, not {name!r}")
        table += _ARCHIVE_ENTRY.pack(encoded, start + len(data), len(content))
        data += content.ljust(_aligned(len(content)), b"\0")
    head = ARCHIVE_MAGIC + struct.pack("<I", len(entries)) + table
    return head.ljust(start, b"\0") + bytes(data)


def stripped(elf: bytes) -> bytes:
    """The program `elf` (ELF32, i386) without sections and debug information: header and segments only.

    The segments keep their place in the file, so that the program headers stay right as they are.
    Raises ImageError for what is no such program.
    """
    if len(elf) < _ELF_HEADER.size or not elf.startswith(_ELF32_LITTLE_ENDIAN):
        raise ImageError("not a little-endian ELF32 file")
    (identity, kind, machine, version, entry, program_offset, _, flags, header_size, program_size, count, *_) = (
        _ELF_HEADER.unpack_from(elf)
    )
    if machine != _MACHINE_I386 or program_size != _PROGRAM_HEADER.size or count == 0:
        raise ImageError(f"not an i386 program: machine {machine}, {count} program headers of {program_size} bytes")
    kept = [(program_offset, count * program_size)]
    for index in range(count):
        offset = program_offset + index * program_size
        if offset + program_size > len(elf):
            raise ImageError("the program headers reach past the end of the file")
        _, segment_offset, _, _, segment_size, *_ = _PROGRAM_HEADER.unpack_from(elf, offset)
        kept.append((segment_offset, segment_size))
    result = bytearray(max(start + size for start, size in kept))
    if len(result) > len(elf):
        raise ImageError("a segment reaches past the end of the file")
    for start, size in kept:
        result[start : start + size] = elf[start : start + size]
    header = _ELF_HEADER.pack(
        identity, kind, machine, version, entry, program_offset, 0, flags, header_size, program_size, count, 0, 0, 0
    )
    result[: len(header)] = header
    return bytes(result)


def _put(image: bytearray, sector: int, content: bytes) -> None:
    image[sector * SECTOR_SIZE : sector * SECTOR_SIZE + len(content)] = content


def _aligned(position: int) -> int:
    return -(-position // _ARCHIVE_ALIGNMENT) * _ARCHIVE_ALIGNMENT
