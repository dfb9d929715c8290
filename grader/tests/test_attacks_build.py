"""Attacks by what is compiled: each states its outcome. All of them run in the sandbox, are bounded, and harm nothing.

A hand-in is compiled by our Makefile, with our linker script, in a sandbox that holds its tree and the tools. So a
hand-in cannot read anything of the host, and whoever makes a compiler use too much gets 0 points and a sentence.
"""

from __future__ import annotations

import re
import time
from dataclasses import replace
from pathlib import Path

import pytest

import grader.builds.compile
from grader.builds.build import Build, BuildFailed, build_tree
from grader.faults import HandinFault
from grader.host.sandbox import Sandbox
from grader.labs.lab_file import Lab
from grader.labs.tree import Answer, Tree, compose
from grader.paths import Project
from grader.tests.small_project import put, small_lab, small_project

SANDBOX = Sandbox.detect()
pytestmark = pytest.mark.skipif(not SANDBOX.active, reason=SANDBOX.warning)

GOOD = '#include "types.h"\nint message_send(int value)\n{\n    return value;\n}\n'


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A small project, built once: what the attacks of this file share with each other is its cache."""
    made = small_project(tmp_path_factory.mktemp("attacks") / "a checkout")
    put(made.root, {"solutions/small/tests/test_hidden.py": "HIDDEN = 1\n"})
    build_tree(made, compose(made, small_lab(made), Answer("reference")), SANDBOX)
    return made


@pytest.fixture
def lab(project: Project) -> Lab:
    """Its lab."""
    return small_lab(project)


def hand_in(project: Project, lab: Lab, folder: Path, files: dict[str, str]) -> Build:
    """Build a hand-in: these files, beside a good kernel/message.c."""
    put(folder, {"kernel/message.c": GOOD, **files})
    return build_tree(project, compose(project, lab, Answer("path", str(folder))), SANDBOX)


def message(project: Project, lab: Lab, folder: Path, files: dict[str, str]) -> str:
    """Why a hand-in gets 0 points."""
    with pytest.raises(BuildFailed) as caught:
        hand_in(project, lab, folder, files)
    return str(caught.value)


HOST_FILES = ["/etc/passwd", "/etc/hostname", "/root/.bashrc", "/var/log/dpkg.log"]


@pytest.mark.parametrize("path", HOST_FILES)
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("kernel/extra.c", '#include "{}"\n'),
        ("kernel/extra.c", 'asm(".incbin \\"{}\\"");\n'),
        ("kernel/extra.c", 'asm(".include \\"{}\\"");\n'),
        ("kernel/more.asm", 'incbin "{}"\n'),
        ("kernel/more.asm", '%include "{}"\n'),
    ],
    ids=["include", "incbin", "gas-include", "nasm-incbin", "nasm-include"],
)
def test_files_of_the_host_cannot_be_included(
    project: Project, lab: Lab, tmp_path: Path, name: str, text: str, path: str
) -> None:
    """They are not there: the compiler says so, and nothing of them is in its message. 0 points."""
    said = message(project, lab, tmp_path / "in", {name: text.format(path)})
    assert path in said
    assert "root:" not in said
    assert re.search("No such file|not found|unable to (open|get length)", said)


def test_solutions_and_hidden_tests_cannot_be_included(project: Project, lab: Lab, tmp_path: Path) -> None:
    """Neither by their place on the host nor by a path from the tree. 0 points."""
    for path in (
        project.solution("small") / "kernel/message.c",
        project.solution("small") / "tests/test_hidden.py",
        project.cache / "builds",
        "../solutions/small/kernel/message.c",
        "../../solutions/small/tests/test_hidden.py",
        "../labs/small/lab.toml",
    ):
        said = message(project, lab, tmp_path / "in", {"kernel/extra.c": f'#include "{path}"\n'})
        assert "No such file" in said


def test_the_environment_cannot_be_included(
    project: Project, lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What /proc shows inside is the sandbox's own. 0 points or a kernel without a secret."""
    monkeypatch.setenv("KERNELIST_SECRET", "hidden-value")
    for path in ("/proc/self/environ", "/proc/1/environ", "/proc/1/cmdline", "/proc/self/mountinfo"):
        try:
            build = hand_in(project, lab, tmp_path / "in", {"kernel/extra.c": f'asm(".data; .incbin \\"{path}\\"");\n'})
        except BuildFailed as failure:
            assert "hidden-value" not in str(failure)
        else:
            assert b"hidden-value" not in build.kernel_elf.read_bytes()
            assert str(project.root).encode() not in build.kernel_elf.read_bytes()


