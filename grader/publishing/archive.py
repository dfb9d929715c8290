"""The archive that is handed in: the lab's files, and handin.json, which says what they are.

    {"schema": "kernelist/handin/1", "lab": "boot", "version": "0123456789ab", "content": "<SHA-256>",
     "score": {"points": 70, "of": 100}}

The same files give the same bytes: a zip without compression, times or owners. The manifest is a label, never evidence:
whoever grades the archive reads the lab's name there and recomputes everything else.
"""

from __future__ import annotations

import contextlib
import errno
import io
import json
import os
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grader.faults import Ungradable, WrongUse
from grader.labs.handin_source import MANIFEST, Unreadable, open_source
from grader.untrusted import plain

SCHEMA = "kernelist/handin/1"
LABEL_MAX = 100
"""Characters of a name or a hash in a manifest; ours are shorter."""


@dataclass(frozen=True)
class Manifest:
    """What an archive says of itself. In one that was received nothing of it is certain."""

    lab: str
    version: str
    content: str
    score: tuple[float, float] | None = None
    """Points where it was packed, and of how many; None when it was not graded there. Nobody believes it."""

    def to_bytes(self) -> bytes:
        """The file handin.json."""
        score = {"points": self.score[0], "of": self.score[1]} if self.score is not None else None
        facts = {"schema": SCHEMA, "lab": self.lab, "version": self.version, "content": self.content, "score": score}
        return (json.dumps(facts, indent=2) + "\n").encode()


def pack(files: Mapping[str, bytes], manifest: Manifest) -> bytes:
    """The archive's bytes."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name, content in [(MANIFEST, manifest.to_bytes()), *sorted(files.items())]:
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.create_system, entry.external_attr = 3, 0o100644 << 16
            archive.writestr(entry, content)
    return target.getvalue()


def manifest_of(path: Path) -> Manifest | None:
    """What the archive or folder at `path` says of itself; None where it says nothing. Raises WrongUse.

    What is wrong with the files themselves is for whoever reads the hand-in; here only the label counts.
    """
    try:
        source = open_source(path)
        name = next((name for name in (MANIFEST, *_below_one_folder(source.names)) if name in source.names), None)
        return _read(source.read(name)) if name is not None else None
    except (Unreadable, OSError):
        return None
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise WrongUse(
            f"{plain(str(path))}: its {MANIFEST} is not as ./lab submit writes it. Name the lab yourself: "
            "./lab grade LAB --answer FILE"
        ) from error


def _below_one_folder(names: Mapping[str, Any]) -> list[str]:
    return sorted(name for name in names if name.endswith("/" + MANIFEST) and name.count("/") == 1)


def _read(data: bytes) -> Manifest:
    facts = json.loads(data)
    if not str(facts["schema"]).startswith(SCHEMA.rsplit("/", 1)[0]):
        raise ValueError("of another schema")
    if facts["schema"] != SCHEMA:
        raise WrongUse("this archive was packed by a newer grader than this one: bring this one up to date (git pull)")
    return Manifest(_label(facts["lab"]), _label(facts["version"]), _label(facts["content"]))


def _label(value: object) -> str:
    if not isinstance(value, str) or len(value) > LABEL_MAX:
        raise ValueError("a label that is none")
    return plain(value).replace("\n", " ")


def replaceable(target: Path) -> None:
    """Raise WrongUse where no archive can be written, or one would take the place of something that is none of ours."""
    if target.is_dir():
        raise WrongUse(f"{target} is a folder: name a file")
    if not target.parent.is_dir():
        raise WrongUse(f"{target} cannot be written: there is no folder {target.parent}. Make it, or name another FILE")
    if not os.access(target.parent, os.W_OK):
        raise WrongUse(
            f"{target} cannot be written: {target.parent} is not yours to write. Name a place: --output FILE"
        )
    if not (target.exists() or target.is_symlink()):
        return
    if not target.is_file() or not _has_manifest(target):
        raise WrongUse(f"{target} is there already, and no archive that ./lab submit made: name another file")


def _has_manifest(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return MANIFEST in archive.namelist()
    except Exception:  # whatever a file that is no archive of ours, or a damaged one, makes the reader stumble over
        return False


def write(target: Path, data: bytes) -> None:
    """Put the archive in its place in one step: there is the whole new one, or whatever was there before.

    Raises Ungradable when the disk is full, WrongUse when the folder cannot be written.
    """
    temporary = ""
    try:
        descriptor, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".part")
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), 0o644)
            os.fsync(file.fileno())
        Path(temporary).replace(target)
        temporary = ""
    except OSError as error:
        before = "the earlier archive is as it was" if target.exists() else "no archive was written"
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            needed = (len(data) >> 10) + 1
            message = f"the disk is full: {before}. Make room ({needed} KB), or name a place with --output FILE"
            raise Ungradable(message) from error
        message = f"{target} cannot be written ({error.strerror}): {before}. Name another --output FILE"
        raise WrongUse(message) from error
    finally:
        if temporary:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()
