"""A machine handed over to GDB: the very moment, and nothing of ours in its way."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from grader.machine import Machine
from grader.machine.debugger import Handover
from grader.tests.boot_sectors import PROTECTED_MODE, boot_sector

GDB = shutil.which("gdb") or shutil.which("gdb-multiarch")
COMMANDS = Path(__file__).resolve().parents[1] / "gdb" / "commands.py"
IMAGE = boot_sector(
    PROTECTED_MODE
    + """
        mov eax, 0x539
here:   inc dword [0x9000]
        mov dx, 0x3F8
        mov al, 'x'
        out dx, al
        jmp here
"""
)
HERE = 0x7C00 + IMAGE.index(b"\xff\x05\x00\x90\x00\x00")

needs_gdb = pytest.mark.skipif(GDB is None, reason="GDB is not installed")


def gdb(door: Handover, *commands: str) -> str:
    """What GDB prints."""
    words = ["-q", "-nx", "-batch", "-ex", "set architecture i386", "-ex", f"target remote {door.path}"]
    for command in commands:
        words += ["-ex", command]
    done = subprocess.run([str(GDB), *words], capture_output=True, text=True, timeout=60, check=False)
    return done.stdout + done.stderr


@needs_gdb
def test_gdb_finds_the_machine_as_it_was_left() -> None:
    """Registers and memory at the very instruction; then it runs, and its output is passed on."""
    heard: list[bytes] = []
    with Machine.start(IMAGE) as machine:
        machine.run_to(HERE, times=3)
        with Handover(machine, heard.append) as door:
            said = gdb(
                door, "p/x $eip", "p *(int *)0x9000", f"break *{HERE:#x}", "continue", "continue", "p *(int *)0x9000"
            )
        assert f"$1 = {HERE:#x}" in said
        assert "$2 = 2" in said
        assert "$3 = 4" in said
        assert b"".join(heard).startswith(b"x")
    assert not door.path.parent.exists()


@needs_gdb
def test_our_commands_are_there() -> None:
    """Each runs on a machine of which no symbols are known."""
    with Machine.start(IMAGE) as machine:
        machine.run_to(HERE)
        with Handover(machine) as door:
            said = gdb(
                door, f"source {COMMANDS}", "kernelist", "ring", "gdt", "idt", "tss", "walk 0x1000", "descriptors"
            )
        assert "processes" in said
        assert "ring 0 (protected mode)" in said
        assert "0x0008: code, DPL 0, base 0x00000000, limit 0xffffffff" in said
        assert "IDT at" in said
        assert "0x0008    code  0    0x00000000  0xffffffff  0xffffffff  execute, read" in said
        assert "CR0.WP is 0: rings 0 to 2 may write to read-only pages" in said
        assert "page directory" in said


def test_the_door_closes_though_nobody_came() -> None:
    """No GDB, no waiting."""
    with Machine.start(IMAGE) as machine, Handover(machine) as door:
        assert door.path.exists()
    assert not door.path.exists()


@needs_gdb
def test_gdb_that_was_kept_from_its_machine_leaves() -> None:
    """Ctrl-C while it connects must not end at a prompt that knows of no machine, nor in Python's words."""
    words = [str(GDB), "-q", "-nx", "-x", str(COMMANDS), "-ex", "kernelist-connected", "-ex", "print 6*7"]
    done = subprocess.run(words, input="", capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (130, "") and "42" not in done.stdout, done