@pytest.mark.parametrize("path", ["/dev/zero", "/dev/stdin", "/dev/tty", "/proc/self/fd/0"])
def test_devices_cannot_be_included(project: Project, lab: Lab, tmp_path: Path, path: str) -> None:
    """None of them blocks or runs on for ever. 0 points, or nothing was in it."""
    began = time.monotonic()
    for name, text in (("kernel/extra.c", f'#include "{path}"\n'), ("kernel/more.asm", f'incbin "{path}", 0, 16\n')):
        try:
            hand_in(project, lab, tmp_path / "in", {name: text})
        except BuildFailed as failure:
            assert str(failure)
    assert time.monotonic() - began < 60


def test_a_makefile_or_a_linker_script_is_not_taken(project: Project, lab: Lab, tmp_path: Path) -> None:
    """Ours are used, with a note. The hand-in is graded as if they were not there."""
    evil = "all:\n\ttouch /tmp/evil\n\techo forged > $(OUT)/kernel.bin\n"
    files = {"kernel/message.c": GOOD, "kernel/Makefile": evil, "kernel/link.ld": "evil", "kernel/user/user.ld": "evil"}
    tree = compose(project, lab, Answer("path", str(put(tmp_path / "in", files))))
    assert len(tree.notes) == 3
    assert all("ours is used" in note for note in tree.notes)
    good = hand_in(project, lab, tmp_path / "good", {})
    assert build_tree(project, tree, SANDBOX).kernel_elf.read_bytes() == good.kernel_elf.read_bytes()


def test_a_name_cannot_command_make(project: Project, lab: Lab, tmp_path: Path) -> None:
    """Even if such a file got into a tree: not taken from a hand-in. Graded without it."""
    name = "kernel/extra$(shell touch evil).c"
    tree = compose(project, lab, Answer("path", str(put(tmp_path / "in", {"kernel/message.c": GOOD, name: ""}))))
    assert name not in tree.files


def attack_tree(project: Project, lab: Lab, files: dict[str, str]) -> Tree:
    """A hand-in's tree in which even the Makefile is the attacker's: the sandbox must hold on its own."""
    tree = compose(project, lab, Answer("reference"))
    content = {path: text.encode() for path, text in files.items()}
    return replace(tree, files={**tree.files, **content}, trusted=False)


def test_a_compiler_that_was_taken_over_reaches_nothing(project: Project, lab: Lab, tmp_path: Path) -> None:
    """With any command run inside: no network, no host file, nothing stays behind, and results are only taken by name.

    The build comes out with what the attacker put in: a kernel of his own, which earns what it earns.
    """
    witness = tmp_path / "witness"
    witness.write_text("untouched")
    tmp_path.chmod(0o777)
    script = f"""
all:
	-cat /etc/passwd {witness} {project.root}/solutions/small/kernel/message.c
	-echo evil > {witness}
	-echo evil > /usr/bin/evil
	-setsid sleep 4242 &
	-mkdir -p $(OUT)/user $(OUT)/probes $(OUT)/tree
	-ln -s /etc/passwd $(OUT)/kernel.elf
	-ln -s {witness} $(OUT)/user/link.elf
	-mkfifo $(OUT)/user/pipe.elf
	-echo forged > $(OUT)/probes/knock.elf
	-echo forged > $(OUT)/tree/x
	-echo forged > $(OUT)/entry.json
	-echo forged > "$(OUT)/user/.. .elf"
	-tar -cPf /tmp/x.tar $(OUT)
"""
    with pytest.raises(Exception) as caught:
        build_tree(project, attack_tree(project, lab, {"kernel/Makefile": script}), SANDBOX)
    said = str(caught.value)
    assert "root:" not in said and "untouched" not in said
    assert witness.read_text() == "untouched"
    assert not Path("/usr/bin/evil").exists()
    assert not any(b"sleep\x004242" in line for line in _command_lines())
    honest = build_tree(project, compose(project, lab, Answer("reference")), SANDBOX)
    assert honest.probes["knock"].read_bytes()[:4] == b"\x7fELF"


def _command_lines() -> list[bytes]:
    lines = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(entry.read_bytes())
        except OSError:
            continue
    return lines


