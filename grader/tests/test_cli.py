"""The command line as its users meet it: help, exit statuses, mistyped names, interruptions, missing tools."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from grader.paths import Project
from grader.results import result

ROOT = Project.here().root
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1", "COLUMNS": "120"}
COMMAND = [sys.executable, "-m", "grader"]


def lab(*arguments: str, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `./lab` with these arguments."""
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=cwd,
        env={**ENVIRONMENT, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def test_help_teaches() -> None:
    """Every command is named, answers are explained, and there are examples."""
    done = lab("--help")
    assert done.returncode == 0
    for word in (
        "list",
        "grade",
        "watch",
        "run",
        "debug",
        "tree",
        "doctor",
        "bench",
        "prove",
        "publish",
        "start",
        "submit",
        "examples:",
        "mutant:NAME",
        "exit status",
    ):
        assert word in done.stdout


@pytest.mark.parametrize(
    "command",
    ["list", "grade", "watch", "run", "debug", "tree", "doctor", "bench", "prove", "publish", "start", "submit"],
)
def test_each_command_explains_itself(command: str) -> None:
    """`./lab COMMAND --help` needs neither emulator nor compiler, and fits into a terminal."""
    done = lab(command, "--help", PATH="/nonexistent", COLUMNS="80")
    assert done.returncode == 0 and f"./lab {command}" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_the_labs_are_listed() -> None:
    """With stages and points."""
    done = lab("list")
    assert done.returncode == 0
    assert "microkernel: " in done.stdout and "(100 points)" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["grde"], "did you mean grade"),
        (["grade", "mikrokernel"], "did you mean microkernel"),
        (["grade"], "which lab? Name it: baseline, boot"),
        (["grade", "boot", "--answer", "/nonexistent/handin"], "/nonexistent/handin"),
        (["grade", "boot", "--answer", "stage:9"], "no stage 9"),
        (["grade", "boot", "--answer", "mutant:no_such"], "no mutant 'no_such'"),
        (["grade", "boot", "--only", "no_such_test"], "no test 'no_such_test'"),
        (["grade", "boot", "-j", "0"], "from 1 to 1024"),
        (["grade", "boot", "--seed", "a b"], "a seed is"),
        (["grade", "boot", "--surprise"], "--surprise"),
        (["grade", "boot", "--json", "/proc/no/such/result.json"], "cannot write /proc/no/such/result.json"),
        (["grade", "boot", "--json", "/tmp"], "cannot write /tmp: Is a directory"),
        (["grade", "boot", "--junit", "/proc/junit.xml"], "cannot write /proc/junit.xml"),
        (["grade", "boot", "--html", str(ROOT / "README.md")], "README.md: File exists"),
        (["debug", "boot", "no_such_test"], "no test 'no_such_test'"),
        (["debug", "boot", "--step", "3"], "--step, --witness and --schedule are about a test"),
        (["debug", "boot", "--schedule", "7f3a"], "--step, --witness and --schedule are about a test"),
        (["debug", "boot", "x", "--schedule", "7f3a", "--step", "1"], "goes without --step and Bochs"),
        (["debug", "boot", "--witness", "qemu"], "--step, --witness and --schedule are about a test"),
        (["debug", "boot", "an_unmapped*", "--witness", "bochs"], "runs on QEMU, not on Bochs"),
        (["grade", "boot", "--step", "3"], "name it with --only TEST"),
        (["grade", "boot", "--only", "x", "--step", "-3"], "from 0 on"),
        (["tree", "boot", "--output", str(ROOT / "grader")], "not empty"),
        (["prove", "boot", "--answer", "mutant:no_such"], "no answer"),
        (["bench", "baseline"], "no experiment"),
    ],
)
def test_wrong_use_is_status_2_and_says_what_is_wrong(arguments: list[str], said: str) -> None:
    """With the near names where there are some, on standard error, without a traceback."""
    done = lab(*arguments)
    assert (done.returncode, done.stdout) == (2, ""), done
    assert said in done.stderr and "Traceback" not in done.stderr


def test_no_command_shows_the_help() -> None:
    """A newcomer types ./lab."""
    done = lab()
    assert done.returncode == 2 and "examples:" in done.stdout


@pytest.mark.parametrize("missing", ["compiler", "emulator"])
def test_without_a_tool_nothing_is_gradable(tmp_path: Path, missing: str) -> None:
    """Status 1, what to install, and a result that says so."""
    arguments = ["grade", "boot", "--json", str(tmp_path / "r.json"), "--only", "an_unmapped_buffer_is_refused"]
    if missing == "compiler":
        done = lab(*arguments, PATH="/nonexistent")
    else:
        done = lab(*arguments, KERNELIST_QEMU="/nonexistent/qemu")
    data = json.loads((tmp_path / "r.json").read_text())
    result.validate(data)
    assert (done.returncode, data["gradable"]) == (1, False), done
    assert "nstall" in done.stdout + done.stderr and "Traceback" not in done.stderr


