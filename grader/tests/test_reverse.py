"""`./lab debug --reverse` as its user types it: a failed test, or a program that took the kernel down, and back in time
from there.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from grader.machine.emulator import find_emulator
from grader.tests.test_debugger import needs_gdb

TOP = Path(__file__).resolve().parents[2]


def debug(*words: str, typed: str) -> str:
    """What a person sees who types these lines at GDB's prompt."""
    command = [sys.executable, "-m", "grader", "debug", *words, "--reverse"]
    environment = {**os.environ, "PYTHONPATH": str(TOP)}
    done = subprocess.run(
        command, input=typed, capture_output=True, text=True, cwd=TOP, env=environment, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@needs_gdb
def test_the_warm_up_labs_wild_write_is_found_by_one_command() -> None:
    """As its handout says: the culprit is memset, called with a place behind the journal's entries."""
    typed = ["who-wrote 5", "who-wrote &journal", "who-wrote jurnal", "who-wrote journal.capacity", "reverse-finish"]
    typed += ["who-wrote journal"]
    said = debug("boot", "--program", "journal 20", "--answer", "starter", typed="\n".join(typed))
    assert "The kernel panicked: a divide error (vector 0) at journal_add (journal.c:25) in ring 0." in said
    assert "journal.capacity: 8 -> 0, written by the instruction before number" in said
    assert "memset (destination=" in said.split("8 -> 0")[1]
    assert "in forget (number=" in said.split("8 -> 0")[1]
    assert "Run back to call of #0  memset" in said
    assert "&journal does not lie in memory: name a variable" in said and 'No symbol "jurnal"' in said
    assert "journal: {entries = " in said and "Python" not in said


@needs_gdb
def test_a_failed_test_is_played_again_and_stands_at_its_failure() -> None:
    """With the test's own writes to the machine, from which on time can be turned back, and no further."""
    said = debug("boot", "yields_between*", "--answer", "starter", typed="reverse-stepi\ncontinue\nprint 6*7\n")
    assert "recording the run ...\nplaying it again ...\n" in said
    assert "A recording: time can be turned back to instruction" in said
    assert "$1 = 42" in said


@needs_gdb
def test_an_emulator_that_ends_while_it_plays_is_started_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing depends on it, and a person wants to see the failure."""
    folder = tmp_path / "bin"
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    for above in (tmp_path, *tmp_path.parents[:2]):  # as root, the emulator is another user
        above.chmod(above.stat().st_mode | 0o111)
    emulator = folder / "qemu"
    died = f'[ ! -e "{folder}/died" ] && : > "{folder}/died" && exit 1'
    emulator.write_text(f'#!/bin/sh\ncase "$*" in *rr=replay*) {died};; esac\nexec {find_emulator()} "$@"\n')
    emulator.chmod(0o755)
    monkeypatch.setenv("KERNELIST_QEMU", str(emulator))
    said = debug("boot", "yields_between*", "--answer", "starter", "--no-sandbox", typed="print 6*7\n")
    assert "the emulator ended by itself; once more ...\n" in said and "$1 = 42" in said


def test_a_test_that_passes_is_not_played() -> None:
    """There is nothing to look at."""
    assert "passes: there is no failure to look at" in debug("boot", "an_unmapped*", "--answer", "reference", typed="")
