"""The names and contents of a hand-in's folder or archive, seen alike, taken without harm to the host.

A folder is opened one path component at a time without following links, and what was opened is checked, not what a
name promised; a FIFO or a device is never opened for reading. An archive is never unpacked: its members are read into
memory, up to limits that count what really comes out, whatever the archive says of its sizes.
"""

from __future__ import annotations

import bz2
import contextlib
import errno
import gzip
import io
import itertools
import lzma
import os
import re
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

FILE_BYTES = 256 << 10  # one source file; the longest of the baseline has a tenth of it
KERNEL_BYTES = 8 << 20  # all files below kernel/ that a tar may hold
ENTRIES = 20_000  # members of an archive, or files of a folder, that are looked at
DEPTH = 6  # folders in one another
ARCHIVE_BYTES = 64 << 20  # of the archive itself, and of what comes out of a compressed tar
DIRECTORY_BYTES = ENTRIES * 100  # of a zip's table of contents, whose shortest entry has 47
STREAMS = 2000  # compressed ones after one another in one tar; some packers begin another every 100 KB
NOTES_BYTES = 4 << 20  # of what a tar notes of its members in headers of their own (pax), some 200 for each
COMMON_NOTES_BYTES = 4 << 10  # of notes that are of all members: each gets a copy
FOLDER = "a folder"
MANIFEST = "handin.json"
"""The label that ./lab submit puts into an archive, beside kernel/."""
BAD_NAMES = 8  # that are reported

_NOTE = re.compile(rb"([0-9]{1,7}) ([^=\n]{1,200})=")
_MANY_DIGITS = re.compile(rb"[0-9]{41}")  # a time has 20, a commit's hash 40 characters

Kind = bool | str
"""True for a regular file, else the word for what it is: "a symbolic link"."""


class Unreadable(Exception):
    """One file of a hand-in, or the whole of it, cannot be taken; the message says why and what to do."""


class Reader(Protocol):
    """What all of Python's file objects for reading bytes have."""

    def read(self, size: int, /) -> bytes | None:
        """At most `size` bytes; none at the end."""


@dataclass
class Source:
    """A folder or an archive. `read` gives one file's content, cut after FILE_BYTES + 1, or raises Unreadable."""

    names: dict[str, Kind]
    read: Callable[[str], bytes]
    outside: list[str] = field(default_factory=list)
    """Names in an archive that lead out of it; they are ignored."""


def open_source(path: Path) -> Source:
    """Look into the folder or archive at `path`. Raises Unreadable, or OSError when there is nothing to be read."""
    status = path.stat()
    if stat.S_ISDIR(status.st_mode):
        return _folder(path)
    if stat.S_ISREG(status.st_mode):
        return _archive(path)
    raise Unreadable("is neither a folder nor an archive (.zip, .tar, .tar.gz)")


def _folder(path: Path) -> Source:
    names: dict[str, Kind] = {}
    pending = [""]
    while pending and len(names) < ENTRIES:
        below = pending.pop(0)
        for name, kind in _list_below(path, below):
            names[below + name] = kind
            if kind == FOLDER and _is_worth_a_look(below + name):
                pending.append(below + name + "/")
    return Source(names, lambda name: _read_below(path, name))


def _list_below(path: Path, below: str) -> list[tuple[str, Kind]]:
    """Names and kinds in one folder of a hand-in; nothing if it cannot be listed."""
    try:
        with _opened_folder(path, below.split("/")[:-1]) as here, os.scandir(here) as entries:
            some = itertools.islice(entries, ENTRIES)
            return sorted((entry.name, _kind(entry.stat(follow_symlinks=False).st_mode)) for entry in some)
    except OSError:
        return []


def _is_worth_a_look(path: str) -> bool:
    """Only kernel/ counts, and at most one folder is around it."""
    parts = path.split("/")
    return len(parts) < DEPTH and ("kernel" in parts[:2] or (len(parts) == 1 and not parts[0].startswith(".")))


