"""Builds a tree: kernel, programs and probes, once for every content, reusing what did not change.

The cache is addressed by content: a build's folder is named by the hash of the tree, the tools and the options, so the
same tree is never built twice and nothing in it ever becomes stale (see cache.py).

    .cache/builds/KEY/   entry.json · tree/ · kernel.elf kernel.bin bootstrap.bin · user/*.elf · probes/*.elf
                         [objects.tar objects.json]
    .cache/probes/KEY/   entry.json · probes.tar

A build starts from the objects of an earlier one with few differences, and make compiles the rest. Only the project's
own builds (baseline, starter, reference, mutants) are kept for that, never a hand-in's: nothing that a stranger's code
did to a compiler can get into another's kernel. Where there is no such build yet, the files that do not depend on the
answer are compiled first. Probes are compiled apart, in the tree without the answer, once for a lab, so that no header
of a hand-in changes what they do; then they are linked with the tree's own user library, as its other programs are.
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
import tarfile
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from grader.builds.cache import find_or_make
from grader.builds.compile import BuildFailed, Compiled, compile_tree
from grader.builds.image import ImageError, compose_image, stripped
from grader.faults import Ungradable
from grader.host.sandbox import Sandbox
from grader.host.toolchain import Toolchain, find_toolchain
from grader.labs.tree import Tree
from grader.paths import Project

__all__ = ["Build", "BuildFailed", "build_tree", "compile_tree"]

FORMAT = 3  # of the cache's folders: another number makes all old ones unused
PROBE_BYTES = 64 << 10  # room that is left on the disk image for a probe and its parameters
# Where these differ, or a file is gone, or a new header hides another, make cannot know what to compile again.
DECIDE_ALL = ("Makefile", ".ld")
COMPILERS_OWN = ("float.h", "limits.h", "stdalign.h", "stdarg.h", "stdatomic.h", "stdbool.h", "stddef.h", "stdint.h")


@dataclass(frozen=True)
class Build:
    """What was built, in the cache: never write there. `programs` and `probes` map a name to its ELF file."""

    tree: Path
    output: Path
    kernel_elf: Path
    kernel_bin: Path
    bootstrap_bin: Path
    programs: Mapping[str, Path]
    probes: Mapping[str, Path]


@dataclass(frozen=True)
class _Bench:
    """Where and with what is built."""

    cache: Path
    sandbox: Sandbox
    toolchain: Toolchain
    optimize: str

    def key(self, *parts: str) -> str:
        words = [str(FORMAT), self.toolchain.identity, self.toolchain.cross, self.optimize, *parts]
        return hashlib.sha256("\n".join(words).encode()).hexdigest()[:32]

    def options(self) -> str:
        """What two builds must share so that one can use the other's objects."""
        return self.key("objects")

    def compile(
        self,
        files: Mapping[str, bytes],
        *targets: str,
        earlier: _Earlier | None = None,
        probes: _Probes | None = None,
        part: bool = False,
    ) -> Compiled:
        """Run make. What `earlier` and `probes` hold is used again; `probes` whatever the sources are."""
        reuse = [earlier.archive(probes)] if earlier else []
        return compile_tree(
            files,
            self.sandbox,
            self.toolchain,
            optimize=self.optimize,
            targets=targets,
            reuse=[*reuse, *([probes.objects.read_bytes()] if probes else [])],
            changed=earlier.differences(_hashes(_kernel_files(files))) if earlier else (),
            part=part,
        )


@dataclass(frozen=True)
class _Probes:
    """The compiled probes of a lab: what stands for all that they were made of, and their objects."""

    digest: str
    objects: Path


