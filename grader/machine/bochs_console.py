"""Bochs's internal debugger, spoken with on its standard input and output.

It prints a numbered prompt, `<bochs:7> `, before it reads a line, and repeats the line. So the answers to many lines
that are sent at once can be told apart, and a machine that runs has stopped when the next prompt comes. Nothing that a
guest writes comes here.
"""

from __future__ import annotations

import os
import re
import select
import time
from collections.abc import Sequence

from grader.faults import Ungradable
from grader.machine.faults import EmulatorGone

_AT_ONCE = 64  # lines sent ahead of their answers: they and the answers' beginnings fit into the pipes
_CHUNK = 1 << 16
_FIRST_MARK = 539_000


class Console:
    """The console of one Bochs. `reply_timeout` is in seconds of wall-clock time."""

    def __init__(self, to_bochs: int, from_bochs: int, reply_timeout: float = 60.0) -> None:
        self._to_bochs = to_bochs
        self._from_bochs = from_bochs
        self._timeout = reply_timeout
        self._received = bytearray()
        self._prompt = 1
        self._mark = _FIRST_MARK

    def fileno(self) -> int:
        """The descriptor that becomes readable when Bochs says something."""
        return self._from_bochs

    def greet(self) -> None:
        """Wait for the first prompt. Raises EmulatorGone when Bochs did not start, or has no debugger."""
        self.wait()

    def ask(self, *lines: str) -> list[str]:
        """Send lines, and return the answer to each."""
        answers: list[str] = []
        for start in range(0, len(lines), _AT_ONCE):
            some = lines[start : start + _AT_ONCE]
            self.send(*some)
            answers += [self.wait() for _ in some]
        return answers

    def send(self, *lines: str) -> None:
        """Send lines whose answers are for later."""
        try:
            os.write(self._to_bochs, "".join(f"{line}\n" for line in lines).encode("ascii"))
        except OSError as error:
            raise EmulatorGone() from error

    def fill(self) -> None:
        """Take in what Bochs has said: at least a byte. Waits for it."""
        try:
            data = os.read(self._from_bochs, _CHUNK)
        except OSError as error:
            raise EmulatorGone() from error
        if not data:
            raise EmulatorGone()
        self._received += data

    def answer(self) -> str | None:
        """The next answer, without the line that it repeats; None when it is not all there yet."""
        prompt = b"<bochs:%d> " % self._prompt
        end = self._received.find(prompt)
        if end < 0:
            return None
        said = bytes(self._received[:end])
        del self._received[: end + len(prompt)]
        self._prompt += 1
        return said.partition(b"\n")[2].decode("utf-8", "replace")

    def mark(self) -> None:
        """Ask for something that comes up nowhere else, for `answer_before_mark`.

        To be done after an interrupt: when it comes while Bochs reads a line, Bochs forgets what it has read of it.
        """
        self._mark += 1
        self.send(f"? {self._mark}")

    def answer_before_mark(self) -> str | None:
        """All that was said before the answer to the last `mark`; None when that is not there yet."""
        found = re.search(rb"^0x[0-9a-f]+ %d\n<bochs:(\d+)> " % self._mark, bytes(self._received), re.M)
        if found is None:
            return None
        del self._received[: found.end()]
        self._prompt = int(found[1]) + 1
        return found.string[: found.start()].partition(b"\n")[2].decode("utf-8", "replace")

    def wait(self) -> str:
        """The next answer; waits for it."""
        deadline = time.monotonic() + self._timeout
        while (found := self.answer()) is None:
            if not select.select([self._from_bochs], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise Ungradable("Bochs's debugger does not answer")
            self.fill()
        return found


def dump_lines(address: int, length: int) -> Sequence[str]:
    """The lines that show so much physical memory from an address that is a multiple of 8, in pieces of 4 KB."""
    pieces = range(address, address + length, 4096)
    return [f"xp /{min(4096, address + length - piece) // 8}gx {piece:#x}" for piece in pieces]


def dumped(answer: str) -> bytes:
    """The memory in the answer to one of those lines."""
    data = bytearray()
    for line in answer.splitlines():
        _, colon, numbers = line.partition(">:")
        if colon:
            for number in numbers.split():
                data += int(number, 16).to_bytes(8, "little")
    return bytes(data)