@contextlib.contextmanager
def _opened_folder(path: Path, folders: list[str]) -> Iterator[int]:
    """A descriptor of a folder below `path`, reached without following a link."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    here = os.open(path, flags)
    try:
        for folder in folders:
            deeper = os.open(folder, flags | os.O_NOFOLLOW, dir_fd=here)
            os.close(here)
            here = deeper
        yield here
    finally:
        os.close(here)


def _read_below(path: Path, name: str) -> bytes:
    """Read one file of a folder. Raises Unreadable."""
    *folders, last = name.split("/")
    try:
        with _opened_folder(path, folders) as here:
            return _read_regular(here, last)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            raise Unreadable("is reached through a symbolic link: hand in a real folder and a regular file") from error
        raise Unreadable(f"cannot be read ({error.strerror}): make it readable (chmod u+r)") from error


def _read_regular(folder: int, name: str) -> bytes:
    promised = os.stat(name, dir_fd=folder, follow_symlinks=False)
    if not stat.S_ISREG(promised.st_mode):  # before opening: to open a device can do things
        raise Unreadable(not_regular(_kind(promised.st_mode)))
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    with os.fdopen(os.open(name, flags, dir_fd=folder), "rb", buffering=0) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise Unreadable(not_regular(_kind(status.st_mode)))
        if status.st_nlink > 1:
            raise Unreadable("has a second name somewhere (a hard link): hand in a copy of its own (cp)")
        return _bounded(file, FILE_BYTES)


def not_regular(kind: Kind) -> str:
    """What to say of a name that is no regular file."""
    return f"is {kind}: hand in the file itself, a regular one"


def _bounded(file: Reader, limit: int) -> bytes:
    """At most limit + 1 bytes: who gets one more than the limit knows that it is too large."""
    data = bytearray()
    while len(data) <= limit:
        piece = file.read(min(1 << 16, limit + 1 - len(data)))
        if not piece:
            break
        data += piece
    return bytes(data)


def _kind(mode: int) -> Kind:
    kinds: dict[int, Kind] = {
        stat.S_IFREG: True,
        stat.S_IFDIR: FOLDER,
        stat.S_IFLNK: "a symbolic link",
        stat.S_IFIFO: "a pipe (FIFO)",
        stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
    }
    return kinds.get(stat.S_IFMT(mode), "no regular file")


def _archive(path: Path) -> Source:
    with path.open("rb") as file:
        data = _bounded(file, ARCHIVE_BYTES)
    if len(data) > ARCHIVE_BYTES:
        raise Unreadable(f"is larger than {ARCHIVE_BYTES >> 20} MB: hand in the lab's files only")
    try:
        return _zip(data) if data[:4] in (b"PK\x03\x04", b"PK\x05\x06") else _tar(_uncompressed(data))
    except Unreadable:
        raise
    except Exception as error:  # whatever a parser of untrusted bytes may raise, RecursionError among it
        detail = str(error) or type(error).__name__
        raise Unreadable(f"cannot be read as an archive ({detail}): pack it again, as .zip or .tar.gz") from error


class _ZipBytes(io.BytesIO):
    """A zip whose table of contents is bounded before it is parsed: zipfile asks for the whole of it in one piece.

    All other pieces that are asked for are smaller.
    """

    def read(self, size: int | None = -1, /) -> bytes:
        """As always. Raises Unreadable when more than DIRECTORY_BYTES are asked for."""
        if size is not None and size > DIRECTORY_BYTES:
            raise Unreadable(
                f"has a table of contents of more than {DIRECTORY_BYTES // 1_000_000} MB: hand in the lab's files only"
            )
        return super().read(size)


def _zip(data: bytes) -> Source:
    archive = zipfile.ZipFile(_ZipBytes(data))
    _check_count(len(archive.infolist()))
    members: dict[str, zipfile.ZipInfo] = {}

    def read(name: str) -> bytes:
        if members[name].flag_bits & 1:
            raise Unreadable("is encrypted: pack it without a password")
        if members[name].compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            # Of bzip2 and LZMA zipfile unpacks all that a piece of the archive gives, however little is asked for.
            raise Unreadable("is packed in a way that few programs know: pack it again, as an ordinary zip")
        try:
            with archive.open(members[name]) as file:
                return _bounded(file, FILE_BYTES)
        except Exception as error:  # a damaged member, an unknown compression
            raise Unreadable(f"is damaged in the archive ({error}): pack it again") from error

    source = Source({}, read)
    for member in archive.infolist():
        mode = member.external_attr >> 16
        kind = FOLDER if member.is_dir() else _kind(mode) if stat.S_IFMT(mode) else True
        if _enter(source, member.orig_filename, kind):
            members[_plain_name(member.orig_filename)] = member
    return source


def _tar(data: bytes) -> Source:
    contents: dict[str, bytes] = {}

    def read(name: str) -> bytes:
        if name not in contents:
            raise Unreadable("comes after too many other files in the archive: hand in the lab's files only")
        return contents[name]

    source = Source({}, read)
    taken = 0
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:", tarinfo=_member_type()) as archive:
        for count, member in enumerate(archive):
            _check_count(count)
            kind, name = _kind_of_member(member), _plain_name(member.name)
            if not _enter(source, member.name, kind) or kind is not True or taken > KERNEL_BYTES:
                continue
            parts = name.split("/")[:2]
            file = archive.extractfile(member) if "kernel" in parts or MANIFEST in parts else None
            if file is not None:
                contents[name] = _bounded(file, FILE_BYTES)
                taken += len(contents[name])
    return source


def _member_type() -> type[tarfile.TarInfo]:
    """What tarfile makes of the members of one archive, whose notes (pax headers) are looked at before it reads them.

    Its reader takes quadratic time for notes that are not as they must be, and memory too.
    """
    left = {tarfile.XHDTYPE: NOTES_BYTES, tarfile.XGLTYPE: COMMON_NOTES_BYTES}

    class Member(tarfile.TarInfo):
        def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:  # tarfile means it to be overridden
            if self.type in (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE):
                kind = tarfile.XGLTYPE if self.type == tarfile.XGLTYPE else tarfile.XHDTYPE
                left[kind] -= self.size
                assert archive.fileobj is not None
                place = archive.fileobj.tell()
                if self.size < 0 or left[kind] < 0 or not _sound_notes(archive.fileobj.read(self.size)):
                    raise Unreadable("has odd headers (pax): pack it again, as .zip")
                archive.fileobj.seek(place)
            return super()._proc_member(archive)  # type: ignore[misc,no-any-return]

    return Member


def _sound_notes(data: bytes) -> bool:
    """Whether this is "LENGTH KEYWORD=VALUE" and a line feed, over and over, without what makes a member sparse."""
    place = 0
    while place < len(data):
        note = _NOTE.match(data, place)
        if note is None:
            return False
        place += int(note[1])
        if place <= note.end() or place > len(data) or note[2].startswith(b"GNU.sparse"):
            return False
    return _MANY_DIGITS.search(data) is None


def _kind_of_member(member: tarfile.TarInfo) -> Kind:
    if member.isdir():
        return FOLDER
    if member.isreg() and not member.issparse():
        return True
    kinds = {
        tarfile.SYMTYPE: "a symbolic link",
        tarfile.LNKTYPE: "a hard link",
        tarfile.FIFOTYPE: "a pipe (FIFO)",
        tarfile.CHRTYPE: "a device",
        tarfile.BLKTYPE: "a device",
    }
    return kinds.get(member.type, "no regular file")


def _enter(source: Source, raw: str, kind: Kind) -> bool:
    """Note one member of an archive; False when its name leads outside or was there before."""
    name = _plain_name(raw)
    parts = name.split("/")
    if raw.startswith("/") or ".." in parts or "\\" in raw or ":" in parts[0] or "\0" in raw:
        if len(source.outside) < BAD_NAMES:
            source.outside.append(raw[:200])
        return False
    if name in source.names and kind != FOLDER:
        source.names[name] = "in the archive twice"
    if not name or name in source.names:
        return False
    source.names[name] = kind
    return True


def _plain_name(raw: str) -> str:
    return "/".join(part for part in raw.split("/") if part not in ("", "."))


def _check_count(count: int) -> None:
    if count > ENTRIES:
        raise Unreadable(f"has more than {ENTRIES} entries: hand in the lab's files only")


def _uncompressed(data: bytes) -> bytes:
    """What comes out of a compressed tar, up to the limit. Raises Unreadable beyond it."""
    openers: dict[bytes, Callable[[io.BytesIO], Reader]] = {
        b"\x1f\x8b\x08": lambda file: gzip.GzipFile(fileobj=file),
        b"BZh": bz2.BZ2File,
        b"\xfd7zXZ\0": lzma.LZMAFile,
    }
    for magic, opener in openers.items():
        if data.startswith(magic):
            if data.count(magic) > STREAMS:  # each costs some 10 us, though nothing comes out of it
                raise Unreadable(f"is compressed in more than {STREAMS} pieces: pack it again, as .zip or .tar.gz")
            data = _bounded(opener(io.BytesIO(data)), ARCHIVE_BYTES)
            break
    if len(data) > ARCHIVE_BYTES:
        raise Unreadable(f"unpacks to more than {ARCHIVE_BYTES >> 20} MB: hand in the lab's files only")
    if data[257:262] != b"ustar":
        raise Unreadable("is no archive (.zip, .tar, .tar.gz): hand in a folder or an archive")
    return data
