"""Runs a command where it can harm nobody and see nothing: an own user, bubblewrap, resource limits.

What a command finds inside: /usr read-only (and the folders of tools that live elsewhere), a private /tmp of
limited size, its own /proc, no network, an environment of three variables, no other process, and only those
descriptors that the caller passes. The root is read-only, user namespaces are switched off inside.

Three facts decide how the command line is made:
- As root a limit on processes is not enforced and `--uid` still maps to root, so root first becomes a user of
  its own (`setpriv`), another one for each command: a fork bomb fills nobody else's quota.
- That user can read less than we can. So no path of the host is bound for data; it goes in and out through
  descriptors (pipes, `os.memfd_create`), which also leaves nothing behind.
- An ordinary user's limit on processes counts all that this user runs, so what runs now is added to it, and room for
  what this user starts meanwhile.

Where bubblewrap is missing or user namespaces are forbidden (a default Docker container, some distributions),
`Sandbox.warning` says so, the limits and the change of user remain, Landlock (see landlock.py) lets a command open no
more than the tools and a folder of its own, and whoever calls decides what to do. In a container the container is the
sandbox then, if KERNELIST_CONTAINED=1 says that it is one: nothing is guessed from the look of things. What remains
open there: a command sees whether a file exists, and, should it get code of its own to run, can change modes of files,
reach sockets that have a name, use UDP if the container has a network, and leave a process behind until the container
ends. So a container is for one hand-in.
"""

from __future__ import annotations

import functools
import os
import re
import resource
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from grader.host import landlock
from grader.host.conversation import Completed, converse, end
from grader.host.users import NOBODY, new_user, own_processes
from grader.paths import Project

__all__ = ["Completed", "Limits", "Sandbox", "end", "unsandboxed"]

