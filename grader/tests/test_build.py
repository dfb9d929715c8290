"""Builds: what comes out, that it is never built twice, and that it is the same bytes every time."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from grader.builds import build as build_module
from grader.builds import cache
from grader.builds.build import Build, BuildFailed, build_tree
from grader.builds.compile import Compiled
from grader.builds.image import stripped
from grader.faults import Ungradable
from grader.host import toolchain
from grader.host.sandbox import Sandbox, unsandboxed
from grader.labs.lab_file import Lab
from grader.labs.tree import Answer, Tree, compose
from grader.paths import Project
from grader.tests.small_project import put, small_lab, small_project

SANDBOX = Sandbox.detect()
ROOT = Path(__file__).resolve().parents[2]
# Another grader, which builds the reference of the project that it is given and says where it is.
GRADER = """
import pathlib, sys
from grader.builds.build import build_tree
from grader.labs.lab_file import load_lab
from grader.paths import Project
from grader.host.sandbox import Sandbox
from grader.labs.tree import Answer, compose
project = Project(pathlib.Path(sys.argv[1]))
tree, sandbox = compose(project, load_lab(project, "small"), Answer("reference")), Sandbox.detect()
print("go", flush=True)
print(build_tree(project, tree, sandbox).output)
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A small project in a folder with a space in its name."""
    return small_project(tmp_path / "a checkout")


@pytest.fixture
def lab(project: Project) -> Lab:
    """Its lab."""
    return small_lab(project)


@pytest.fixture
def compilations(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """For each run of the compilers, the paths that were told to have changed (none: all were compiled)."""
    seen: list[tuple[str, ...]] = []
    real = build_module.compile_tree

    def counted(files: dict[str, bytes], *rest: object, **options: object) -> Compiled:
        changed = options["changed"]
        seen.append(tuple(sorted(changed)) if options["reuse"] else ())  # type: ignore[call-overload]
        return real(files, *rest, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(build_module, "compile_tree", counted)
    return seen


def answer(project: Project, lab: Lab, text: str) -> Tree:
    """One of the lab's answers."""
    return compose(project, lab, Answer.parse(text))


def handin(tree: Tree, files: dict[str, str]) -> Tree:
    """A hand-in's tree: these files in place of the answer's."""
    content = {path: text.encode() for path, text in files.items()}
    return replace(tree, files={**tree.files, **content}, answer={**tree.answer, **content}, trusted=False)


def content(build: Build) -> dict[str, bytes]:
    """All that was built."""
    files = [build.kernel_elf, build.kernel_bin, build.bootstrap_bin, *build.programs.values(), *build.probes.values()]
    return {file.name: file.read_bytes() for file in files}


def test_a_tree_is_built(project: Project, lab: Lab) -> None:
    """Kernel, boot sector, programs and probes, and the sources they were built from."""
    build = build_tree(project, answer(project, lab, "reference"), SANDBOX)
    assert build.bootstrap_bin.stat().st_size == 512
    assert build.kernel_elf.read_bytes()[:4] == b"\x7fELF"
    assert list(build.programs) == ["shell"]
    assert list(build.probes) == ["knock"]
    assert (build.tree / "kernel/message.c").is_file() and (build.tree / "probes/probe.h").is_file()


def test_nothing_is_built_twice(project: Project, lab: Lab, compilations: list[tuple[str, ...]]) -> None:
    """The second time it is found, whatever is asked for in between."""
    first = build_tree(project, answer(project, lab, "reference"), SANDBOX)
    build_tree(project, answer(project, lab, "starter"), SANDBOX)
    count = len(compilations)
    assert build_tree(project, answer(project, lab, "reference"), SANDBOX) == first
    assert len(compilations) == count


def test_only_what_changed_is_compiled(project: Project, lab: Lab, compilations: list[tuple[str, ...]]) -> None:
    """Everything else comes from an earlier build of the project's own; probes are built once for a lab."""
    build_tree(project, answer(project, lab, "reference"), SANDBOX)
    compilations.clear()
    build_tree(project, answer(project, lab, "mutant:doubled"), SANDBOX)
    assert compilations == [("kernel/message.c",)]


def test_a_hand_in_is_built_from_our_objects(project: Project, lab: Lab, compilations: list[tuple[str, ...]]) -> None:
    """Even when nothing was built before: what no hand-in replaces is compiled first, and kept."""
    tree = answer(project, lab, "starter")
    build_tree(project, handin(tree, {"kernel/message.c": "int message_send(int a) { return a; }\n"}), SANDBOX)
    assert compilations == [(), (), ("kernel/message.c",)]  # probes, what is given, the hand-in


