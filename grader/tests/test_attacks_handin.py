"""Attacks by what is handed in: each states its outcome. Nothing of the host is read, written or blocked on."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import socket
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from grader.labs.handin import read_handin
from grader.labs.handin_source import MANIFEST, Unreadable, open_source
from grader.labs.lab_file import Lab
from grader.publishing.archive import Manifest, manifest_of
from grader.tests.small_project import put, small_lab, small_project
from grader.tests.test_handin import GOOD, faults

SECRET = "the host's secret"


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    """A lab that demands kernel/message.c and takes kernel/extra*.c."""
    return small_lab(small_project(tmp_path / "project"))


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A file of the host that no hand-in may reach."""
    return put(tmp_path / "host", {"kernel/message.c": SECRET}) / "kernel/message.c"


@pytest.fixture
def handin(tmp_path: Path) -> Path:
    """A folder with all but kernel/message.c."""
    folder = put(tmp_path / "in", GOOD)
    (folder / "kernel/message.c").unlink()
    return folder


def test_a_symbolic_link_is_not_followed(lab: Lab, handin: Path, secret: Path) -> None:
    """The file costs the points, and its target is never read."""
    (handin / "kernel/message.c").symlink_to(secret)
    assert faults(read_handin(handin, lab)).startswith("kernel/message.c: is a symbolic link")


def test_a_linked_folder_is_not_followed(lab: Lab, tmp_path: Path, secret: Path) -> None:
    """Nor is a link on the way to the file."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in/kernel").symlink_to(secret.parent)
    assert "none of its files is there" in faults(read_handin(tmp_path / "in", lab))


def test_a_folder_that_becomes_a_link_is_not_followed(lab: Lab, tmp_path: Path, secret: Path) -> None:
    """What was opened counts, not what was listed: a folder changed in between leads nowhere."""
    folder = put(tmp_path / "in", GOOD)
    source = open_source(folder)
    (folder / "kernel").rename(folder / "moved")
    (folder / "kernel").symlink_to(secret.parent)
    with pytest.raises(Unreadable, match="reached through a symbolic link"):
        source.read("kernel/message.c")


def test_a_hard_link_is_refused(lab: Lab, handin: Path, secret: Path) -> None:
    """A second name for a file of the host is no file of the student's."""
    os.link(secret, handin / "kernel/message.c")
    assert "has a second name somewhere (a hard link): hand in a copy" in faults(read_handin(handin, lab))


def test_a_pipe_does_not_block(lab: Lab, handin: Path) -> None:
    """It is told apart before it is opened."""
    os.mkfifo(handin / "kernel/message.c")
    assert "is a pipe (FIFO)" in faults(read_handin(handin, lab))