@dataclass(frozen=True)
class _Earlier:
    """A build of the project's own whose objects can be used: the hashes of its sources, its probes, its objects."""

    sources: Mapping[str, str]
    probes: str
    objects: Path

    def archive(self, probes: _Probes | None) -> bytes:
        """All that it built; linked probes only if they are made of these very objects."""
        archive = self.objects.read_bytes()
        if probes is not None and probes.digest == self.probes:
            return archive
        return _members(archive, lambda name: not name.startswith(("out/objects/probes/", "out/probes/")))

    def differences(self, sources: Mapping[str, str]) -> frozenset[str]:
        """The paths of `sources` that were different or absent."""
        return frozenset(path for path, value in sources.items() if self.sources.get(path) != value)

    def fits(self, sources: Mapping[str, str]) -> bool:
        """Whether make, told which files differ, does all that is needed."""
        if not self.sources.keys() <= sources.keys():
            return False  # make does not notice that a file is gone
        names = Counter(path.rsplit("/", 1)[-1] for path in sources)
        return not any(
            path.endswith(DECIDE_ALL) or (path not in self.sources and _may_hide_another(path, names))
            for path in self.differences(sources)
        )


def build_tree(project: Project, tree: Tree, sandbox: Sandbox, *, optimize: str = "-O2") -> Build:
    """Build `tree`, or find it built. Raises BuildFailed (0 points) or Ungradable (no compiler, disk full)."""
    bench = _Bench(project.cache, sandbox, find_toolchain(), optimize)
    try:
        return _build(bench, tree)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            reason = f"the disk of {bench.cache} is full: make room there, or point XDG_CACHE_HOME elsewhere"
            raise Ungradable(reason) from error
        raise Ungradable(f"the cache {bench.cache} cannot be used: {error}") from error


def _build(bench: _Bench, tree: Tree) -> Build:
    key = bench.key("probes", tree.given_digest)
    folder = find_or_make(bench.cache, "probes", key, lambda: _compile_probes(bench, tree))
    probes = _Probes(tree.given_digest, folder / "probes.tar")
    key = bench.key("tree", tree.digest, tree.given_digest)
    output = find_or_make(bench.cache, "builds", key, lambda: _compile_kernel(bench, tree, probes))
    return Build(
        tree=output / "tree",
        output=output,
        kernel_elf=output / "kernel.elf",
        kernel_bin=output / "kernel.bin",
        bootstrap_bin=output / "bootstrap.bin",
        programs=_programs(output / "user"),
        probes=_programs(output / "probes"),
    )


def _programs(folder: Path) -> dict[str, Path]:
    return {file.stem: file for file in sorted(folder.glob("*.elf"))}


def _compile_probes(bench: _Bench, tree: Tree) -> dict[str, bytes]:
    """The objects of the grader's own programs, compiled from nothing but our files."""
    targets = [f"../../out/objects/{path}.o" for path in sorted(tree.probes) if path.endswith(".c")]
    try:
        built = bench.compile({**tree.given, **tree.probes}, *targets) if targets else None
    except BuildFailed as failure:
        raise Ungradable(f"the grader's own probes do not compile:\n{failure}") from failure
    # Without the lists of headers that they depend on: they are never compiled again.
    return {"probes.tar": _members(built.archive, _is_probe_object) if built else b""}


def _compile_kernel(bench: _Bench, tree: Tree, probes: _Probes) -> dict[str, bytes]:
    earlier = _nearest(bench, _hashes(tree.files)) or _compile_given(bench, tree)
    built = bench.compile({**tree.files, **tree.probes}, earlier=earlier, probes=probes)
    missing = [name for name in ("kernel.elf", "kernel.bin", "bootstrap.bin") if name not in built.files]
    if missing:
        raise Ungradable(f"the Makefile made no {missing[0]}")
    _check_that_it_boots(built.files)
    content = dict(built.files)
    content |= {f"tree/{path}": data for path, data in {**tree.files, **tree.probes}.items()}
    if tree.trusted:
        content |= _kept_objects(bench, built, tree.files, probes.digest)
    return content