def test_a_hand_in_leaves_nothing_for_others(project: Project, lab: Lab) -> None:
    """Its objects are not kept; only builds of the project's own files are."""
    tree = answer(project, lab, "starter")
    mine = handin(tree, {"kernel/message.c": '#include "types.h"\nint message_send(int a)\n{\n    return a * 77;\n}\n'})
    assert not (build_tree(project, mine, SANDBOX).output / "objects.tar").exists()
    assert (build_tree(project, tree, SANDBOX).output / "objects.tar").exists()


def test_the_same_tree_gives_the_same_bytes(project: Project, lab: Lab, tmp_path: Path) -> None:
    """In another place, from scratch or on top of another build: reuse changes nothing but time."""
    twin = small_project(tmp_path / "elsewhere/a twin")
    build_tree(twin, answer(twin, small_lab(twin), "starter"), SANDBOX)
    mutant = content(build_tree(twin, answer(twin, small_lab(twin), "mutant:doubled"), SANDBOX))
    assert content(build_tree(project, answer(project, lab, "mutant:doubled"), SANDBOX)) == mutant


def test_without_a_sandbox_the_same_is_built(project: Project, lab: Lab, tmp_path: Path) -> None:
    """Only nasm's debug information names the folder it worked in."""
    twin = small_project(tmp_path / "elsewhere/a twin")
    for text in ("starter", "reference", "mutant:doubled"):
        mine = build_tree(project, answer(project, lab, text), unsandboxed("for this test"))
        theirs = build_tree(twin, answer(twin, small_lab(twin), text), SANDBOX)
        assert mine.kernel_bin.read_bytes() == theirs.kernel_bin.read_bytes()
        assert stripped(mine.programs["shell"].read_bytes()) == stripped(theirs.programs["shell"].read_bytes())
    assert not [left for left in Path(tempfile.gettempdir()).glob("kernelist-build-*") if left.is_dir()]


def test_an_added_and_a_removed_file_are_noticed(project: Project, lab: Lab) -> None:
    """make would not see that a file is gone; the bytes are those of a build from scratch."""
    plain = answer(project, lab, "reference")
    more = {"kernel/extra.c": b"int extra = 9;\n", "kernel/message_more.h": b"\n"}
    larger = replace(plain, files={**plain.files, **more})
    first = content(build_tree(project, plain, SANDBOX))
    second = content(build_tree(project, larger, SANDBOX))
    assert b"extra.c" in second["kernel.elf"] and b"extra.c" not in first["kernel.elf"]
    put(project.root, {"kernel/new.c": "int new_one;\n"})
    compose_again = answer(project, lab, "reference")
    build_tree(project, compose_again, SANDBOX)
    (project.root / "kernel/new.c").unlink()
    (project.root / "kernel/other.c").write_text('#include "types.h"\nint other = 6;\n')
    third = content(build_tree(project, answer(project, lab, "reference"), SANDBOX))
    assert b"new_one" not in third["kernel.elf"]


def test_a_header_that_hides_another_is_noticed(project: Project, lab: Lab) -> None:
    """A new file beside another, or in place of the compiler's own, is found first; nothing old is reused then."""
    plain = answer(project, lab, "reference")
    build_tree(project, plain, SANDBOX)
    hidden = {"kernel/user/types.h": b"\n", "kernel/stdint.h": b"#error found\n"}
    for path, text in hidden.items():
        changed = replace(plain, files={**plain.files, path: text})
        if path == "kernel/stdint.h":
            with pytest.raises(BuildFailed, match=r"kernel/stdint\.h:1:2: error: #error found"):
                build_tree(project, changed, SANDBOX)
        else:
            build_tree(project, changed, SANDBOX)


def test_probes_are_compiled_from_our_files_only(project: Project, lab: Lab) -> None:
    """A header of a hand-in changes what its kernel is, never what a probe does."""
    probe = '#include "types.h"\nint main(void)\n{\n    return 1234;\n}\n'
    put(project.root, {"labs/small/probes/knock.c": probe})
    tree = answer(project, lab, "reference")
    honest = build_tree(project, tree, SANDBOX).probes["knock"].read_bytes()
    evil = tree.files["kernel/types.h"].decode() + "#define main not_main\nstatic int cheat __attribute__((used));\n"
    cheat = build_tree(project, handin(tree, {"kernel/types.h": evil}), SANDBOX)
    assert cheat.probes["knock"].read_bytes() == honest
    assert b"cheat" in cheat.kernel_elf.read_bytes()


