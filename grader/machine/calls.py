"""What a run's system calls are called and mean: names from the debug information, messages from the lab's own words.

Names are the enumerators SYSTEM_CALL_... and E_... that kernel and programs were compiled with; a call that has none is
shown by its number. Which calls carry messages is in the lab's lab.toml, under [messages]: the grader knows no lab.
"""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from grader import untrusted
from grader.machine.faults import UnreadableMemory
from grader.machine.inspection import Inspection
from grader.machine.message_calls import MessageCalls
from grader.machine.symbols import SymbolMissing, SymbolTable
from grader.machine.timeline import Message, number

CALL_PREFIX, ERROR_PREFIX = "SYSTEM_CALL_", "E_"
_LEFT_OUT = ("lab_first", "lab_last")  # bounds, which are no calls


class CallBook:
    """Numbers to names. `errors` are negative."""

    def __init__(self, tables: Sequence[SymbolTable]) -> None:
        self.errors: dict[int, str] = {}
        self._names: dict[int, str] = {}
        for table in tables:
            for value, name in table.types.enumerators():
                if name.startswith(CALL_PREFIX):
                    call = untrusted.name(name.removeprefix(CALL_PREFIX).lower())
                    if call not in _LEFT_OUT:
                        self._names.setdefault(value, call)
                elif name.startswith(ERROR_PREFIX) and value < 0:
                    self.errors.setdefault(value, untrusted.name(name))

    def name(self, call: int) -> str:
        """`write`; `call 77` for a number without a name."""
        return self._names.get(call, f"call {number(call)}")


@dataclass(frozen=True)
class _Sent:
    at: int
    sender: int
    receiver: int
    signal: bool


class Post:
    """Follows messages from the call that sends one to the return of the call that receives it.

    `lane` gives the place of a process (pid, name) in the picture.
    """

    def __init__(self, machine: Inspection, calls: MessageCalls, lane: Callable[[int, str], int]) -> None:
        self.messages: list[Message] = []
        self._machine = machine
        self._calls = calls
        self._lane = lane
        self._under_way: list[_Sent] = []

    def call(self, at: int, lane: int, name: str, arguments: Sequence[int]) -> None:
        """A process makes a system call: perhaps it sends something."""
        signal = name in self._calls.signals
        which = self._calls.signals.get(name, self._calls.to.get(name))
        receiver = self._partner(arguments[which - 1]) if which is not None else None
        if receiver is None:
            return
        if not signal:  # who sends again has no longer to do with what it sent before
            self._forget(lane, receiver)
        self._under_way.append(_Sent(at, lane, receiver, signal))

    def result(self, at: int, lane: int, name: str, arguments: Sequence[int], *, failed: bool) -> None:
        """A system call returns: perhaps it has received something, perhaps what it sent was refused."""
        sends = self._calls.to.get(name)
        if failed and sends is not None:
            receiver = self._partner(arguments[sends - 1])
            if receiver is not None:
                self._forget(lane, receiver)
        which = self._calls.into.get(name)
        if which is None or failed:
            return
        try:
            sender, kind = struct.unpack("<II", self._machine.read_virtual(arguments[which - 1], 8))
        except UnreadableMemory:
            return
        whose = self._partner(sender) if sender else 0
        if whose is None:
            return
        fitting = [
            sent
            for sent in self._under_way
            if sent.receiver == lane and (sent.signal if not sender else sent.sender == whose and not sent.signal)
        ]
        what = f"type {number(kind)}"
        if not fitting:
            self.messages.append(Message(at, whose, at, lane, what))
        for sent in fitting if not sender else fitting[:1]:  # one message of the kernel's stands for all signals
            self._under_way.remove(sent)
            self.messages.append(Message(sent.at, sent.sender, at, lane, "signal" if sent.signal else what))

    def _forget(self, sender: int, receiver: int) -> None:
        self._under_way = [
            sent for sent in self._under_way if sent.signal or (sent.sender, sent.receiver) != (sender, receiver)
        ]

    def forget(self) -> None:
        """Nobody looks for a while: what is under way will not be seen to arrive."""
        self._under_way.clear()

    def _partner(self, endpoint: int) -> int | None:
        """The lane of the process that has that place in the kernel's list; None when it is empty."""
        machine = self._machine
        with contextlib.suppress(UnreadableMemory, SymbolMissing, KeyError, TypeError, ValueError):
            pointer = machine.read_u32(machine.symbol("processes") + 4 * (endpoint % self._calls.slots))
            if pointer:
                process = machine.read_struct("process_t", pointer)
                return self._lane(int(process["pid"]), str(process["name"]))
        return None