def _check_that_it_boots(files: Mapping[str, bytes]) -> None:
    """Raise BuildFailed when kernel and programs together are too large for the boot sector, or a program is odd."""
    programs = {Path(name).stem: data for name, data in files.items() if name.startswith("user/")}
    try:
        archive = {name: stripped(data) for name, data in programs.items()}
        compose_image(files["bootstrap.bin"], files["kernel.bin"], {**archive, "parameters": bytes(PROBE_BYTES)})
    except ImageError as error:
        raise BuildFailed(f"no disk image can be made of it: {error}") from error


def _compile_given(bench: _Bench, tree: Tree) -> _Earlier | None:
    """Compile what is the same for every answer, to be reused: all sources that the answer does not replace.

    A source that cannot be compiled without the answer (it includes a header of it) is left to the next step.
    """
    sources = {path: data for path, data in tree.given.items() if tree.files[path] == data}
    objects = [path for path in sorted(sources) if path.endswith((".c", ".asm")) and path != "kernel/bootstrap.asm"]

    def compiled() -> dict[str, bytes]:
        built = bench.compile(sources, *(f"../../out/objects/{path}.o" for path in objects), part=True)
        return _kept_objects(bench, built, sources, "")

    folder = find_or_make(bench.cache, "builds", bench.key("given", *sorted(_hashes(sources).values())), compiled)
    return _read_earlier(folder, bench.options())


def _kept_objects(bench: _Bench, built: Compiled, sources: Mapping[str, bytes], probes: str) -> dict[str, bytes]:
    index = {"options": bench.options(), "sources": _hashes(sources), "probes": probes}
    return {"objects.tar": built.archive, "objects.json": json.dumps(index).encode()}


def _is_probe_object(name: str) -> bool:
    return name.startswith("out/objects/probes/") and name.endswith(".o")


def _members(archive: bytes, wanted: Callable[[str], bool]) -> bytes:
    """A tar with the wanted ones of the files in another. Raises Ungradable when it cannot be read."""
    result = io.BytesIO()
    try:
        with tarfile.open(fileobj=io.BytesIO(archive)) as source, tarfile.open(fileobj=result, mode="w") as target:
            for member in source:
                if member.isreg() and wanted(member.name):
                    target.addfile(member, source.extractfile(member))
    except tarfile.TarError as error:
        raise Ungradable(f"what came back from the sandbox cannot be read: {error}") from error
    return result.getvalue()


def _nearest(bench: _Bench, sources: Mapping[str, str]) -> _Earlier | None:
    """Of the project's own builds the one that differs in the fewest files."""
    best: _Earlier | None = None
    for file in (bench.cache / "builds").glob("*/objects.json"):
        earlier = _read_earlier(file.parent, bench.options())
        if earlier is None or not earlier.fits(sources):
            continue
        if best is None or len(earlier.differences(sources)) < len(best.differences(sources)):
            best = earlier
    return best


def _read_earlier(folder: Path, options: str) -> _Earlier | None:
    try:
        index = json.loads((folder / "objects.json").read_bytes())
    except (OSError, ValueError):
        return None  # it has none, or was just removed
    return _Earlier(index["sources"], index["probes"], folder / "objects.tar") if index["options"] == options else None


def _may_hide_another(path: str, names: Mapping[str, int]) -> bool:
    """Whether a new header is found instead of another that was found before.

    An include is looked for beside the file it stands in, then in kernel/, then among the compiler's own headers.
    """
    folder, _, name = path.rpartition("/")
    return name in COMPILERS_OWN or (path.endswith((".h", ".inc")) and folder != "kernel" and names[name] > 1)


def _kernel_files(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Without the probes' sources, which are never compiled together with an answer."""
    return {path: content for path, content in files.items() if not path.startswith("probes/")}


def _hashes(files: Mapping[str, bytes]) -> dict[str, str]:
    return {path: hashlib.sha256(content).hexdigest()[:32] for path, content in files.items()}
