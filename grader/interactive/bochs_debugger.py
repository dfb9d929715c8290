"""A person's conversation with Bochs's own debugger, for a machine that GDB cannot look into.

It knows no symbols; so whenever the machine has moved, the place where it is now is said in the source's words.
"""

from __future__ import annotations

import sys

from grader import untrusted
from grader.faults import Ungradable
from grader.machine import Machine

OPENING = """\
GDB cannot look into Bochs; Bochs's own debugger can:
  r  sreg  creg            registers, segments with their descriptors, control registers
  info gdt  info tab       descriptors; page tables (also: info idt, info tss)
  x /8wx 0xa0000000        memory at a linear address (xp: physical)
  u /10                    disassemble; s 5: five instructions on; lb ADDRESS and c: on to a place
  help                     all it has; quit leaves"""

MOVES = ("s", "step", "stepi", "n", "next", "p", "c", "cont", "continue")
ENDS = ("q", "quit", "exit")


def converse(machine: Machine) -> None:
    """Answer what is typed, until the person has had enough or Bochs has ended."""
    print(machine.describe())
    print(OPENING)
    while True:
        try:
            line = input("<bochs> ").strip()
        except EOFError:
            return
        if line in ENDS:
            return
        if line and line.isascii():
            try:
                print(_answer(machine, line))
            except Ungradable as error:
                print(f"Bochs is gone: {error}")
                return


def _answer(machine: Machine, line: str) -> str:
    printed = machine.serial_bytes
    said = untrusted.plain(machine.ask_bochs(line)).rstrip("\n")
    if machine.serial_bytes > printed:
        sys.stdout.write(untrusted.plain(machine.serial[printed - machine.serial_bytes :]))
    return f"{said}\nat {machine.place()}" if line.split()[0] in MOVES else said