def test_a_changed_probe_is_linked_again(project: Project, lab: Lab) -> None:
    """Also where its object is new though its own source is not: a header of ours changed."""
    put(project.root, {"labs/small/probes/knock.c": '#include "value.h"\nint main(void)\n{\n    return VALUE;\n}\n'})
    found = set()
    for value in ("0x12345678", "0x23456789", "0x12345678"):
        put(project.root, {"labs/small/probes/value.h": f"#define VALUE {value}\n"})
        elf = build_tree(project, answer(project, lab, "reference"), SANDBOX).probes["knock"].read_bytes()
        assert int(value, 16).to_bytes(4, "little") in elf
        found.add(elf)
    assert len(found) == 2


def test_what_does_not_compile_gives_the_compilers_message(project: Project, lab: Lab) -> None:
    """The first error in the first line, named as the student knows the file."""
    broken = handin(answer(project, lab, "starter"), {"kernel/message.c": "int a\nint b;\n"})
    with pytest.raises(BuildFailed) as caught:
        build_tree(project, broken, SANDBOX)
    assert caught.value.headline.startswith("kernel/message.c:1:6: error: expected")


def test_what_does_not_link_gives_the_linkers_message(project: Project, lab: Lab) -> None:
    """A function that was left out."""
    main = "int gone(void);\nint message_send(int a);\nint message_send(int a)\n{\n    return gone() + a;\n}\n"
    with pytest.raises(BuildFailed, match=r"\Akernel/message.c:5: undefined reference to `gone'"):
        build_tree(project, handin(answer(project, lab, "starter"), {"kernel/message.c": main}), SANDBOX)


def test_probes_that_do_not_compile_are_our_fault(project: Project, lab: Lab) -> None:
    """Nobody loses points by it."""
    put(project.root, {"labs/small/probes/knock.c": "broken\n"})
    with pytest.raises(Ungradable, match=r"(?s)the grader's own probes do not compile.*probes/knock\.c:1"):
        build_tree(project, answer(project, lab, "starter"), SANDBOX)


def test_options_are_kept_apart(project: Project, lab: Lab) -> None:
    """A build without optimization is another one."""
    tree = answer(project, lab, "reference")
    assert content(build_tree(project, tree, SANDBOX)) != content(build_tree(project, tree, SANDBOX, optimize="-O0"))


def test_a_damaged_entry_is_built_again(project: Project, lab: Lab) -> None:
    """A machine that crashed may have left short files."""
    tree = answer(project, lab, "reference")
    build = build_tree(project, tree, SANDBOX)
    good = build.kernel_bin.read_bytes()
    build.kernel_bin.write_bytes(b"")
    assert build_tree(project, tree, SANDBOX).kernel_bin.read_bytes() == good
    (build.output / "entry.json").write_text("{")
    assert build_tree(project, tree, SANDBOX).kernel_bin.read_bytes() == good


