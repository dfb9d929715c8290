"""Runs the kernel's Makefile in the sandbox: sources go in as a tar on a pipe, what was built comes back as another.

No folder of the host is mounted for it, so nothing of the host can be included, nothing can be overwritten, and nothing
is left behind. What may be used again from an earlier build (`reuse`) goes in as well; times in the tars tell make what
changed since: reused objects are newer than unchanged sources and older than changed ones.

Everything that a hand-in can make a compiler do is bounded: memory, CPU time and file size of each process, the number
of processes, the space for all files. Who exceeds it has a hand-in that does not compile.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
import tarfile
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from grader.builds.compiler_message import explain, was_starved
from grader.faults import HandinFault, Ungradable
from grader.host.sandbox import Completed, Limits, Sandbox
from grader.host.toolchain import Toolchain

LIMITS = Limits(address_space=512 << 20, cpu_seconds=5, file_size=16 << 20, processes=64, open_files=256)
WORK_BYTES = 128 << 20  # sources, objects and temporary files together
RESULT_BYTES = 64 << 20
MESSAGE_BYTES = 256 << 10
WALL_SECONDS = 180.0  # only to end what hangs on a machine that is overloaded: nobody loses points by it
NO_SOURCES, NO_RESULT, NOT_COMPILED = 97, 96, 95  # statuses that no tool around make ends with

# Seconds since 1970, in the order that make has to see; REUSED_STAMP is the same moment for `touch`.
UNCHANGED, REUSED, CHANGED = 1_000_000_000, 1_000_000_001, 1_000_000_002
REUSED_STAMP = "200109090146.41"

# The shell that runs inside. $1 says "part" where it is enough that some files compile, the others are make and what it
# is told. Results go to descriptor 3, messages to 2.
SCRIPT = f"""
trap "" XFSZ  # a file that becomes too large is an error of who writes it, not the end of make
mkdir -p tree out && tar -xf - || exit {NO_SOURCES}
exec 3>&1 1>&2 </dev/null
part=$1; shift
make=$1; shift
"$make" -C tree/kernel -k -s --no-print-directory "$@"
status=$?
[ $status -eq 2 ] && [ "$part" = part ] && status=0
[ $status -eq 2 ] && exit {NOT_COMPILED}
[ $status -eq 0 ] || exit $status
find out -type f -exec env TZ=UTC0 touch -t {REUSED_STAMP} {{}} + &&
    COPYFILE_DISABLE=1 tar -cf - out >&3 || exit {NO_RESULT}
"""
WANTED = re.compile(r"(?:(?:kernel|bootstrap)\.(?:elf|bin)|(?:user|probes)/[A-Za-z0-9_.+-]+\.elf)")


class BuildFailed(HandinFault):
    """The answer does not compile. `str()` is the compiler's message, first error first, harmless to show."""


@dataclass(frozen=True)
class Compiled:
    """What make built: the wanted files by name (kernel.elf, user/shell.elf), and all of it as a tar, to be reused."""

    files: Mapping[str, bytes]
    archive: bytes


def compile_tree(
    files: Mapping[str, bytes],
    sandbox: Sandbox,
    toolchain: Toolchain,
    *,
    optimize: str,
    targets: Sequence[str] = (),
    reuse: Sequence[bytes] = (),
    changed: Collection[str] = (),
    part: bool = False,
) -> Compiled:
    """Run make on `files` (paths to contents) for `targets` (default: all).

    `reuse` are archives of earlier builds, `changed` the paths that are different in this one, `part`
    that what does not compile may be left out.
    Raises BuildFailed with the compilers' messages, Ungradable when it is not the files' fault.
    """
    sources = joined(_tar_of(files, "tree/", changed), *reuse)
    settings = ["OUT=../../out", f"CROSS={toolchain.cross}", f"OPT={optimize}"]
    argv = ["/bin/sh", "-c", SCRIPT, "build", "part" if part else "all"]
    argv += [toolchain.make, *_parallel(sandbox), *settings, *targets]
    with _work_folder(sandbox) as folder:
        try:
            done = replace(sandbox, tools=toolchain.tools).run(
                argv,
                LIMITS,
                stdin=sources,
                folder=folder,
                wall_seconds=WALL_SECONDS,
                output_bytes=RESULT_BYTES,
                error_bytes=MESSAGE_BYTES,
                temporary_bytes=WORK_BYTES,
            )
        except OSError as error:
            raise Ungradable(f"the compiler could not be started: {error}") from error
        _judge(done, f"{folder or '/tmp'}/tree")
    try:
        return Compiled(_wanted(done.output), done.output)
    except tarfile.TarError as error:
        raise Ungradable(f"what came back from the sandbox cannot be read: {error}") from error


def _judge(done: Completed, folder: str) -> None:
    """Raise BuildFailed or Ungradable unless the build went well."""
    if done.out_of_time:
        raise Ungradable(f"the compiler did not come to an end within {WALL_SECONDS:.0f} s of real time")
    if done.too_much_output:
        raise BuildFailed(f"what is built is larger than {RESULT_BYTES >> 20} MB in all: is there a huge table in it?")
    if done.status == NO_SOURCES:
        raise Ungradable("the sources could not be put into the sandbox: " + explain(done.errors, folder))
    if done.status in (NOT_COMPILED, NO_RESULT):
        if was_starved(done.errors):
            raise Ungradable(
                "a compiler was killed from outside, or could not be started: has this machine too little memory, "
                "or has this user too many processes?"
            )
        raise BuildFailed(explain(done.errors, folder))
    if done.status != 0:
        raise Ungradable(f"the build ended with status {done.status}: " + explain(done.errors, folder))


def _parallel(sandbox: Sandbox) -> list[str]:
    """How many compilers run at once, the messages of each kept together."""
    if sandbox.landlock:  # for -O make needs a file in /tmp, whatever TMPDIR says
        return ["-j1"]
    return [f"-j{max(1, min(4, os.cpu_count() or 1))}", "-Otarget"]


@contextlib.contextmanager
def _work_folder(sandbox: Sandbox) -> Iterator[Path | None]:
    """A private folder when there is no sandbox with a /tmp of its own."""
    if sandbox.active:
        yield None
        return
    folder = Path(tempfile.mkdtemp(prefix="kernelist-build-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def joined(*archives: bytes) -> bytes:
    """Several tars as one: what stands at the end of each, for any tar to stop there, is left out but for the last."""
    ends = []
    archives = tuple(filter(None, archives))
    for archive in archives:
        with tarfile.open(fileobj=io.BytesIO(archive)) as members:
            members.getmembers()
            ends.append(members.offset)
    parts = [archive[:end] for archive, end in zip(archives, ends, strict=True)]
    return b"".join(parts) + bytes(2 * tarfile.BLOCKSIZE)


def _tar_of(files: Mapping[str, bytes], prefix: str, changed: Collection[str]) -> bytes:
    result = io.BytesIO()
    with tarfile.open(fileobj=result, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path, content in sorted(files.items()):
            member = tarfile.TarInfo(prefix + path)
            member.size, member.mtime = len(content), CHANGED if path in changed else UNCHANGED
            archive.addfile(member, io.BytesIO(content))
    return result.getvalue()


def _wanted(archive: bytes) -> dict[str, bytes]:
    """The files that are used, out of the tar that came from the sandbox, which may hold anything."""
    found = {}
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:") as members:
        for member in members:
            name = member.name.removeprefix("out/")
            if member.isreg() and not member.issparse() and WANTED.fullmatch(name):
                file = members.extractfile(member)
                found[name] = file.read() if file is not None else b""
    return found