CONTAINED = "KERNELIST_CONTAINED"
"""The environment variable that is 1 in our images: all of this runs in a container."""
SYSTEM_PATH = "/usr/bin:/bin"
ENVIRONMENT = {"PATH": SYSTEM_PATH, "HOME": "/tmp", "LC_ALL": "C.UTF-8"}
SYSTEM_FOLDERS = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
"""Links into /usr on most systems, folders of their own on others."""
SYSTEM_FILES = ("/etc/ld.so.cache", "/etc/alternatives")
SHARED_MEMORY_BYTES = 8 << 20
MEANWHILE = 512
"""Processes and threads that a user may start while a command runs, and not lack: a browser, another grading."""
# Where there is no setpriv: whoever watches ends what runs on after the grader, and is itself gone a second later.
WATCHED = """
p=$$
(while kill -0 "$0" && kill -0 $p; do sleep 1; done; kill -KILL $p) </dev/null >/dev/null 2>&1 &
exec "$@"
"""
# Where there is no prlimit: what every shell can limit. It counts files in blocks of 512 bytes.
LIMITED = 'ulimit -c 0; ulimit -t "$0"; ulimit -f "$1"; ulimit -n "$2"; ulimit -v "$3" 2>/dev/null; shift 3; exec "$@"'
# Who dies before its command has asked to die with it leaves it to another parent: then there is nothing to be run.
WITH_ITS_PARENT = '[ "$PPID" = "$0" ] && exec "$@"'


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
class Sandbox:
    """How commands are confined on this machine. `warning` is a sentence when they are not fully, else empty."""

    active: bool
    warning: str
    options: frozenset[str] = frozenset()
    tools: tuple[str, ...] = ()
    """Paths of programs that a command starts; their folders are mounted where they are outside of /usr."""
    landlock: bool = False
    """Where it is not active: whether Landlock keeps a command from the files that are not its own."""
    contained: bool = False
    """Where it is not active: whether all of us runs in a container, which then is the sandbox."""
    started: Callable[[subprocess.Popen[bytes]], None] | None = None
    """Told of each process that `run` starts, so that another thread can end it."""

    @property
    def confines(self) -> bool:
        """Whether an answer can neither see nor touch what is not its own, here or outside of the container."""
        return self.active or (self.contained and self.landlock)

    @staticmethod
    def detect(*, allowed: bool = True) -> Sandbox:
        """Find out what works here (once per process, some ms). allowed=False: --no-sandbox was asked for."""
        return _detect() if allowed else unsandboxed("it was switched off (--no-sandbox)")

    def command(
        self,
        argv: Sequence[str],
        limits: Limits = DEFAULT_LIMITS,
        *,
        folder: Path | None = None,
        temporary_bytes: int = 64 << 20,
        user: int | None = None,
    ) -> list[str]:
        """The whole command line that runs `argv` confined. Start it yourself with `env={}`, or use `popen`.

        Descriptors that the caller passes are seen inside under the same numbers. Hand data over by memfd (inside:
        /proc/self/fd/N). Killing the process started ends everything inside; start it from a thread that outlives
        it, since it dies with its parent thread. `user` is the user id to become when we are root (default: a new one),
        `folder` the one of the host that it may write where there is no sandbox with a /tmp of its own.
        """
        words = [*_limited(limits), *_as_user(user if user is not None else new_user())]
        tools = [argv[0], *self.tools]
        if self.active:
            return [*words, *_bubblewrap(self.options, tools, temporary_bytes), "--", *argv]
        return [*(_landlocked(tools, folder) if self.landlock else []), *words, *argv]

    def popen(
        self,
        argv: Sequence[str],
        limits: Limits = DEFAULT_LIMITS,
        *,
        pass_fds: Sequence[int] = (),
        stdin: int | IO[bytes] = subprocess.DEVNULL,
        stdout: int | IO[bytes] = subprocess.DEVNULL,
        stderr: int | IO[bytes] = subprocess.DEVNULL,
        folder: Path | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start `argv` confined, with no more descriptors than these and an empty environment."""
        return subprocess.Popen(
            self.command(argv, limits, folder=folder, user=self._user_for(folder)),
            env={} if self.active else environment(self.tools, folder),
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
        folder: Path | None = None,
        wall_seconds: float = 60.0,
        output_bytes: int = 64 << 20,
        error_bytes: int = 1 << 20,
        temporary_bytes: int = 64 << 20,
    ) -> Completed:
        """Run `argv` confined to its end. Everything it started is gone when this returns, however it returns (without
        a sandbox, and if we are not root, everything in its process group).

        More than `output_bytes` ends it; messages beyond `error_bytes` are read and dropped. Without a sandbox the
        command works in `folder` (which then belongs to its user), with one in a private /tmp.
        """
        user = self._user_for(folder)
        process = subprocess.Popen(
            self.command(argv, limits, folder=folder, temporary_bytes=temporary_bytes, user=user),
            env={} if self.active else environment(self.tools, folder),
            cwd=None if self.active else folder,
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

    def _user_for(self, folder: Path | None) -> int:
        """A user id for a command, whose own `folder` then is, if we can give it away."""
        user = new_user()
        if not self.active and folder is not None and os.getuid() == 0:
            os.chown(folder, user, user)
        return user


def environment(tools: Sequence[str] = (), folder: Path | None = None) -> dict[str, str]:
    """The only environment that a command gets, with the folders of tools that live outside of /usr, and its own."""
    extra = [str(Path(tool).parent) for tool in tools if Path(tool).is_absolute()]
    own = {"HOME": str(folder), "TMPDIR": str(folder)} if folder is not None else {}
    return {**ENVIRONMENT, **own, "PATH": ":".join([*dict.fromkeys(extra), SYSTEM_PATH])}


def unsandboxed(reason: str, by: str = "limits") -> Sandbox:
    """A sandbox that confines by limits only, and says so."""
    return Sandbox(False, f"UNSANDBOXED: the compiler and the emulator run with {by} only: {reason}.")


@functools.cache
def _detect() -> Sandbox:
    found = _with_bubblewrap()
    return found if isinstance(found, Sandbox) else _without_bubblewrap(found)


def _with_bubblewrap() -> Sandbox | str:
    """The sandbox, tried, or the reason why there is none."""
    if sys.platform != "linux":
        return "there is no bubblewrap on this system (docs/macos.md says how to grade in a container)"
    bubblewrap = shutil.which("bwrap", path=SYSTEM_PATH)
    if bubblewrap is None:
        return "bubblewrap (bwrap) is not installed"
    text = subprocess.run([bubblewrap, "--help"], capture_output=True, text=True, check=False, env=ENVIRONMENT)
    options = frozenset(re.findall(r"--[a-z0-9-]+", text.stdout + text.stderr))
    if "--size" not in options:
        return "bubblewrap is too old (0.7 or newer is needed)"
    trial = Sandbox(True, "", options)
    shell = ["/bin/sh", "-c", "exec 3<>/dev/null; [ -d /proc/1 ]"]
    try:
        result = trial.run(shell, wall_seconds=20.0)
    except OSError as error:
        return f"it could not be started ({error.strerror})"
    if result.status != 0:
        said = result.errors.decode("utf-8", "replace").strip().splitlines()[:1]
        return f"it does not work here ({said[0] if said else 'no message'}); are user namespaces forbidden?"
    return trial


def _without_bubblewrap(reason: str) -> Sandbox:
    """What can be done for a command without privileges: Landlock, where it works."""
    works = _is_locked(Sandbox(False, "", landlock=True))
    locked = replace(unsandboxed(reason, "limits and Landlock" if works else "limits"), landlock=works)
    if os.environ.get(CONTAINED) != "1":
        return locked
    if locked.landlock:
        why = "no user namespace can be made in it" if "namespace" in reason else reason
        text = f"the container is the sandbox: {why}, so limits and Landlock confine the compiler and the emulator"
        return replace(locked, contained=True, warning=f"{text}.")
    text = f"UNSANDBOXED within this container, which has neither user namespaces nor Landlock ({reason}): an answer "
    text += "can read whatever is in it, so give it no hidden tests, and one hand-in only."
    return replace(locked, contained=True, warning=text)


def _is_locked(trial: Sandbox) -> bool:
    """Whether a command finds the system's files, but not ours."""
    if sys.platform != "linux" or not Path(__file__).is_file():
        return False
    script = f"[ -r /bin/sh ] && : </bin/sh && ! (: <{shlex.quote(__file__)})"
    try:
        return trial.run(["/bin/sh", "-c", script], wall_seconds=20.0).status == 0
    except OSError:
        return False


def _landlocked(tools: Sequence[str], folder: Path | None) -> list[str]:
    """Landlock, as the first part of a command line: as the user we are we can still read it."""
    root = Project.here().root
    outside = (
        place for place in tool_folders(tools) if not root.is_relative_to(place)
    )  # never solutions, hidden tests
    reading = ["/usr", *(f"/{name}" for name in SYSTEM_FOLDERS), *SYSTEM_FILES, *outside]
    writing = ["/dev/null", "/dev/zero", "/dev/urandom", *([str(folder)] if folder is not None else [])]
    return landlock.command(reading, writing)


def _bubblewrap(options: frozenset[str], tools: Sequence[str], temporary_bytes: int) -> list[str]:
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
    return [*words, "--chdir", "/tmp", "--hostname", "sandbox", "--remount-ro", "/dev", "--remount-ro", "/"]


@functools.cache
def _system_links() -> tuple[str, ...]:
    """/bin, /lib and their like, and what programs need of /etc."""
    words: list[str] = []
    for name in SYSTEM_FOLDERS:
        path = Path("/") / name
        if path.is_symlink():
            words += ["--symlink", str(path.readlink()).lstrip("/"), str(path)]
        elif path.is_dir():
            words += ["--ro-bind", str(path), str(path)]
    for file in filter(os.path.exists, SYSTEM_FILES):
        words += ["--ro-bind", file, file]
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
    """The part of the command line that sets the limits: prlimit of util-linux, elsewhere a shell."""
    if shutil.which("prlimit", path=SYSTEM_PATH) is None:
        numbers = (limits.cpu_seconds, limits.file_size >> 9, limits.open_files, limits.address_space >> 10)
        return ["/bin/sh", "-c", LIMITED, *map(str, numbers)]
    processes = limits.processes if os.getuid() == 0 else limits.processes + own_processes() + MEANWHILE
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
        return ["/bin/sh", "-c", WATCHED, str(os.getpid())]
    words = ["setpriv", "--no-new-privs", "--inh-caps=-all"]
    if os.getuid() == 0:
        words += [f"--reuid={user}", f"--regid={user}", "--clear-groups", "--bounding-set=-all"]
    return [*words, "--pdeathsig=KILL", "--", "/bin/sh", "-c", WITH_ITS_PARENT, str(os.getpid())]


def _end_all_of(user: int) -> None:
    """Without a sandbox, as root: end whatever the command left behind under its user id."""
    if os.getuid() == 0 and user != NOBODY and shutil.which("setpriv", path=SYSTEM_PATH):
        words = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "/bin/kill", "-9", "--", "-1"]
        subprocess.run(words, check=False, capture_output=True, env=ENVIRONMENT)
