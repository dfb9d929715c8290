"""Notices that something changed in a set of folders, and wakes whoever waits.

What changed is not told. A notice only says: look again; what counts is what is read then. So nothing depends on how an
editor saves (in place, or a new file renamed over the old one), on the order of events, or on events for files that do
not matter. Folders are watched one by one: one that is made, removed or replaced is told of by the folder above it, and
the set is made anew before anything is read.

RustNotify (https://watchfiles.helpmanual.io/api/rust_backend/) is what `watchfiles.watch` is made of. Used by itself it
watches from the moment it is made, before anybody waits: so it is known what is read afterwards.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from watchfiles._rust_notify import RustNotify, WatchfilesRustInternalError

from grader.faults import Ungradable
from grader.watching.folders import Watched

QUIET_MS = 50
"""A save is over when nothing more happened for so long."""

STORM_MS = 1000
"""A git checkout of many files is reported after so long, though it goes on: what is read then is read again later."""

POLLING = "WATCHFILES_FORCE_POLLING"
"""The environment variable that has files looked at every POLL_MS, where the system tells of no changes."""

POLL_MS = 300
ATTEMPTS = 20
_MODIFIED = 2


class Bell:
    """Wakes a selector, from any thread and from signal handlers."""

    def __init__(self) -> None:
        self._ours, self._theirs = socket.socketpair()
        self._ours.setblocking(False)
        self._theirs.setblocking(False)

    def fileno(self) -> int:
        """Readable after it was rung."""
        return self._ours.fileno()

    def ring(self) -> None:
        """Wake whoever waits; a bell that rings already rings on."""
        with contextlib.suppress(OSError):
            self._theirs.send(b"!")

    def clear(self) -> None:
        """Stop ringing."""
        with contextlib.suppress(BlockingIOError):
            while self._ours.recv(4096):
                pass

    def close(self) -> None:
        """Give back the descriptors."""
        self._ours.close()
        self._theirs.close()


class Noticing:
    """Watches folders in a thread of its own and rings a bell. Call `watch` first, then read, then wait."""

    def __init__(self, bell: Bell, folders: Callable[[], Watched]) -> None:
        self._bell = bell
        self._folders = folders
        self._changed = threading.Event()
        self._replaced = threading.Event()
        self._known: dict[str, _Folder] = {}
        self._stop = threading.Event()
        self._notify: RustNotify | None = None
        self._thread: threading.Thread | None = None

    def watch(self) -> None:
        """Watch the folders that there are now: whatever happens in them after this returns is noticed.

        Raises Ungradable when the system does not let us.
        """
        for _ in range(ATTEMPTS):
            self._changed.clear()
            try:
                known = {str(folder): _Folder.at(folder, names) for folder, names in self._folders().items()}
                if known == self._known and not self._replaced.is_set():
                    return
                self._known = {}  # until the new watch is there: who tries again must not find nothing new
                self._replaced.clear()
                notify = RustNotify(list(known), False, _polling(), POLL_MS, False, False)
            except FileNotFoundError:
                continue  # one is gone since it was listed
            except OSError as error:
                raise Ungradable(f"files cannot be watched: {error}{_advice()}") from error
            self.close()
            self._begin(notify, known)
            return
        raise Ungradable("files cannot be watched: their folders come and go all the time")

    def noticed(self) -> bool:
        """Whether something happened since `watch` was called last."""
        return self._changed.is_set()

    def close(self) -> None:
        """Watch no more."""
        if self._notify is not None and self._thread is not None:
            self._stop.set()
            self._thread.join()
            self._notify.close()
            self._notify = self._thread = None

    def _begin(self, notify: RustNotify, known: dict[str, _Folder]) -> None:
        self._known, self._notify, self._stop = known, notify, threading.Event()
        self._thread = threading.Thread(target=self._wait, args=(notify, self._stop, known), daemon=True)
        self._thread.start()

    def _wait(self, notify: RustNotify, stop: threading.Event, known: dict[str, _Folder]) -> None:
        while not stop.is_set():
            try:
                events = notify.watch(STORM_MS, QUIET_MS, 0, stop)
            except WatchfilesRustInternalError:
                events = {(0, folder) for folder in known}  # nothing is known any more: begin anew
            if isinstance(events, str):
                continue
            # A folder with the same name and number may be another one, which nobody watches.
            replaced = any(path in known and kind != _MODIFIED for kind, path in events)
            if replaced:
                self._replaced.set()
            if replaced or any(_matters(path, known) for _, path in events):
                self._changed.set()
                self._bell.ring()


@dataclass(frozen=True)
class _Folder:
    """One watched folder: its numbers in the file system, and the names in it that matter."""

    device: int
    inode: int
    names: frozenset[str] | None

    @staticmethod
    def at(folder: Path, names: frozenset[str] | None) -> _Folder:
        status = folder.stat()
        return _Folder(status.st_dev, status.st_ino, names)


def _matters(path: str, known: dict[str, _Folder]) -> bool:
    """Whether an event for `path` can be of interest: always, if it is in a folder that is not known by this name."""
    above, _, name = path.rpartition("/")
    folder = known.get(above or "/")
    return folder is None or folder.names is None or name in folder.names


def _polling() -> bool:
    return os.environ.get(POLLING, "").lower() not in ("", "0", "false", "disable", "disabled")


def _advice() -> str:
    return f"\nOn Linux more may be allowed: sysctl fs.inotify.max_user_watches=524288; or set {POLLING}=1"
