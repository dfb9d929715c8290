"""What .vscode/ says, done as the editor does it: its debugger with the real kernel, its explorer with the real tests.

The debugger of the extension ms-vscode.cpptools starts the task, waits for its line, then gives GDB the set-up commands
one by one over the machine interface: a command that begins with a minus as it is, others by -interpreter-exec.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from grader.interactive import editor
from grader.testing import explorer
from grader.tests.test_cli import COMMAND, ENVIRONMENT
from grader.tests.test_people import read_until

ROOT = Path(__file__).resolve().parents[2]
needs_gdb = pytest.mark.skipif(shutil.which("gdb") is None, reason="there is no GDB here")


def settings(name: str) -> Any:
    """A file of .vscode/, which may have comments on lines of their own, and its variables filled in."""
    text = (ROOT / ".vscode" / name).read_text(encoding="utf-8")
    text = re.sub(r"^\s*//.*$", "", text, flags=re.M)
    return json.loads(text.replace("${workspaceFolder}", str(ROOT)))


def launch(name: str | None = None) -> dict[str, Any]:
    """The configuration of this name; F5 takes the first."""
    known: list[dict[str, Any]] = settings("launch.json")["configurations"]
    return next(one for one in known if name in (None, one["name"]))


def task(label: str) -> dict[str, Any]:
    """The task of this label."""
    return next(one for one in settings("tasks.json")["tasks"] if one["label"] == label)


@pytest.fixture
def started(request: pytest.FixtureRequest) -> Iterator[dict[str, Any]]:
    """A configuration whose task has said the line that the editor waits for."""
    name, answers = request.param
    configuration = launch(name)
    before = task(configuration["preLaunchTask"])
    assert before["command"] == f"{ROOT}/lab" and before["isBackground"]
    words = [answers.get(word, word) for word in before["args"]]
    process = subprocess.Popen([*COMMAND, *words], env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        assert process.stdout is not None
        said = read_until(process.stdout.fileno(), b"ready for GDB", 120).decode()
        ends = before["problemMatcher"]["background"]["endsPattern"]
        assert any(re.search(ends, line) for line in said.splitlines()), said
        yield configuration
        assert process.wait(20) == 0  # the debugger has left
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)


class Gdb:
    """GDB over its machine interface."""

    def __init__(self, program: str) -> None:
        self._process = subprocess.Popen(
            [program, "-q", "-nx", "--interpreter=mi"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> Gdb:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate("-gdb-exit\n", timeout=20)

    def ask(self, command: str) -> str:
        """The answer to a command: ^done, ^connected, ^running or ^error, and what comes with it."""
        words = command if command.startswith("-") else f"-interpreter-exec console {json.dumps(command)}"
        assert self._process.stdin is not None
        self._process.stdin.write(words + "\n")
        self._process.stdin.flush()
        return self.until("^")

    def until(self, sign: str) -> str:
        """The next line that begins so."""
        assert self._process.stdout is not None
        return next(line for line in self._process.stdout if line.startswith(sign))

    def connect(self, configuration: dict[str, Any]) -> None:
        """All set-up commands, as the extension gives them."""
        for command in configuration["customLaunchSetupCommands"]:
            answer = self.ask(command["text"])
            assert not answer.startswith("^error") or command.get("ignoreFailures"), (command, answer)


KERNEL: tuple[None, dict[str, str]] = (None, {})


@needs_gdb
@pytest.mark.parametrize("started", [KERNEL], indirect=True)
def test_f5_stops_in_the_kernels_first_function(started: dict[str, Any]) -> None:
    """With its source; a breakpoint on a line of the open file is hit."""
    assert started["stopAtConnect"], "the debugger would let the machine run on"
    with Gdb(started.get("miDebuggerPath", started["MIMode"])) as gdb:
        gdb.connect(started)
        frame = gdb.ask("-stack-info-frame")
        assert 'func="kernel_main"' in frame, frame
        source = Path(re.findall(r'fullname="([^"]+)"', frame)[0])
        line = int(re.findall(r'line="(\d+)"', frame)[0])
        assert "kernel_main" in "\n".join(source.read_text().splitlines()[line - 3 : line])
        compiled = next(place for place, here in started["sourceFileMap"].items() if here == f"{ROOT}/kernel")
        here = (ROOT / "kernel/main.c").read_text().splitlines()
        wanted = next(number for number, text in enumerate(here, 1) if number > line and "_init(" in text)
        assert gdb.ask(f'-break-insert -f "{compiled}/main.c:{wanted}"').startswith("^done")
        gdb.ask("-exec-continue")
        assert 'reason="breakpoint-hit"' in (stopped := gdb.until("*stopped")) and f'line="{wanted}"' in stopped


def test_every_task_and_configuration_is_one_that_works() -> None:
    """Tasks that configurations start are there; questions that are asked are defined; extensions are named."""
    tasks = settings("tasks.json")
    labels = {one["label"] for one in tasks["tasks"]}
    asked = set(re.findall(r"\$\{input:(\w+)\}", json.dumps(tasks)))
    assert asked == {question["id"] for question in tasks["inputs"]}
    for configuration in settings("launch.json")["configurations"]:
        assert configuration["preLaunchTask"] in labels and configuration["stopAtConnect"]
        matcher = task(configuration["preLaunchTask"])["problemMatcher"]
        assert matcher["severity"] == "info", "the editor would ask whether to debug in spite of a mere note"
        assert configuration["customLaunchSetupCommands"] == launch()["customLaunchSetupCommands"]
    assert not re.search(r"\$\{input:", json.dumps(task(launch()["preLaunchTask"]))), "F5 asks nothing"
    assert {"ms-vscode.cpptools", "ms-python.python"} <= set(settings("extensions.json")["recommendations"])


def explored(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """What pytest says, called as the explorer calls it."""
    given = json.loads((root / ".vscode/settings.json").read_text())["python.testing.pytestArgs"]
    variables = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    words = [sys.executable, "-m", "pytest", "-q", *given, *arguments]
    return subprocess.run(words, cwd=root, env=variables, capture_output=True, text=True, timeout=300, check=False)


def test_an_editor_finds_the_line_that_does_not_compile(tmp_path: Path) -> None:
    """In what ./lab grade shows: that is no bare output of a compiler."""
    tree = tmp_path / "tree"
    subprocess.run([*COMMAND, "tree", "boot", "--answer", "starter", "--output", tree], env=ENVIRONMENT, check=True)
    (tree / "kernel" / "journal.c").write_text("int x = ;\n")
    words = [*COMMAND, "grade", "boot", "--answer", str(tree)]
    said = subprocess.run(words, env=ENVIRONMENT, capture_output=True, text=True, check=True).stdout
    pattern = task("grade")["problemMatcher"]["pattern"]
    found = [match for line in said.splitlines() if (match := re.search(pattern["regexp"], line))]
    place = [found[0][pattern[part]] for part in ("file", "line", "column", "severity")]
    assert place == ["kernel/journal.c", "1", "9", "error"]


def test_two_labs_may_share_modules_of_one_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each lab's tests import their own, in one session of the explorer."""
    monkeypatch.setattr(explorer, "LABS", tmp_path)
    folders = [tmp_path / name / "tests" for name in ("one", "two")]
    monkeypatch.setattr(sys, "path", [*sys.path, *map(str, folders)])
    for folder in (*folders, folders[0]):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "kernelist_shared.py").write_text(f"LAB = {folder.parent.name!r}\n")
        explorer._prefer(folder)
        assert folder.parent.name == importlib.import_module("kernelist_shared").LAB
    del sys.modules["kernelist_shared"]


