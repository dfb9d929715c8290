"""Runs a command that can open only what it is told: Landlock, which Linux gives everybody, without any privilege.

    python3 -I -S landlock.py read:/usr write:/tmp/work -- make

It stands in for bubblewrap where no user namespace may be made (see sandbox.py), and is a program of its own because
the rules hold for whoever sets them. Below a `read` path files can be read and run; below a `write` path they can be
made, changed and removed as well; nothing else on any file system can be opened, listed or removed. (Whether a file is
there, how large it is and of which mode can be asked, and its owner can change its mode.) What is not there is passed
over. As far as the kernel knows it (from 6.2, 6.7, 6.12), the command also cannot empty a file by its name, connect by
TCP, reach abstract sockets, or signal anybody outside. Sockets with a name in a file system it can reach. It never sees
other processes' memory, environment, command line or descriptors. Those that it inherits stay usable.

The numbers are those of linux/landlock.h, the rules those of the kernel's Documentation/userspace-api/landlock.rst.
"""

from __future__ import annotations

import ctypes
import os
import stat
import struct
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable  # not at run time: it is started anew for each command

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # the same on all of Linux's newer architectures
VERSION_FLAG = 1
PATH_BENEATH = 1
SET_NO_NEW_PRIVS = 38

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR, TRUNCATE = 1 << 0, 1 << 1, 1 << 2, 1 << 3, 1 << 14
ALL_OF_VERSION = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
"""The rights over files that each version of the interface was the first to know."""
OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE
TO_READ = EXECUTE | READ_FILE | READ_DIR
TCP_CONNECT = 2  # not to bind: Bochs's screen, which nobody looks at, is a socket
SCOPES = 3  # abstract sockets, signals

NOT_STARTED = 125
"""The exit status when there is no Landlock or no such command."""


class NoLandlock(Exception):
    """This kernel, or what watches over its system calls, does not offer it."""


def _call(number: int, *arguments: object) -> int:
    result: int = ctypes.CDLL(None, use_errno=True).syscall(number, *arguments)
    if result < 0:
        raise NoLandlock(os.strerror(ctypes.get_errno()))
    return result


def version() -> int:
    """The version of the kernel's interface, 1 or more. Raises NoLandlock."""
    return _call(CREATE_RULESET, None, ctypes.c_size_t(0), VERSION_FLAG)


def confine(reading: list[str], writing: list[str]) -> None:
    """From now on this process and all that it starts can open only what lies below these paths. Raises NoLandlock."""
    known = version()
    rights = ALL_OF_VERSION[max(first for first in ALL_OF_VERSION if first <= known)]
    words = (rights, *([TCP_CONNECT] if known >= 4 else []), *([SCOPES] if known >= 6 else []))
    attributes = struct.pack(f"={len(words)}Q", *words)
    rules = _call(CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0)
    for paths, wanted in ((reading, TO_READ & rights), (writing, rights)):
        for path in paths:
            _allow(rules, path, wanted)
    if ctypes.CDLL(None).prctl(SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise NoLandlock("privileges could still be gained")
    _call(RESTRICT_SELF, rules, 0)
    os.close(rules)


def _allow(rules: int, path: str, wanted: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    if not stat.S_ISDIR(os.fstat(place).st_mode):
        wanted &= OF_FILES
    _call(ADD_RULE, rules, PATH_BENEATH, struct.pack("=Qi", wanted, place), 0)
    os.close(place)


def command(reading: Iterable[str], writing: Iterable[str]) -> list[str]:
    """The beginning of a command line that is confined to these paths. The command follows."""
    paths = [*(f"read:{path}" for path in reading), *(f"write:{path}" for path in writing)]
    return [os.path.realpath(sys.executable), "-I", "-S", __file__, *paths, "--"]


def main(words: list[str]) -> int:
    """Confine, then become the command. Returns only when that is not possible."""
    end = words.index("--")
    paths: dict[str, list[str]] = {"read": [], "write": []}
    for kind, _, path in (word.partition(":") for word in words[:end]):
        paths[kind].append(path)
    argv = words[end + 1 :]
    # Found now: afterwards Python itself may no longer be able to open its own modules.
    places = [argv[0]] if "/" in argv[0] else [f"{folder}/{argv[0]}" for folder in os.get_exec_path()]
    program = next((place for place in places if os.access(place, os.X_OK)), argv[0])
    try:
        confine(paths["read"], paths["write"])
        os.execv(program, argv)
    except (NoLandlock, OSError) as reason:
        print(f"landlock: {program}: {reason}", file=sys.stderr)
    return NOT_STARTED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
