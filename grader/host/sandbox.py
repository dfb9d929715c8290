"""Runs a command where it can harm nobody and see nothing: an own user, bubblewrap, resource limits.

What a command finds inside: /usr read-only (and the folders of tools that live elsewhere), a private /tmp of
limited size, its own /proc, no network, an environment of three variables, no other process, and only those
descriptors that the caller passes. The root is read-only, user namespaces are switched off inside.

Three facts decide how the command line is made:
- As root a limit on processes is not enforced and `--uid` still maps to root, so root first becomes a user of
  its own (`setpriv`), another one for each command: a fork bomb fills nobody else's quota.
- That user can read less than we can. So no path of the host is bound for data; it goes in and out through
  descriptors (pipes, `os.memfd_create`), which also leaves nothing behind.
- An ordinary user's limit on processes counts all that this user runs, so the present number is added to it.

Where bubblewrap is missing or user namespaces are forbidden (a default Docker container, some distributions),
`Sandbox.warning` says so, the limits and the change of user remain, and whoever calls decides what to do.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import re
import resource
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from grader.host.conversation import Completed, converse, end
from grader.paths import Project

__all__ = ["Bind", "Completed", "Limits", "Sandbox", "end", "unsandboxed"]

SYSTEM_PATH = "/usr/bin:/bin"
ENVIRONMENT = {"PATH": SYSTEM_PATH, "HOME": "/tmp", "LC_ALL": "C.UTF-8"}
SHARED_MEMORY_BYTES = 8 << 20
FIRST_USER = 1_000_000_000  # far from any user that a system gives out
NOBODY = 65534
# Who dies before its command has asked to die with it leaves it to another parent: then there is nothing to be run.
WITH_ITS_PARENT = '[ "$PPID" = "$0" ] && exec "$@"'
_job = itertools.count()


@dataclass(frozen=True)
class Limits:
    """Resource limits, each for one process. Sizes in bytes, time in seconds of CPU."""

    address_space: int = 1 << 30
    cpu_seconds: int = 10
    file_size: int = 32 << 20
    processes: int = 64
    open_files: int = 256


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True)
class Bind:
    """A file or folder of the host, readable by everybody, that is to be seen at `target` inside."""

    source: Path
    target: str
    writable: bool = False


@dataclass(frozen=True)
class Sandbox:
    """How commands are confined on this machine. `warning` is a sentence when they are not fully, else empty."""

    active: bool
    warning: str
    options: frozenset[str] = frozenset()
    tools: tuple[str, ...] = ()
    """Paths of programs that a command starts; their folders are mounted where they are outside of /usr."""
    started: Callable[[subprocess.Popen[bytes]], None] | None = None
    """Told of each process that `run` starts, so that another thread can end it."""

    @staticmethod
    def detect(*, allowed: bool = True) -> Sandbox:
        """Find out what works here (once per process, some ms). allowed=False: --no-sandbox was asked for."""
        return _detect() if allowed else unsandboxed("it was switched off (--no-sandbox)")

    def location(self, bind: Bind) -> str:
        """Where a bound file is found by the command: its target, or its source when there is no sandbox."""
        return bind.target if self.active else str(bind.source)

    def command(
        self,
        argv: Sequence[str],
        limits: Limits = DEFAULT_LIMITS,
        binds: Sequence[Bind] = (),
        *,
        temporary_bytes: int = 64 << 20,
        user: int | None = None,
    ) -> list[str]:
        """The whole command line that runs `argv` confined. Start it yourself with `env={}`, or use `popen`.

        Descriptors that the caller passes are seen inside under the same numbers. Hand data over by memfd (inside:
        /proc/self/fd/N). Killing the process started ends everything inside; start it from a thread that outlives
        it, since it dies with its parent thread. `user` is the user id to become when we are root (default: a new one).
        """
        words = [*_limited(limits), *_as_user(user if user is not None else new_user())]
        if not self.active:
            return [*words, *argv]
        tools = [argv[0], *self.tools]
        return [*words, *_bubblewrap(self.options, tools, binds, temporary_bytes), "--", *argv]

    def popen(
        self,
        argv: Sequence[str],
        limits: Limits = DEFAULT_LIMITS,
        binds: Sequence[Bind] = (),
        *,
        pass_fds: Sequence[int] = (),
        stdin: int | IO[bytes] = subprocess.DEVNULL,
        stdout: int | IO[bytes] = subprocess.DEVNULL,
        stderr: int | IO[bytes] = subprocess.DEVNULL,
        temporary_bytes: int = 64 << 20,
    ) -> subprocess.Popen[bytes]:
        """Start `argv` confined, with no more descriptors than these and an empty environment."""
        return subprocess.Popen(
            self.command(argv, limits, binds, temporary_bytes=temporary_bytes),
            env={} if self.active else environment(self.tools),
            pass_fds=pass_fds,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,  # Ctrl-C is for the grader, which then ends this one in order
        )

    def run(
        self,
        argv: Sequence[str],
        limits: Limits = DEFAULT_LIMITS,
        *,
        stdin: bytes = b"",
        pass_fds: Sequence[int] = (),
        folder: Path | None = None,
        wall_seconds: float = 60.0,
        output_bytes: int = 64 << 20,
        error_bytes: int = 1 << 20,
        temporary_bytes: int = 64 << 20,
    ) -> Completed:
        """Run `argv` confined to its end. Everything it started is gone when this returns, however it returns.

        More than `output_bytes` ends it; messages beyond `error_bytes` are read and dropped. Without a sandbox the
        command works in `folder` (which then belongs to its user), with one in a private /tmp.
        """
        user = new_user()
        if not self.active and folder is not None and os.getuid() == 0:
            os.chown(folder, user, user)
        process = subprocess.Popen(
            self.command(argv, limits, temporary_bytes=temporary_bytes, user=user),
            env={} if self.active else environment(self.tools),
            cwd=None if self.active else folder,
            pass_fds=pass_fds,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            if self.started is not None:
                self.started(process)
            return converse(process, stdin, wall_seconds, output_bytes, error_bytes)
        finally:
            end(process)
            if not self.active:
                _end_all_of(user)


def environment(tools: Sequence[str] = ()) -> dict[str, str]:
    """The only environment that a command gets, with the folders of tools that live outside of /usr."""
    extra = [str(Path(tool).parent) for tool in tools if Path(tool).is_absolute()]
    return {**ENVIRONMENT, "PATH": ":".join([*dict.fromkeys(extra), SYSTEM_PATH])}


def unsandboxed(reason: str) -> Sandbox:
    """A sandbox that confines by limits only, and says so."""
    return Sandbox(False, f"UNSANDBOXED: the compiler and the emulator run with limits only: {reason}.")


@functools.cache
def _detect() -> Sandbox:
    bubblewrap = shutil.which("bwrap", path=SYSTEM_PATH)
    if bubblewrap is None:
        return unsandboxed("bubblewrap (bwrap) is not installed")
    text = subprocess.run([bubblewrap, "--help"], capture_output=True, text=True, check=False, env=ENVIRONMENT)
    options = frozenset(re.findall(r"--[a-z0-9-]+", text.stdout + text.stderr))
    if "--size" not in options:
        return unsandboxed("bubblewrap is too old (0.7 or newer is needed)")
    trial = Sandbox(True, "", options)
    shell = ["/bin/sh", "-c", "exec 3<>/dev/null; [ -d /proc/1 ]"]
    try:
        result = trial.run(shell, wall_seconds=20.0)
    except OSError as error:
        return unsandboxed(f"it could not be started ({error.strerror})")
    if result.status != 0:
        said = result.errors.decode("utf-8", "replace").strip().splitlines()[:1]
        return unsandboxed(
            f"it does not work here ({said[0] if said else 'no message'}); are user namespaces forbidden?"
        )
    return trial


def _bubblewrap(
    options: frozenset[str], tools: Sequence[str], binds: Sequence[Bind], temporary_bytes: int
) -> list[str]:
    """bwrap and its options, up to the command. The order matters: --remount-ro / comes last."""
    words = ["bwrap", "--unshare-user", "--unshare-all"]
    words += ["--disable-userns"] if "--disable-userns" in options else []
    words += ["--die-with-parent", "--new-session", "--as-pid-1", "--cap-drop", "ALL", "--clearenv"]
    folders = tool_folders(tools)
    for name, value in environment(tools).items():
        words += ["--setenv", name, value]
    words += ["--ro-bind", "/usr", "/usr", *_system_links()]
    for folder in folders:
        words += ["--ro-bind", folder, folder]
    project = str(Project.here().root)
    if any(project == folder or project.startswith(folder.rstrip("/") + "/") for folder in ["/usr", *folders]):
        words += ["--size", "4096", "--tmpfs", project]  # a checkout below /usr: no solutions, no hidden tests
    words += ["--proc", "/proc", "--dev", "/dev", "--size", str(SHARED_MEMORY_BYTES), "--tmpfs", "/dev/shm"]
    words += ["--size", str(temporary_bytes), "--tmpfs", "/tmp"]
    for bind in binds:
        words += ["--bind" if bind.writable else "--ro-bind", str(bind.source), bind.target]
    return [*words, "--chdir", "/tmp", "--hostname", "sandbox", "--remount-ro", "/dev", "--remount-ro", "/"]


@functools.cache
def _system_links() -> tuple[str, ...]:
    """/bin, /lib and their like: links into /usr on most systems, folders of their own on others."""
    words: list[str] = []
    for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32"):
        path = Path("/") / name
        if path.is_symlink():
            words += ["--symlink", str(path.readlink()).lstrip("/"), str(path)]
        elif path.is_dir():
            words += ["--ro-bind", str(path), str(path)]
    for path in (Path("/etc/ld.so.cache"), Path("/etc/alternatives")):
        if path.exists():
            words += ["--ro-bind", str(path), str(path)]
    return tuple(words)


def tool_folders(tools: Sequence[str]) -> list[str]:
    """The folders outside of /usr that these tools need: for /opt/cross/bin/gcc that is /opt/cross.

    A home directory or the root is never taken whole: of ~/bin/gcc only ~/bin.
    """
    return list(dict.fromkeys(folder for tool in tools for folder in _tool_folders(tool)))


@functools.cache
def _tool_folders(tool: str) -> tuple[str, ...]:
    found, path = [], Path(shutil.which(tool) or tool)
    for _ in range(10):  # each step of a chain of links must be there inside
        if path.is_relative_to("/nix/store"):
            found.append("/nix/store")
        elif path.is_absolute() and not any(path.is_relative_to(known) for known in ("/usr", "/bin", "/sbin", "/etc")):
            found.append(str(_tool_prefix(path)))
        if not path.is_symlink():
            break
        path = Path(os.path.normpath(path.parent / path.readlink()))
    return tuple(dict.fromkeys(found))


def _tool_prefix(path: Path) -> Path:
    prefix = path.parent.parent if path.parent.name in ("bin", "sbin", "libexec") else path.parent
    too_much = {Path("/"), Path.home(), Path("/home"), Path("/opt"), Path("/root"), *Project.here().root.parents}
    return path.parent if prefix in too_much else prefix


def _limited(limits: Limits) -> list[str]:
    """The part of the command line that sets the limits (prlimit of util-linux; on other systems none)."""
    if shutil.which("prlimit", path=SYSTEM_PATH) is None:
        return []
    processes = limits.processes if os.getuid() == 0 else limits.processes + _own_processes()
    wanted = {
        "as": (limits.address_space, resource.RLIMIT_AS),
        "cpu": (limits.cpu_seconds, resource.RLIMIT_CPU),
        "fsize": (limits.file_size, resource.RLIMIT_FSIZE),
        "nproc": (processes, resource.RLIMIT_NPROC),
        "nofile": (limits.open_files, resource.RLIMIT_NOFILE),
        "core": (0, resource.RLIMIT_CORE),
    }
    words = ["prlimit"]
    for name, (value, number) in wanted.items():
        hard = resource.getrlimit(number)[1]  # somebody may have limited us before: a limit is never raised
        least = value if hard == resource.RLIM_INFINITY else min(value, hard)
        # One second between the signal that says what it is for and the one that only kills.
        words.append(f"--{name}={least}:{least + 1}" if name == "cpu" and least == value else f"--{name}={least}")
    return [*words, "--"]


def _as_user(user: int) -> list[str]:
    """The part of the command line that becomes another user when we are root, and gains no rights any more."""
    if shutil.which("setpriv", path=SYSTEM_PATH) is None:
        return []
    words = ["setpriv", "--no-new-privs", "--inh-caps=-all"]
    if os.getuid() == 0:
        words += [f"--reuid={user}", f"--regid={user}", "--clear-groups", "--bounding-set=-all"]
    return [*words, "--pdeathsig=KILL", "--", "/bin/sh", "-c", WITH_ITS_PARENT, str(os.getpid())]


def new_user() -> int:
    """A user id for one command when we are root: nobody else's, as far as the ids of this machine reach."""
    serial = (os.getpid() % (1 << 22)) * 64 + next(_job) % 64
    first, count = _user_range()
    return first + serial % count if count else NOBODY


