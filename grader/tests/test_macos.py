"""What macOS has otherwise, tried here: other places and names of programs, none of the calls that only Linux has."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import grader.builds.compile
from grader.builds.build import build_tree
from grader.builds.compile import _tar_of, joined
from grader.faults import Ungradable
from grader.host import programs, sandbox, tools
from grader.host.sandbox import Limits, Sandbox, _detect, unsandboxed
from grader.host.toolchain import find_toolchain, look_for_toolchain
from grader.labs.tree import Answer, compose
from grader.machine import bochs_process, serial, unnamed
from grader.machine.witness import Witness
from grader.paths import Project
from grader.testing import grading
from grader.testing.boots import Boots
from grader.tests.small_project import small_lab, small_project
from grader.tests.test_sandbox import _command_lines, _gone
from grader.tests.test_tools import QEMU

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import lint  # noqa: E402


def test_homebrew_is_searched_after_the_path() -> None:
    """On macOS alone, and no folder twice."""
    assert programs.search_path("darwin", "/usr/bin:/bin") == "/usr/bin:/bin:/opt/homebrew/bin:/usr/local/bin"
    assert programs.search_path("darwin", "/usr/local/bin:/bin") == "/usr/local/bin:/bin:/opt/homebrew/bin"
    assert programs.search_path("darwin", "") == "/opt/homebrew/bin:/usr/local/bin"
    assert programs.search_path("linux", "/usr/bin") == "/usr/bin"


@pytest.fixture
def brewed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Homebrew's folder with the tools that `brew install` gives, and Apple's with an old make."""
    for folder, names in {
        "homebrew/bin": (*(f"i686-elf-{tool}" for tool in ("gcc", "as", "ld", "ar", "objcopy")), "nasm", "gmake"),
        "apple/bin": ("make", "tar"),
    }.items():
        (tmp_path / folder).mkdir(parents=True)
        for name in names:
            (tmp_path / folder / name).write_text("#!/bin/sh\n")
            (tmp_path / folder / name).chmod(0o755)
    monkeypatch.setattr(programs, "HOMEBREW", (str(tmp_path / "homebrew/bin"),))
    return tmp_path


def test_homebrews_tools_build_the_kernel(brewed: Path) -> None:
    """The compiler is i686-elf-gcc and make is gmake, though no PATH names Homebrew."""
    found = look_for_toolchain("darwin", str(brewed / "apple/bin"))
    assert (found.cross, found.make) == ("i686-elf-", str(brewed / "homebrew/bin/gmake"))
    assert str(brewed / "homebrew/bin/i686-elf-gcc") in found.tools and str(brewed / "apple/bin/tar") in found.tools
    assert sandbox.environment(found.tools)["PATH"].startswith(f"{brewed}/homebrew/bin:")
    with pytest.raises(Ungradable, match=r"i686-linux-gnu-gcc, .*nasm"):
        look_for_toolchain("linux", str(brewed / "apple/bin"))


def test_apples_own_make_is_too_old() -> None:
    """It is told with what to install, as every tool is."""
    make = next(tool for tool in tools.TOOLS if tool.what == "GNU make")
    assert make.names[0] == "gmake" and make.packages["brew"] == "make"
    assert not tools.Found(make, Path("/usr/bin/make"), "3.81").fits
    gdb = next(tool for tool in tools.TOOLS if tool.what == "GDB")
    assert {"gdb", "i686-elf-gdb", "x86_64-elf-gdb"} <= set(gdb.names)
    assert all("brew" in tool.packages for tool in tools.TOOLS if "Darwin" in tool.systems)


def test_brews_command_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where brew is what there is."""
    monkeypatch.setattr(programs, "which", lambda name, **_: "/opt/homebrew/bin/brew" if name == "brew" else None)
    assert tools.how_to_install(QEMU) == "brew install qemu"


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A system without what only Linux has."""
    which = shutil.which
    for module, name in ((os, "memfd_create"), (os, "sched_getaffinity"), (fcntl, "F_SETPIPE_SZ")):
        monkeypatch.delattr(module, name, raising=False)
    monkeypatch.setattr(serial, "_SET_PIPE_SIZE", None)
    missing = ("prlimit", "setpriv", "bwrap")
    monkeypatch.setattr(shutil, "which", lambda name, path=None: None if name in missing else which(name, path=path))
    _detect.cache_clear()
    yield
    _detect.cache_clear()