MACROS = "".join(f"#define X{n} X{n - 1} X{n - 1} X{n - 1} X{n - 1}\n" for n in range(1, 30))

BOMBS = {
    "huge-table": ("kernel/extra.c", "int x[1 << 28] = {1};\n", "larger than is allowed|too large|memory"),
    "too-huge-table": ("kernel/extra.c", "int x[1 << 30] = {1};\n", "exceeds maximum object size"),
    "self-include": ("kernel/extra.c", '#include "extra.c"\n', "nested|limit|more CPU time"),
    "doubling-include": ("kernel/extra.c", '#include "extra.c"\n#include "extra.c"\n', "nested|more CPU time|memory"),
    "macros": ("kernel/extra.c", "#define X0 1,\n" + MACROS + "int x[] = {X29 0};\n", "memory|CPU time|larger"),
    "huge-array-of-initializers": ("kernel/extra.c", "int x[] = {[0 ... 100000000] = 1};\n", "memory|larger|CPU time"),
    "gas-repetition": ("kernel/extra.c", 'asm(".rept 1000000000\\n.long 1\\n.endr");\n', "memory|CPU time|larger"),
    "gas-fill": ("kernel/extra.c", 'asm(".data; .fill 2000000000, 1, 7");\n', "larger|memory|CPU time"),
    "nasm-times": ("kernel/more.asm", "times 400000000 db 0\n", "memory|CPU time|larger"),
    "nasm-repetition": (
        "kernel/more.asm",
        "%rep 100000000\n dd 1\n%endrep\n",
        "memory|CPU time|larger|exceeds|too many",
    ),
    "nasm-recursion": ("kernel/more.asm", "%macro m 0\nm\nm\n%endmacro\nm\n", "error|memory|CPU time"),
    "alignment": ("kernel/extra.c", 'int x __attribute__((aligned(1 << 28), section(".data"))) = 1;\n', ""),
    "errors": ("kernel/extra.c", "\n".join("x y z;" for _ in range(20000)), "kernel/extra.c:1"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_compile_bomb_is_zero_points_and_a_sentence(
    project: Project, lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Within a few seconds of processor time, whatever it is that grows."""
    monkeypatch.setattr(grader.builds.compile, "LIMITS", replace(grader.builds.compile.LIMITS, cpu_seconds=1))
    path, text, pattern = BOMBS[name]
    began = time.monotonic()
    said = message(project, lab, tmp_path / "in", {path: text})
    assert time.monotonic() - began < 60
    assert re.search(pattern, said), said
    assert len(said) < 40_000


def test_a_kernel_that_is_too_large_is_said_to_be(project: Project, lab: Lab, tmp_path: Path) -> None:
    """It compiles, but the boot sector could not load it. 0 points."""
    said = message(project, lab, tmp_path / "in", {"kernel/extra.c": "char x[600000] = {1};\n"})
    assert said.startswith("no disk image can be made of it: the kernel (6")


def test_a_program_that_is_none_is_said_to_be(project: Project, lab: Lab, tmp_path: Path) -> None:
    """A program without a main. 0 points with the linker's message."""
    said = message(project, lab, tmp_path / "in", {"kernel/user/server.c": "int not_main;\n"})
    assert "undefined reference to `main'" in said


def test_escape_sequences_in_messages_are_shown_not_obeyed(project: Project, lab: Lab, tmp_path: Path) -> None:
    """#error can print anything."""
    said = message(project, lab, tmp_path / "in", {"kernel/extra.c": "#error \x1b]0;owned\x07\u202e::error::x\n"})
    assert not set(said) & set("\x1b\x07\u202e")


def test_a_message_cannot_forge_another_file(project: Project, lab: Lab, tmp_path: Path) -> None:
    """#line may lie about the place, never about the outcome: 0 points."""
    said = message(project, lab, tmp_path / "in", {"kernel/extra.c": '#line 1 "/etc/passwd"\n#error forged\n'})
    assert "forged" in said


def test_ungradable_cannot_be_provoked_by_a_build(project: Project, lab: Lab, tmp_path: Path) -> None:
    """Whatever fails in a hand-in's build is the hand-in's fault."""
    assert issubclass(BuildFailed, HandinFault)
    said = message(project, lab, tmp_path / "in", {"kernel/extra.c": 'asm(".section .starter\\n.org 0x1000000");\n'})
    assert said