@functools.cache
def _user_range() -> tuple[int, int]:
    """First and number of the user ids to take from; in a container there may be only 65536 of them."""
    try:
        rows = [[int(word) for word in line.split()] for line in Path("/proc/self/uid_map").read_text().splitlines()]
    except OSError:
        return NOBODY, 0
    for inside, _, count in rows:
        if inside <= FIRST_USER and inside + count >= FIRST_USER + (1 << 28):
            return FIRST_USER, 1 << 28
    for inside, _, count in rows:
        if inside <= 20000 and inside + count >= 60000:
            return 20000, 40000
    return NOBODY, 0


@functools.cache
def _own_processes() -> int:
    """How many threads this user runs now (once per process: the limit may be generous, not absent)."""
    total = 0
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if entry.stat().st_uid == os.getuid():
                total += len(os.listdir(entry / "task"))  # noqa: PTH208 - ten times faster, on thousands of threads
    return total


def _end_all_of(user: int) -> None:
    """Without a sandbox, as root: end whatever the command left behind under its user id."""
    if os.getuid() == 0 and user != NOBODY and shutil.which("setpriv", path=SYSTEM_PATH):
        words = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "/bin/kill", "-9", "--", "-1"]
        subprocess.run(words, check=False, capture_output=True, env=ENVIRONMENT)
