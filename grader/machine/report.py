"""What a probe reported, taken only if two witnesses agree: the console's lines and the log in the probe's memory."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Mapping, Sequence

from grader.machine.faults import NotAsRequired

ENTRY = struct.Struct("<16sI")
"""`struct probe_entry` of grader/probes/probe.h."""

LOG_MAX = 128
"""Entries of `probe_log`."""

_LINE = re.compile(rb"^probe ([!-<>-~]{1,15})=0x([0-9a-f]{8})\r?$", re.M)
_LAST_LINE = re.compile(rb"(?:^|\n)(probe [^\r\n]*)\r?$")


class Report(Mapping[str, int]):
    """The reported values by key; of a key that was reported often, the last. A key that is missing fails the test."""

    def __init__(self, log: Sequence[tuple[str, int]]) -> None:
        self.log = list(log)
        """All reports in their order: (key, value)."""
        self._values = dict(self.log)

    def __getitem__(self, key: str) -> int:
        if key not in self._values:
            reported = ", ".join(self._values) or "nothing"
            raise NotAsRequired(f"the probe never reported {key!r}; it reported {reported}")
        return self._values[key]

    def __contains__(self, key: object) -> bool:
        return key in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def all(self, key: str) -> list[int]:
        """All values reported under a key, in their order."""
        return [value for name, value in self.log if name == key]

    def signed(self, key: str) -> int:
        """A value as a signed number: errors are negative."""
        value = self[key]
        return value - (1 << 32) if value >> 31 else value

    def __repr__(self) -> str:
        return "Report(" + ", ".join(f"{key}={value:#x}" for key, value in self.log) + ")"


def reports_on_console(output: bytes) -> list[tuple[str, int]]:
    """The reports among the console's lines: (key, value)."""
    return [(key.decode("ascii"), int(value, 16)) for key, value in _LINE.findall(output)]


def reports_in_memory(count: int, data: bytes) -> list[tuple[str, int]]:
    """Decode `probe_log`. Raises NotAsRequired when it cannot be one."""
    if count > LOG_MAX:
        raise NotAsRequired(f"the probe's log was overwritten: it claims {count} entries of {LOG_MAX}")
    entries = []
    for index in range(count):
        key, value = ENTRY.unpack_from(data, index * ENTRY.size)
        entries.append((key.split(b"\0", 1)[0].decode("ascii", "replace"), value))
    return entries


def unfinished_line(output: bytes) -> str:
    """What the console's last line, without its end, has of a report; empty when the output ends otherwise."""
    found = _LAST_LINE.search(output)
    return found[1].decode("ascii", "replace") if found else ""


def agreed(memory: Sequence[tuple[str, int]], console: Sequence[tuple[str, int]], unfinished: str = "") -> Report:
    """The report of a probe whose log is `memory`, if the console says the same in the same order.

    Other probes may have reported in between. `unfinished`: how the console's output ends, if in the midst of a report.
    Raises NotAsRequired, naming the first report that differs.
    """
    lines = iter(console)
    for key, value in memory:
        if not any(line == (key, value) for line in lines):
            said = ", ".join(f"{found:#x}" for name, found in console if name == key) or "nothing"
            if unfinished and f"probe {key}=0x{value:08x}".startswith(unfinished):
                said += f" but the beginning of that report, its last line: {unfinished!r}"
            raise NotAsRequired(
                f"the two witnesses disagree: the probe's memory holds {key}={value:#x}, the console said {said}"
            )
    return Report(memory)
