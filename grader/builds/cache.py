"""Keeps what was built, in folders that appear complete or not at all.

An entry is made in a folder of its own and renamed into place, so that Ctrl-C, kill -9, a full disk, or two gradings
at once leave no half entry. Its file entry.json has the sizes of all others: what a crash of the machine cut short is
made again. Everything in the cache may be thrown away at any time.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TextIO

from grader.labs.tree import write_files

__all__ = ["find_or_make", "write_files"]

KEPT = 300  # entries of one kind
UNUSED_SECONDS = 24 * 3600.0

SILENT_SECONDS = 2.0
"""Waiting longer than that for another process's build is said to whoever watches."""

PATIENCE = 60.0
"""Seconds after which a process that builds the same is taken for stuck; then it is built here too."""


def find_or_make(cache: Path, kind: str, key: str, make: Callable[[], Mapping[str, bytes]]) -> Path:
    """The folder `cache`/`kind`/`key`: found, or filled with what `make` gives (paths to contents) in one step.

    Raises OSError when the disk is full, and whatever `make` raises.
    """
    folder = cache / kind / key
    if _is_whole(folder):
        return folder
    with _locked(cache, key):  # who comes second waits, then finds it
        if not _is_whole(folder):
            _put(cache, folder, make())
            _forget_old(cache)
    return folder


def _is_whole(folder: Path) -> bool:
    """Whether the entry is there, with every file as long as it was (a crash of the machine can cut files)."""
    try:
        sizes = json.loads((folder / "entry.json").read_bytes())
        if any((folder / name).stat().st_size != size for name, size in sizes.items()):
            return False
        os.utime(folder)
    except FileNotFoundError:
        return False
    except (ValueError, AttributeError):
        return False
    except PermissionError:
        return True  # another user's cache, which can be read: its age cannot be renewed
    return True


def _put(cache: Path, folder: Path, content: Mapping[str, bytes]) -> None:
    parent = cache / "unfinished"
    parent.mkdir(parents=True, exist_ok=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(dir=parent))
    try:
        sizes = {name: len(data) for name, data in content.items()}
        write_files(unfinished, {**content, "entry.json": json.dumps(sizes).encode()})
        unfinished.chmod(0o755)
        if folder.exists():  # it was damaged
            shutil.rmtree(folder)
        try:
            unfinished.rename(folder)
        except OSError:
            if not _is_whole(folder):  # else another was quicker: one of us did not wait for the other
                raise
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


@contextlib.contextmanager
def _locked(cache: Path, key: str) -> Iterator[None]:
    """Only one process makes one entry, or, should that one be stuck (Ctrl-Z), each for itself.

    The system frees the lock however its process ends. The file says which process that is.
    """
    (cache / "locks").mkdir(parents=True, exist_ok=True)
    with (cache / "locks" / key).open("a+") as file:
        if _comes_free(file):
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
        yield


def _comes_free(file: TextIO) -> bool:
    """Wait for a lock, not in silence and not for ever. Whether it is ours."""
    began = time.monotonic()
    said = False
    while True:
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        waited = time.monotonic() - began
        if waited > PATIENCE:
            return False
        if waited > SILENT_SECONDS and not said:
            said = True
            _say_who_builds(file)
        time.sleep(0.02)


def _say_who_builds(file: TextIO) -> None:
    file.seek(0)
    builder = file.read(20).strip() or "of an unknown number"
    if builder != str(os.getpid()):  # else it is another thread of ours
        text = f"waiting for process {builder}, which builds the same; after {PATIENCE:.0f} s it is built here too"
        print(f"lab: {text}", file=sys.stderr)


def _forget_old(cache: Path) -> None:
    """Remove the builds that were not used for a day when there are many, and what a killed process left unfinished."""
    now = time.time()
    for kind, kept in (("unfinished", 0), ("builds", KEPT), ("probes", KEPT), ("locks", 0)):
        ages = []
        for folder in (cache / kind).glob("*"):
            with contextlib.suppress(OSError):
                ages.append((folder.stat().st_mtime, folder))
        for used, folder in sorted(ages)[: max(0, len(ages) - kept)]:
            if now - used > UNUSED_SECONDS:
                _remove(folder)


def _remove(entry: Path) -> None:
    if entry.is_dir():
        shutil.rmtree(entry, ignore_errors=True)
    else:
        entry.unlink(missing_ok=True)