def test_a_socket_is_refused(lab: Lab, handin: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So is every other kind of file."""
    monkeypatch.chdir(handin / "kernel")  # the path of a socket must be short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("message.c")
        assert "is a socket" in faults(read_handin(handin, lab))


@pytest.mark.skipif(os.getuid() != 0, reason="only root makes devices")
def test_a_device_is_never_opened(lab: Lab, handin: Path) -> None:
    """Opening one can do things (here: read zeros without end)."""
    try:
        os.mknod(handin / "kernel/message.c", 0o20666, os.makedev(1, 5))
    except PermissionError:
        pytest.skip("devices cannot be made here")
    assert "is a device" in faults(read_handin(handin, lab))


def test_a_folder_in_place_of_a_file_is_refused(lab: Lab, handin: Path) -> None:
    """With the file's name."""
    (handin / "kernel/message.c").mkdir()
    assert faults(read_handin(handin, lab)).startswith("kernel/message.c: is a folder")


def test_a_huge_sparse_file_is_not_read_whole(lab: Lab, handin: Path) -> None:
    """A terabyte that takes no room on the disk takes none in memory."""
    with (handin / "kernel/message.c").open("wb") as file:
        file.truncate(1 << 40)
    assert "is larger than 256 KB" in faults(read_handin(handin, lab))


def test_many_files_are_bounded(lab: Lab, handin: Path) -> None:
    """Optional files count too, in number and in size."""
    put(handin, {"kernel/message.c": "int a;\n", **{f"kernel/extra{number}.c": "x" * 10_000 for number in range(300)}})
    said = faults(read_handin(handin, lab))
    assert "at most 256 are taken" in said
    assert "larger than 2 MB" in said


def test_names_cannot_command_make_or_a_terminal(lab: Lab, handin: Path) -> None:
    """A name with commands in it is not taken, and what is said of it is harmless to show."""
    put(handin, {"kernel/message.c": "int a;\n", "kernel/extra$(shell touch x).c": "", "kernel/extra\x1b[2J\n.c": ""})
    taken = read_handin(handin, lab)
    taken.check()
    assert set(taken.files) == set(GOOD)
    assert not any("\x1b" in note or "\n" in note for note in taken.notes)


def make_zip(path: Path, *entries: tuple[str, bytes, int]) -> Path:
    """A zip of (name, content, mode) on top of a good hand-in."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in GOOD.items():
            if name not in {entry[0] for entry in entries}:
                archive.writestr(name, text)
        for name, content, mode in entries:
            member = zipfile.ZipInfo(name)
            member.external_attr, member.compress_type = mode << 16, zipfile.ZIP_DEFLATED
            archive.writestr(member, content)
    return path


def make_tar(path: Path, *entries: tuple[str, bytes, bytes], link: str = "", mode: int = 0o644) -> Path:
    """A tar.gz of (name, content, type) on top of a good hand-in."""
    with tarfile.open(path, "w:gz") as archive:
        for name, text in GOOD.items():
            if name not in {entry[0] for entry in entries}:
                member = tarfile.TarInfo(name)
                member.size = len(text)
                archive.addfile(member, io.BytesIO(text.encode()))
        for name, content, kind in entries:
            member = tarfile.TarInfo(name)
            member.size, member.type, member.linkname, member.mode = len(content), kind, link, mode
            archive.addfile(member, io.BytesIO(content))
    return path


@pytest.mark.parametrize("name", ["../../host/x", "/etc/x", "kernel/../../x", "..\\x", "C:/x", "kernel/\\..\\x"])
def test_an_archive_cannot_leave_its_place(lab: Lab, tmp_path: Path, name: str) -> None:
    """Nothing is ever unpacked; such a member is ignored with a note."""
    for archive in (
        make_zip(tmp_path / "in.zip", (name, b"evil", 0o100644)),
        make_tar(tmp_path / "in.tar.gz", (name, b"evil", tarfile.REGTYPE)),
    ):
        handin = read_handin(archive, lab)
        handin.check()
        assert set(handin.files) == set(GOOD)
        assert any("leads outside of the hand-in" in note for note in handin.notes)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (tarfile.SYMTYPE, "is a symbolic link"),
        (tarfile.LNKTYPE, "is a hard link"),
        (tarfile.FIFOTYPE, "is a pipe"),
        (tarfile.CHRTYPE, "is a device"),
        (tarfile.BLKTYPE, "is a device"),
        (tarfile.DIRTYPE, "is a folder"),
        (b"Z", "is "),
    ],
)
def test_a_tars_special_members_are_refused(lab: Lab, tmp_path: Path, kind: bytes, message: str) -> None:
    """Links are not followed, not even to other members."""
    archive = make_tar(tmp_path / "in.tar.gz", ("kernel/message.c", b"", kind), link="/etc/passwd")
    said = faults(read_handin(archive, lab))
    assert said.startswith("kernel/message.c: ") and message in said


def test_a_zips_symbolic_link_is_refused(lab: Lab, tmp_path: Path) -> None:
    """A zip says what a member is in its mode."""
    archive = make_zip(tmp_path / "in.zip", ("kernel/message.c", b"/etc/passwd", 0o120777))
    assert "is a symbolic link" in faults(read_handin(archive, lab))


def test_modes_are_not_taken_over(lab: Lab, tmp_path: Path) -> None:
    """A setuid file is its text and nothing more."""
    for archive in (
        make_zip(tmp_path / "in.zip", ("kernel/message.c", b"int a;\n", 0o104777)),
        make_tar(tmp_path / "in.tar.gz", ("kernel/message.c", b"int a;\n", tarfile.REGTYPE), mode=0o6777),
    ):
        handin = read_handin(archive, lab)
        handin.check()
        assert handin.files["kernel/message.c"] == b"int a;\n"


def test_a_zip_bomb_is_read_up_to_the_limit(lab: Lab, tmp_path: Path) -> None:
    """400 MB of zeros in 400 KB: the file is too large, and no more than the limit was unpacked."""
    archive = make_zip(tmp_path / "in.zip", ("kernel/message.c", bytes(400 << 20), 0o100644))
    assert archive.stat().st_size < 1 << 20
    assert "is larger than 256 KB" in faults(read_handin(archive, lab))


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_whose_unpacking_has_no_limit_is_refused(lab: Lab, tmp_path: Path, method: int) -> None:
    """Before anything comes out: a kilobyte of bzip2 is a gigabyte, which Python's reader gives in one piece."""
    archive = make_zip(tmp_path / "in.zip", ("kernel/message.c", b"", 0o100644))
    with zipfile.ZipFile(archive, "w", method) as packed:
        packed.writestr("kernel/message.c", bytes(1 << 20))
    assert "is packed in a way that few programs know: pack it again" in faults(read_handin(archive, lab))


def test_a_label_whose_unpacking_has_no_limit_is_not_read(tmp_path: Path) -> None:
    """The manifest comes from the same archive."""
    with zipfile.ZipFile(tmp_path / "in.zip", "w", zipfile.ZIP_BZIP2) as packed:
        packed.writestr(MANIFEST, Manifest("small", "", "").to_bytes())
    assert manifest_of(tmp_path / "in.zip") is None


def test_a_compressed_tar_bomb_is_refused(lab: Lab, tmp_path: Path) -> None:
    """What comes out is counted."""
    archive = make_tar(tmp_path / "in.tar.gz", ("kernel/other", bytes(100 << 20), tarfile.REGTYPE))
    assert "unpacks to more than 64 MB" in faults(read_handin(archive, lab))


def test_a_zip_that_lies_about_sizes_is_refused(lab: Lab, tmp_path: Path) -> None:
    """A member that says it has 7 bytes and has a million costs no more than 7."""
    archive = make_zip(tmp_path / "in.zip", ("kernel/message.c", b"int a;\n" + bytes(1 << 20), 0o100644))
    honest = (len(b"int a;\n") + (1 << 20)).to_bytes(4, "little")
    archive.write_bytes(archive.read_bytes().replace(honest, (7).to_bytes(4, "little")))
    said = faults(read_handin(archive, lab))
    assert said.startswith("kernel/message.c: is damaged in the archive")


def test_a_tar_that_lies_about_sizes_is_refused(lab: Lab, tmp_path: Path) -> None:
    """A member that says it has 8 GB in an archive of a kilobyte is an error, not 8 GB."""
    member = tarfile.TarInfo("kernel/message.c")
    member.size = 8 << 30
    archive = tmp_path / "in.tar"
    archive.write_bytes(member.tobuf(tarfile.GNU_FORMAT) + b"int a;\n".ljust(512, b"\0"))
    faults(read_handin(archive, lab))


@pytest.mark.parametrize("cut", [10, 30, 60, 100, 200])
def test_a_damaged_archive_is_refused(lab: Lab, tmp_path: Path, cut: int) -> None:
    """However it is damaged, there is a message and no crash."""
    for made in (make_zip(tmp_path / "a.zip"), make_tar(tmp_path / "a.tar.gz")):
        data = made.read_bytes()
        for broken in (data[:cut], data[:cut] + b"\xff" * 40 + data[cut + 40 :]):
            made.write_bytes(broken)
            handin = read_handin(made, lab)
            if not handin.files:
                faults(handin)


def test_an_encrypted_archive_is_refused(lab: Lab, tmp_path: Path) -> None:
    """With what to do."""
    archive = make_zip(tmp_path / "in.zip")
    data = bytearray(archive.read_bytes())
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = data.find(mark)
        data[place + offset] |= 1
    archive.write_bytes(data)
    assert "is encrypted: pack it without a password" in faults(read_handin(archive, lab))


def test_a_name_that_is_there_twice_is_refused(lab: Lab, tmp_path: Path) -> None:
    """Which of the two a reader takes must not be anybody's guess."""
    archive = make_tar(
        tmp_path / "in.tar.gz",
        ("kernel/message.c", b"int a;\n", tarfile.REGTYPE),
        ("./kernel//message.c", b"int b;\n", tarfile.REGTYPE),
    )
    assert "in the archive twice" in faults(read_handin(archive, lab))


def test_a_tar_of_headers_within_headers_is_refused(lab: Lab, tmp_path: Path) -> None:
    """Headers that announce headers without end exhaust no stack."""
    header = tarfile.TarInfo("x")
    header.type, header.size = tarfile.XHDTYPE, 0
    archive = tmp_path / "in.tar"
    archive.write_bytes(header.tobuf(tarfile.USTAR_FORMAT) * 5000)
    faults(read_handin(archive, lab))


def test_an_archive_of_very_many_members_is_refused(lab: Lab, tmp_path: Path) -> None:
    """The looking through is bounded too."""
    archive = tmp_path / "in.tar"
    member = tarfile.TarInfo("x").tobuf(tarfile.USTAR_FORMAT)
    archive.write_bytes(member * 20_002 + bytes(1024))
    assert "more than 20000 entries" in faults(read_handin(archive, lab))


def test_a_zip_that_is_all_table_of_contents_is_refused(lab: Lab, tmp_path: Path) -> None:
    """Before it is parsed: a million entries took half a minute and half a gigabyte."""
    archive = make_zip(tmp_path / "in.zip", ("x", b"", 0o100644))
    data = archive.read_bytes()
    start, end = data.find(b"PK\x01\x02"), data.find(b"PK\x05\x06")
    table = data[start:end] * 20_000
    places = len(table).to_bytes(4, "little") + start.to_bytes(4, "little")
    archive.write_bytes(data[:start] + table + data[end : end + 12] + places + bytes(2))
    assert "has a table of contents of more than 2 MB" in faults(read_handin(archive, lab))


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
def test_a_tar_compressed_in_very_many_pieces_is_refused(
    lab: Lab, tmp_path: Path, compress: Callable[[bytes], bytes]
) -> None:
    """Nothing comes out of them, so that no limit ends the unpacking of three million."""
    archive = tmp_path / "in.tar.xx"
    archive.write_bytes(compress(b"") * 2001)
    assert "is compressed in more than 2000 pieces" in faults(read_handin(archive, lab))


def tar_with_notes(path: Path, notes: bytes, kind: bytes = tarfile.XHDTYPE, times: int = 1) -> Path:
    """A good hand-in, the first of whose files has these pax headers."""
    header = tarfile.TarInfo("notes")
    header.type, header.size = kind, len(notes)
    padded = notes + bytes(-len(notes) % 512)
    make_tar(path)
    path.write_bytes((header.tobuf(tarfile.USTAR_FORMAT) + padded) * times + gzip.decompress(path.read_bytes()))
    return path


@pytest.mark.parametrize(
    "notes",
    [
        b"1" * 1000,
        b"3 a" * 1000 + b"=",
        b"5 a=\n" + b"9 " + b"a" * 1000 + b"=b\n",
        b"1011 comment=" + b"1" * 997 + b"\n",
        b"9999 a=b\n",
        b"22 GNU.sparse.major=1\n",
        b"0 a=b\n",
    ],
    ids=["digits", "keywords in keywords", "a long keyword", "digits in a value", "too long", "sparse", "no length"],
)
def test_a_tars_notes_that_are_slow_to_read_are_refused(lab: Lab, tmp_path: Path, notes: bytes) -> None:
    """A megabyte of the first takes an hour, of the second all memory there is."""
    assert "has odd headers (pax)" in faults(read_handin(tar_with_notes(tmp_path / "in.tar", notes), lab))


def test_a_tars_notes_are_bounded(lab: Lab, tmp_path: Path) -> None:
    """Those of one file in all, and those of every file much more so, since each gets them; a few are fine."""
    note = b"1007 comment=" + b"x" * 993 + b"\n"
    assert len(note) == 1007
    read_handin(tar_with_notes(tmp_path / "in.tar", note), lab).check()
    read_handin(tar_with_notes(tmp_path / "in.tar", note, tarfile.XGLTYPE, times=4), lab).check()
    for kind, notes, times in ((tarfile.XHDTYPE, note * 500, 9), (tarfile.XGLTYPE, note, 5)):
        assert "has odd headers" in faults(read_handin(tar_with_notes(tmp_path / "in.tar", notes, kind, times), lab))