@pytest.mark.usefixtures("elsewhere")
def test_it_says_that_there_is_no_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loudly, and how to have one."""
    monkeypatch.setattr(sys, "platform", "darwin")
    found = Sandbox.detect()
    assert (found.active, found.landlock, found.confines) == (False, False, False)
    assert found.warning.startswith("UNSANDBOXED") and "docs/macos.md" in found.warning
    assert (ROOT / "docs/macos.md").exists()


@pytest.mark.usefixtures("elsewhere")
def test_the_kernel_is_built_and_boots_on_both_machines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the tar of the BSDs where it is installed. The emulators' files have names, and are gone in the end."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    bare = unsandboxed("for this test")
    small = small_project(tmp_path / "a checkout")
    with monkeypatch.context() as patched:
        (tmp_path / "bin").mkdir()
        (tmp_path / "bin/tar").symlink_to(shutil.which("bsdtar") or shutil.which("tar") or "")
        patched.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
        find_toolchain.cache_clear()
        build_tree(small, compose(small, small_lab(small), Answer("reference")), bare)
    find_toolchain.cache_clear()
    project = Project.here()
    build = build_tree(project, compose(project, None, Answer("none")), bare)
    for witness in Witness:
        if witness is Witness.BOCHS and not shutil.which("bochs"):
            continue
        with Boots(build, seed="macos", test="macos", sandbox=bare, witness=witness) as boot:
            machine = boot(None, guest_seconds=10)
            machine.wait_for_serial(b"shell ready")
            assert list((tmp_path / "temporary").iterdir())
    assert not list((tmp_path / "temporary").iterdir())
    assert grading.processors() == os.cpu_count()


@pytest.mark.usefixtures("elsewhere")
def test_a_file_has_a_name_until_it_is_closed() -> None:
    """Where a descriptor cannot be opened anew by its number."""
    file = unnamed.unnamed_file(b"content")
    path = Path(unnamed.path_of(file))
    assert path.read_bytes() == b"content" and os.read(file, 3) == b"con"
    unnamed.close_file(file)
    assert not path.exists()


@pytest.mark.usefixtures("elsewhere")
def test_a_shell_sets_the_limits() -> None:
    """Those that it knows."""
    limits = Limits(cpu_seconds=7, file_size=1 << 20, open_files=99, address_space=1 << 30)
    done = unsandboxed("for this test").run(["/bin/sh", "-c", "ulimit -t -f -n -c; ulimit -a"], limits)
    said = done.output.decode().split()
    assert {"7", "2048", "99", "1048576"} <= set(said), done


def test_who_is_left_alone_ends() -> None:
    """Without the system's help, a second after the grader was killed."""
    mark = f"63.{os.getpid()}{time.monotonic_ns()}"
    script = (
        "import shutil; which = shutil.which\n"
        "shutil.which = lambda name, path=None: None if name == 'setpriv' else which(name)\n"
        f"from grader.host.sandbox import unsandboxed; unsandboxed('x').run(['/bin/sleep', '{mark}'])"
    )
    grader = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT)
    deadline = time.monotonic() + 20
    while f"\n/bin/sleep {mark}" not in _command_lines() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert f"\n/bin/sleep {mark}" in _command_lines()
    grader.send_signal(signal.SIGKILL)
    grader.wait()
    assert _gone(mark)


@pytest.mark.parametrize(
    ("line", "portable"),
    [
        ("sed -i 's/a/b/' file", False),
        ("sed -n 's/^-i //p' file", True),
        ("x=$(readlink -f $0)", False),
        ("link=$(readlink -- $0)", True),
        ("date -d @0", False),
        ("cp -a kernel copy", False),
        ("cp -R -p kernel copy", True),
        ("stat -c %u file", False),
        ("find . -name x -printf %p", False),
        ("find . -name x -exec rm {} +", True),
        ("ls | xargs -r rm", False),
        ("\t@grep -nP x y", False),
        ("grep -F -f x", True),
        ("tar -xif -", False),
        ("tar -xf - && tar -cf - out", True),
        ("exit 0  # readlink -f would do on Linux", True),
    ],
)
def test_gnus_own_flags_are_found(line: str, portable: bool) -> None:
    """By the check that looks through scripts and makefiles. What the grader gives to a shell passes it too."""
    assert (lint.portable(line) == []) is portable
    assert lint.portable(grader.builds.compile.SCRIPT) == lint.portable(bochs_process.SCRIPT) == []


SHELLS = [shell for shell in (["dash"], ["bash", "--posix"], ["busybox", "sh"]) if shutil.which(shell[0])]


@pytest.mark.parametrize("shell", SHELLS, ids=[shell[0] for shell in SHELLS])
def test_set_up_says_what_homebrew_installs(tmp_path: Path, shell: list[str]) -> None:
    """On a Mac with nothing: in any POSIX shell, with no tool but those of POSIX."""
    (tmp_path / "uname").write_text('#!/bin/sh\n[ "$1" = -m ] && echo arm64 || echo Darwin\n')
    (tmp_path / "uname").chmod(0o755)
    for name in ("sh", "dirname", "cat", "sed", "cksum", "cmp", "id"):
        (tmp_path / name).symlink_to(shutil.which(name) or "")
    words = [shutil.which(shell[0]) or "", *shell[1:], str(ROOT / "tools/set_up.sh"), "build", "debug", "check"]
    done = subprocess.run(words, env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "not found" not in done.stderr, done
    listed = next(line for line in done.stderr.splitlines() if "brew install" in line).split()
    for tool in tools.TOOLS:
        assert "Darwin" not in tool.systems or set(tool.packages["brew"].split()) <= set(listed), tool
    assert "(gmake)" in done.stderr and "docs/macos.md" in done.stderr


def test_archives_are_joined_for_any_tar() -> None:
    """No option of GNU's tar is needed to read on behind the end of the first."""
    one, two = _tar_of({"a": b"1", "z": bytes(2048)}, "x/", ()), _tar_of({"b": b"2"}, "y/", ())
    done = subprocess.run(["tar", "-tf", "-"], input=joined(one, b"", two), capture_output=True, check=True)
    assert done.stdout.split() == [b"x/a", b"x/z", b"y/b"]
