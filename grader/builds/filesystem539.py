"""539filesystem from the host's side: makes one, and checks and reads one back.

The layout is the kernel's (kernel/filesystem.h says why it is so). Everything is counted in
sectors of 512 bytes from the filesystem's own start, numbers are little endian:

======  ==========================================================================
offset  a metadata sector
======  ==========================================================================
0       magic, 8 bytes: ``539base\\0`` in sector 0, ``539file\\0`` in a file's
8       next, u32: the sector of the next file's metadata, 0 after the last
12      length, u32: of the file in bytes; in sector 0, of the filesystem in sectors
16      name, 32 bytes, ended by a NUL; empty in sector 0
48      zeros
======  ==========================================================================

A file's data are the sectors right after its metadata. The list is in the order of the sectors, so
what lies between two of its members is free, and a list that does not climb is corrupt.
"""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

SECTOR_SIZE = 512
FILESYSTEM_SECTORS = 3008
"""Size of the filesystem on the course's disk: from sector 1024 to the last, 4031."""

FILE_NAME_MAX = 31
BASE_MAGIC = b"539base\0"
FILE_MAGIC = b"539file\0"
_METADATA = struct.Struct("<8sII32s")


class CorruptFilesystem(Exception):
    """The bytes are no sound 539filesystem; the message names the sector and what is wrong there."""


class FilesystemError(ValueError):
    """The files cannot be put into a 539filesystem: a bad name, or not enough room."""


@dataclass(frozen=True)
class Metadata:
    """One metadata sector, decoded; `sector` is where it was read."""

    sector: int
    magic: bytes
    next: int
    length: int
    name: bytes

    @property
    def end(self) -> int:
        """First sector after the file's data."""
        return self.sector + 1 + sectors_for(self.length)


def sectors_for(length: int) -> int:
    """How many sectors hold `length` bytes."""
    return -(-length // SECTOR_SIZE)


def encode_metadata(magic: bytes, following: int, length: int, name: bytes = b"") -> bytes:
    """One metadata sector, 512 bytes; nothing is checked, so that tests can make hostile ones."""
    return _METADATA.pack(magic, following, length, name).ljust(SECTOR_SIZE, b"\0")


def decode_metadata(data: bytes, sector: int) -> Metadata:
    """The metadata in sector `sector` of a filesystem; nothing is checked but that it is there."""
    raw = data[sector * SECTOR_SIZE : (sector + 1) * SECTOR_SIZE]
    if len(raw) != SECTOR_SIZE:
        raise CorruptFilesystem(f"sector {sector} lies past the end of the {len(data)} bytes given")
    magic, following, length, name = _METADATA.unpack_from(raw)
    return Metadata(sector, magic, following, length, name)


def make_filesystem(files: Mapping[str, bytes], sectors: int = FILESYSTEM_SECTORS) -> bytes:
    """A filesystem of `sectors` sectors that holds `files` one after the other, in their order.

    Raises FilesystemError for a name the kernel would not accept, and when they do not fit.
    """
    image = bytearray(sectors * SECTOR_SIZE)
    position = 1
    image[:SECTOR_SIZE] = encode_metadata(BASE_MAGIC, position if files else 0, sectors)
    for remaining, (name, content) in zip(range(len(files) - 1, -1, -1), files.items(), strict=True):
        end = position + 1 + sectors_for(len(content))
        if end > sectors:
            raise FilesystemError(f"{name!r} does not fit: it ends at sector {end} of {sectors}")
        record = encode_metadata(FILE_MAGIC, end if remaining else 0, len(content), _encoded_name(name)) + content
        image[position * SECTOR_SIZE : position * SECTOR_SIZE + len(record)] = record
        position = end
    return bytes(image)


def read_filesystem(data: bytes) -> dict[str, bytes]:
    """Every file of the filesystem in `data`, in the order of the disk.

    Stricter than the kernel, because it is the judge after a crash: raises CorruptFilesystem for
    anything that make_filesystem and a sound kernel would never leave behind.
    """
    files: dict[str, bytes] = {}
    for metadata in walk(data):
        name = _decoded_name(metadata)
        if name in files:
            raise CorruptFilesystem(f"sector {metadata.sector}: a second file is called {name!r}")
        start = (metadata.sector + 1) * SECTOR_SIZE
        files[name] = data[start : start + metadata.length]
    return files


def walk(data: bytes) -> Iterator[Metadata]:
    """The metadata of each file along the linked list, each checked to lie behind the one before."""
    base = decode_metadata(data, 0)
    if base.magic != BASE_MAGIC:
        raise CorruptFilesystem(f"sector 0: the magic is {base.magic!r}, not {BASE_MAGIC!r}")
    if base.length * SECTOR_SIZE > len(data):
        raise CorruptFilesystem(f"sector 0: claims {base.length} sectors, only {len(data) // SECTOR_SIZE} are there")
    free, position = 1, base.next
    while position != 0:
        if not free <= position < base.length:
            raise CorruptFilesystem(f"next is {position}, outside of the sectors {free} to {base.length - 1}")
        metadata = decode_metadata(data, position)
        if metadata.magic != FILE_MAGIC:
            raise CorruptFilesystem(f"sector {position}: the magic is {metadata.magic!r}, not {FILE_MAGIC!r}")
        if metadata.end > base.length:
            raise CorruptFilesystem(f"sector {position}: {metadata.length} bytes reach past the end")
        yield metadata
        free, position = metadata.end, metadata.next


def _encoded_name(name: str) -> bytes:
    encoded = name.encode("ascii", errors="replace")
    if not name or len(encoded) > FILE_NAME_MAX or not (name.isascii() and name.isprintable()):
        raise FilesystemError(f"a file's name has 1 to {FILE_NAME_MAX} printable ASCII characters, not {name!r}")
    return encoded


def _decoded_name(metadata: Metadata) -> str:
    name, end, rest = metadata.name.partition(b"\0")
    if not name or not end or rest.strip(b"\0"):
        raise CorruptFilesystem(f"sector {metadata.sector}: {metadata.name!r} is no name ended by a NUL")
    return name.decode("ascii", errors="backslashreplace")
