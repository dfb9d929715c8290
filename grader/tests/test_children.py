"""The last resort of an interruption: no child is left running, whoever forgot it; and Ctrl-C before there is any."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent

FORGETFUL = """
import subprocess
from grader.host.children import end_children, running_children

subprocess.run(["true"])
dead = subprocess.Popen(["true"])
with open(f"/proc/{dead.pid}/stat") as state:
    while " Z " not in state.read():
        state.seek(0)
sleeping = [subprocess.Popen(["sh", "-c", "trap '' INT TERM; echo ready; exec cat"], stdin=subprocess.PIPE,
    stdout=subprocess.PIPE, start_new_session=session) for session in (False, True)]
for one in sleeping:
    one.stdout.readline()
print(running_children() == sorted(one.pid for one in sleeping))
end_children()
print(running_children(), [one.wait(0) for one in sleeping])
"""


def test_every_child_is_ended_and_who_is_dead_counts_as_none() -> None:
    """Also one that takes no notice of signals, or is in a session of its own."""
    done = subprocess.run(
        [sys.executable, "-c", FORGETFUL],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stdout == "True\n[] [-9, -9]\n", done


def test_ctrl_c_while_python_starts_needs_no_traceback(tmp_path: Path) -> None:
    """As long as the command line is not read, the system's own way to end is the right one."""
    package = tmp_path / "grader"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "cli.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n")
    done = subprocess.run(
        [sys.executable, str(ROOT / "grader" / "__main__.py")],
        env={**os.environ, "PYTHONPATH": str(tmp_path), "PYTHONSAFEPATH": "1"},
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (-2, b"")
