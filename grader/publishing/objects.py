"""The names that git gives to files and folders: so a branch is compared with what it should be without writing."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"


def object_id(kind: bytes, content: bytes) -> bytes:
    """The name git gives to an object."""
    return hashlib.sha1(b"%s %d\0" % (kind, len(content)) + content, usedforsecurity=False).digest()


def tree_id(files: Mapping[str, bytes], executable: tuple[str, ...]) -> str:
    """The name git gives to a folder with these files."""
    return _folder_id({path: (content, path in executable) for path, content in files.items()}).hex()


def _folder_id(files: Mapping[str, tuple[bytes, bool]]) -> bytes:
    entries: dict[bytes, bytes] = {}
    folders: dict[str, dict[str, tuple[bytes, bool]]] = {}
    for path, file in files.items():
        folder, slash, rest = path.partition("/")
        if slash:
            folders.setdefault(folder, {})[rest] = file
        else:
            mode = b"100755" if file[1] else b"100644"
            entries[path.encode()] = mode + b" " + path.encode() + b"\0" + object_id(b"blob", file[0])
    for folder, below in folders.items():  # git sorts a folder as if its name ended in /
        entries[folder.encode() + b"/"] = b"40000 " + folder.encode() + b"\0" + _folder_id(below)
    return object_id(b"tree", b"".join(entry for _, entry in sorted(entries.items())))
