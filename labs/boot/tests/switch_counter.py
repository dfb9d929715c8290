"""A counter of the grader's own, planted into the running kernel from outside: one for each switch of stacks.

Breakpoints would do, but each stop brings the next tick of the timer nearer, so that a kernel that is watched closely
switches more often. A planted instruction changes nothing that a kernel can notice. A kernel that looks for the counter
and returns it as its own learns nothing: it starts anew from a drawn number whenever the grader has read it.
"""

import random

from grader.machine import Machine

KBASE = 0xC0000000
TRAMPOLINE = 0x9000  # physical: low memory that the kernel maps but never uses
COUNTER = TRAMPOLINE + 0x100

# The first two instructions of switch_stacks (context.asm): mov eax, [esp + 4]; mov edx, [esp + 8].
DISPLACED = bytes.fromhex("8b442404 8b542408")
JUMP_SIZE = 5


def jump(at: int, to: int) -> bytes:
    """The instruction `jmp to`, when it stands at virtual address `at`."""
    return b"\xe9" + (to - at - JUMP_SIZE).to_bytes(4, "little", signed=True)


class SwitchCounter:
    """Plants itself into the machine's kernel, which must have been loaded."""

    def __init__(self, machine: Machine, seed: int) -> None:
        self._machine = machine
        self._numbers = random.Random(seed)
        switch_stacks = machine.symbol("switch_stacks")
        if machine.read_virtual(switch_stacks, len(DISPLACED)) != DISPLACED:
            raise LookupError("context.asm was changed: switch_stacks begins otherwise than this counter knows")
        count = b"\xff\x05" + (KBASE + COUNTER).to_bytes(4, "little")  # inc dword [counter]
        back = KBASE + TRAMPOLINE + len(count) + len(DISPLACED)
        machine.write_physical(TRAMPOLINE, count + DISPLACED + jump(back, switch_stacks + len(DISPLACED)))
        detour = jump(switch_stacks, KBASE + TRAMPOLINE)
        machine.write_physical(switch_stacks - KBASE, detour.ljust(len(DISPLACED), b"\x90"))
        self._start()

    def _start(self) -> None:
        self._from = self._numbers.randrange(1 << 30)
        self._machine.write_physical(COUNTER, self._from.to_bytes(4, "little"))

    def take(self) -> int:
        """How often the stacks have been switched since the last call."""
        count = int.from_bytes(self._machine.read_physical(COUNTER, 4), "little") - self._from
        self._start()
        return count