def test_the_explorer_lists_every_labs_tests_and_runs_one_as_it_is_graded() -> None:
    """Beside the grader's own. The answer is the reference, which passes on both witnesses."""
    listed = explored(ROOT, "--collect-only")
    assert listed.returncode == 0, listed.stdout + listed.stderr
    files = [*ROOT.glob("labs/*/tests/**/test_*.py"), Path(__file__)]
    assert len(files) > 10
    for file in files:
        assert f"{file.relative_to(ROOT)}::test_" in listed.stdout
    run = explored(ROOT, "labs/boot/tests/test_uptime.py::test_an_unmapped_buffer_is_refused")
    assert run.returncode == 0 and "1 passed" in run.stdout, run.stdout


def test_two_debuggers_share_the_place_that_an_editor_looks_at(tmp_path: Path) -> None:
    """The one that began last is let in to; when it has ended, the other, if it still runs."""
    first, second, place = tmp_path / "first", tmp_path / "second", tmp_path / "gdb"
    first.touch()
    second.touch()
    with editor._link(place, first):
        with editor._link(place, second):
            assert place.readlink() == second
        assert place.readlink() == first
    assert not place.is_symlink()
    with contextlib.ExitStack() as ends_last:
        with editor._link(place, first):
            ends_last.enter_context(editor._link(place, second))
            first.unlink()
        assert place.readlink() == second
    assert not place.is_symlink()