def test_two_gradings_at_once_share_one_build(project: Project) -> None:
    """The second one waits and finds it."""
    argv = [sys.executable, "-c", GRADER, str(project.root)]
    all_of_them = [subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    outputs = {process.communicate(timeout=60)[0] for process in all_of_them}
    assert len(outputs) == 1 and Path(outputs.pop().split("\n")[1]).is_dir()
    assert not any((project.cache / "unfinished").iterdir())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_build_leaves_no_half_entry(project: Project, number: int) -> None:
    """Ctrl-C or worse at any moment: the next build is whole."""
    for delay in (0.0, 0.1, 0.25):
        argv = [sys.executable, "-c", GRADER, str(project.root)]
        process = subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert process.stdout is not None and process.stdout.readline() == b"go\n"
        time.sleep(delay)
        process.send_signal(number)
        process.communicate(timeout=60)
        for entry in [*(project.cache / "builds").glob("*"), *(project.cache / "probes").glob("*")]:
            sizes = json.loads((entry / "entry.json").read_text())
            assert all((entry / name).stat().st_size == size for name, size in sizes.items())
    assert build_tree(project, compose(project, small_lab(project), Answer("reference")), SANDBOX).kernel_elf.is_file()


def test_a_full_disk_is_ungradable(project: Project, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the place that is full; the next try is whole again."""
    real = cache.write_files

    def full(folder: Path, files: dict[str, bytes]) -> None:
        real(folder, dict(list(files.items())[:3]))
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(cache, "write_files", full)
    with pytest.raises(Ungradable, match=r"the disk of .* is full: make room there"):
        build_tree(project, answer(project, lab, "starter"), SANDBOX)
    assert not any((project.cache / "unfinished").iterdir())
    monkeypatch.setattr(cache, "write_files", real)
    build_tree(project, answer(project, lab, "starter"), SANDBOX)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can mount a small disk")
def test_a_really_full_disk_is_ungradable(project: Project, lab: Lab, tmp_path: Path) -> None:
    """The same with a cache on a disk of 64 KB."""
    small = tmp_path / "a checkout/.cache"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", small], check=False).returncode != 0:
        pytest.skip("nothing can be mounted here")
    try:
        with pytest.raises(Ungradable, match="is full"):
            build_tree(project, answer(project, lab, "starter"), SANDBOX)
    finally:
        subprocess.run(["umount", small], check=True)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can mount a read-only disk")
def test_a_read_only_checkout_is_built_elsewhere(
    project: Project, lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even root can write there; the cache is then the user's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    root = str(project.root)
    for words in (["--bind", root, root], ["-o", "remount,ro,bind", root]):
        if subprocess.run(["mount", *words], check=False).returncode != 0:
            pytest.skip("nothing can be mounted here")
    try:
        build = build_tree(project, answer(project, lab, "starter"), SANDBOX)
        assert build.output.is_relative_to(tmp_path / "cache/kernelist")
    finally:
        subprocess.run(["umount", root], check=True)


def test_a_sandbox_that_breaks_costs_no_points(project: Project, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """What fails around the compiler is the grader's fault."""
    monkeypatch.setattr(Sandbox, "command", lambda *_, **__: ["/bin/sh", "-c", "echo bwrap: no such mount >&2; exit 1"])
    with pytest.raises(Ungradable, match=r"status 1: bwrap: no such mount"):
        build_tree(project, answer(project, lab, "starter"), SANDBOX)


def test_who_waits_for_another_build_says_so_and_not_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A builder that was stopped (Ctrl-Z) holds its lock as long as it likes."""
    monkeypatch.setattr(cache, "SILENT_SECONDS", 0.05)
    monkeypatch.setattr(cache, "PATIENCE", 0.2)
    with cache._locked(tmp_path, "key"):
        (tmp_path / "locks/key").write_text("4711")  # as if it were another process
        made = cache.find_or_make(tmp_path, "builds", "key", lambda: {"file": b"content"})
    assert (made / "file").read_bytes() == b"content"
    assert "waiting for process 4711, which builds the same" in capsys.readouterr().err


def test_old_builds_are_forgotten(project: Project, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """When there are many, those that were not used for a day; what a killed process left goes too."""
    monkeypatch.setattr(cache, "KEPT", 1)
    first = build_tree(project, answer(project, lab, "starter"), SANDBOX)
    leftover = project.cache / "unfinished/x"
    leftover.mkdir()
    for folder in (first.output, leftover):
        os.utime(folder, (1, 1))
    second = build_tree(project, answer(project, lab, "reference"), SANDBOX)
    assert second.output.exists() and not first.output.exists() and not leftover.exists()


@pytest.fixture
def no_tools(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine without compilers."""
    toolchain.find_toolchain.cache_clear()
    monkeypatch.setenv("PATH", "/nowhere")
    yield
    toolchain.find_toolchain.cache_clear()


def test_a_missing_compiler_is_ungradable(project: Project, lab: Lab, no_tools: None) -> None:
    """With the names of all that is missing."""
    with pytest.raises(Ungradable, match=r"not installed: i686-linux-gnu-gcc, .*nasm, make"):
        build_tree(project, answer(project, lab, "starter"), SANDBOX)


def test_a_wrong_prefix_is_ungradable(project: Project, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """CROSS names the compiler; one that is not there is said to be missing."""
    toolchain.find_toolchain.cache_clear()
    monkeypatch.setenv("CROSS", "m68k-")
    with pytest.raises(Ungradable, match="not installed: m68k-gcc"):
        build_tree(project, answer(project, lab, "starter"), SANDBOX)
    toolchain.find_toolchain.cache_clear()
