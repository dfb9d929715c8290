"""What a person does at the terminal: the shell by `./lab run`, GDB by `./lab debug`. On the real kernel."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from grader.faults import Ungradable
from grader.interactive import terminal
from grader.tests.test_cli import COMMAND, ENVIRONMENT, lab


def read_until(descriptor: int, wanted: bytes, seconds: float = 60.0) -> bytes:
    """What the terminal shows, up to `wanted`."""
    seen = b""
    end = time.monotonic() + seconds
    while wanted not in seen and time.monotonic() < end:
        if select.select([descriptor], [], [], 0.2)[0]:
            try:
                seen += os.read(descriptor, 4096)
            except OSError:
                break
    assert wanted in seen, seen
    return seen


def test_the_shell_in_a_terminal() -> None:
    """Keys go to the kernel, Ctrl-C too; Ctrl-] leaves, and the terminal is as it was."""
    ours, theirs = pty.openpty()
    before = termios.tcgetattr(theirs)
    process = subprocess.Popen(
        [*COMMAND, "run", "baseline"],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=ENVIRONMENT,
        start_new_session=True,
    )
    try:
        shown = read_until(ours, b"539> ")
        assert b"Ctrl-] leaves" in shown and b"shell ready" in shown
        os.write(ours, b"hello reader\r")
        assert b"reader" in read_until(ours, b"539> ")
        os.write(ours, b"\x03processes\r")
        read_until(ours, b"shell")
        os.write(ours, b"\x1d")
        assert process.wait(20) == 0
        assert termios.tcgetattr(theirs) == before
    finally:
        process.kill()
        process.wait()
        os.close(ours)
        os.close(theirs)


def test_the_shell_from_a_pipe() -> None:
    """Commands from a file wait for the prompt; it ends when they are done, or when the kernel shuts down."""
    done = subprocess.run(
        [*COMMAND, "run", "baseline"], input="hello pipe\nshutdown\n", env=ENVIRONMENT, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done
    assert "pipe" in done.stdout and "\r" not in done.stdout


@pytest.mark.parametrize("text", [None, "hello file\n"])
def test_input_that_is_no_pipe_ends_the_run_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], text: str | None
) -> None:
    """A plain file and /dev/null, for which epoll does not wait. The machine is a line of which we hold both ends."""
    monkeypatch.setattr(terminal, "QUIET_SECONDS", 0.01)
    (tmp_path / "keys").write_text(text or "")
    ours, theirs = socket.socketpair()
    with (tmp_path / "keys" if text else Path(os.devnull)).open() as keys, ours, theirs:
        monkeypatch.setattr(sys, "stdin", keys)
        theirs.sendall(b"shell ready\n539> ")
        with subprocess.Popen(["sleep", "60"]) as machine:
            terminal._relay(ours, machine)
            assert machine.poll() is None
            machine.kill()
        assert capfd.readouterr().out == "shell ready\n539> "
        assert theirs.recv(99, socket.MSG_DONTWAIT) == text.encode() if text else True


def test_a_kernel_without_a_prompt_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is no person at a terminal is told that nothing will come."""
    monkeypatch.setattr(terminal, "BOOT_SECONDS", 0.01)
    ours, theirs = socket.socketpair()
    with Path(os.devnull).open() as keys, ours, theirs, subprocess.Popen(["sleep", "60"]) as machine:
        monkeypatch.setattr(sys, "stdin", keys)
        with pytest.raises(Ungradable, match="no prompt"):
            terminal._relay(ours, machine)
        machine.kill()


def test_a_closed_terminal_leaves_nothing_running() -> None:
    """SIGTERM ends the emulator too."""
    process = subprocess.Popen(
        [*COMMAND, "run", "baseline"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=ENVIRONMENT,
    )
    assert process.stdout is not None
    read_until(process.stdout.fileno(), b"539> ")
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 130
    process.communicate()


needs_gdb = pytest.mark.skipif(shutil.which("gdb") is None, reason="there is no GDB here")


def gdb(commands: str, *arguments: str) -> str:
    """What GDB says when it is given commands."""
    done = subprocess.run(
        [*COMMAND, "debug", *arguments],
        input=commands,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done
    return done.stdout


@needs_gdb
def test_gdb_at_the_kernels_start() -> None:
    """With sources, symbols and our commands."""
    said = gdb("bt\nlist\nring\n", "baseline")
    assert re.search(r"#0 +kernel_main .* at .*main\.c:\d+", said)
    assert "serial_init" in said and "ring 0 (protected mode)" in said


@needs_gdb
def test_gdb_at_a_failure() -> None:
    """The machine is as the failing test saw it."""
    said = gdb("bt\nprocesses\n", "boot", "test_an_unmapped_buffer_is_refused", "--answer", "starter")
    assert "panicked" in said and "panic_halt" in said and "ask_uptime" in said


@needs_gdb
def test_gdb_at_a_step_of_a_sweep() -> None:
    """Whether the test fails there or not: the moment before anything is done to the machine."""
    sweep = "test_the_timer_may_interrupt_a_call_anywhere"
    said = gdb("ring\n", "privcall", sweep, "--answer", "reference", "--step", "0")
    assert re.search(r"^at step 0 \(privcall\b", said, re.M)
    assert "ring 3 (protected mode)" in said and "<privcall>" in said


@needs_gdb
def test_a_test_that_passes_has_no_failure_to_open() -> None:
    """It says so instead of opening anything."""
    done = lab("debug", "boot", "test_an_unmapped_buffer_is_refused", "--answer", "reference")
    assert done.returncode == 0 and "passes: there is no failure" in done.stdout


@needs_gdb
def test_a_terminal_that_is_closed_leaves_nothing(tmp_path: Path) -> None:
    """Neither GDB, nor the machine, nor the folder of the door between them."""
    ours, theirs = pty.openpty()
    words = [*COMMAND, "debug", "baseline"]
    environment = {**ENVIRONMENT, "TMPDIR": str(tmp_path)}
    process = subprocess.Popen(words, stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
    try:
        read_until(ours, b"(gdb) ", 120)
        assert list(tmp_path.iterdir())
        process.send_signal(signal.SIGHUP)
        assert process.wait(60) == 130
        assert not list(tmp_path.iterdir())
    finally:
        process.kill()
        process.wait()
        os.close(ours)
        os.close(theirs)