def test_a_hand_in_that_does_not_compile_gets_nothing_and_the_message(tmp_path: Path) -> None:
    """Status 0: it was graded. The first error stands first."""
    tree = tmp_path / "tree"
    assert lab("tree", "boot", "--answer", "starter", "--output", str(tree)).returncode == 0
    (tree / "kernel" / "journal.c").write_text("int journal_add(int value) { return valeu; }\n")
    done = lab("grade", "boot", "--answer", str(tree), "--json", str(tmp_path / "r.json"))
    data = json.loads((tmp_path / "r.json").read_text())
    assert (done.returncode, data["score"], data["max_score"], data["gradable"]) == (0, 0, 100, True), done
    assert data["build_output"].startswith("kernel/journal.c:1:") and "valeu" in done.stdout
    assert {test["verdict"] for test in data["tests"]} == {"failed"}


def test_an_interruption_leaves_nothing_running_and_a_truthful_result(tmp_path: Path) -> None:
    """Ctrl-C at any moment: a short message, status 130, a partial result, no process left."""
    mark = f"kernelist-test-{os.getpid()}-{time.monotonic_ns()}"
    moments: tuple[Callable[[Path], bool], ...] = (
        Path.exists,
        lambda file: file.exists() and len(_processes_with(mark)) > 1,  # the workers are being started
        lambda _file: len(_processes_with(mark)) > 2,
    )
    for number, begun in enumerate(moments):
        file = tmp_path / f"{number}.json"
        process = subprocess.Popen(
            [*COMMAND, "grade", "baseline", "--json", str(file), "-j", "2"],
            env={**ENVIRONMENT, "KERNELIST_TEST_MARK": mark},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        while process.poll() is None and not begun(file):
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
        assert process.returncode == 130, said
        assert "nothing is left running" in said and "Traceback" not in said
        assert not _processes_with(mark)
        data = json.loads(file.read_text())
        assert (data["complete"], data["gradable"]) == (False, False)


def _processes_with(mark: str) -> list[str]:
    """Processes whose environment holds the mark: all that the command started outside of the sandbox."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (folder / "environ").read_bytes():
                found.append(folder.name)
        except OSError:
            continue
    return found


def test_the_grader_killed_leaves_a_result_that_says_so(tmp_path: Path) -> None:
    """Even SIGKILL: the file was written first, and says that nothing was graded."""
    file = tmp_path / "r.json"
    process = subprocess.Popen(
        [*COMMAND, "grade", "baseline", "--json", str(file), "-j", "1"],
        env=ENVIRONMENT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    end = time.monotonic() + 20
    while not file.exists() and time.monotonic() < end:
        time.sleep(0.05)
    process.kill()
    process.wait()
    data = json.loads(file.read_text())
    result.validate(data)
    assert (data["score"], data["gradable"], data["complete"]) == (0, False, False)


@pytest.mark.parametrize(
    ("command", "redirected"),
    [
        ("-m grader list", "| true"),
        ("-m grader list", "<&- >&- 2>&-"),
        ("-c 'import sys; from rich.console import Console; from grader import cli, commands; "
         "commands.list_labs = lambda _: Console(highlight=False).print(\"x \" * 40000) or 0; "
         "sys.exit(cli.main([\"list\"]))'", "| true"),
    ],
)  # fmt: skip
def test_who_stops_reading_or_closes_a_stream_is_not_shown_a_fault(command: str, redirected: str) -> None:
    """Status 0, and nothing said of pipes, whether it was printed by print() or by rich."""
    script = f"set -o pipefail; {sys.executable} {command} {redirected}"
    done = subprocess.run(["bash", "-c", script], env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_full_disk_under_the_output_is_said() -> None:
    """Once, as an error of ours, and not by Python at its end."""
    done = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m grader list >/dev/full"],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == "lab: the disk is full: what was to be written is not there. Make room, then try again\n"


def test_a_compiled_module_that_was_cut_off_heals(tmp_path: Path) -> None:
    """Python writes what it has compiled; on a full disk in part, and could not read it the next time."""
    shutil.copytree(ROOT / "grader", tmp_path / "grader", ignore=shutil.ignore_patterns("tests", "__pycache__"))
    (tmp_path / "labs").mkdir()
    (tmp_path / "kernel").mkdir()
    there = {"cwd": tmp_path, "PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": ""}
    assert lab("list", **there).returncode == 0  # type: ignore[arg-type]
    (compiled,) = (tmp_path / "grader/__pycache__").glob("commands.*.pyc")
    compiled.write_bytes(compiled.read_bytes()[:500])
    assert "try again" in lab("list", **there).stderr  # type: ignore[arg-type]
    assert lab("list", **there).returncode == 0  # type: ignore[arg-type]
