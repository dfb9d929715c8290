"""Which of a lab's system calls carry messages, in its own words: the table [messages] of lab.toml."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

ARGUMENTS = 5
"""EBX, ECX, EDX, ESI, EDI."""


@dataclass(frozen=True)
class MessageCalls:
    """The table [messages] of a lab.toml. Each call is named as `CallBook` does; arguments count from 1 (EBX).

    A message in memory begins with two words of 32 bits: its sender (0: the kernel) and its type.
    """

    to: Mapping[str, int] = field(default_factory=dict)
    """Calls that send a message, with the argument that names the receiver."""
    signals: Mapping[str, int] = field(default_factory=dict)
    """Calls that send word only, which the receiver gets as a message of the kernel's."""
    into: Mapping[str, int] = field(default_factory=dict)
    """Calls that receive one, with the argument that says where in memory."""
    slots: int = 64
    """A partner's number, modulo this, is its place in the kernel's list `processes`."""

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {"to": dict(self.to), "signals": dict(self.signals), "into": dict(self.into), "slots": self.slots}
