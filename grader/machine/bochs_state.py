"""Changes to a stopped machine that Bochs's debugger has no command for.

It can restore a part of its saved state from a file, and only what is named in the file changes. So the processor's
flags are set, a line of the interrupt controller is raised, a byte is put into COM1's receiver: as the functions of
these devices in Bochs do it (iodev/pic.cc, iodev/serial.cc). A restored processor forgets its TLB.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from grader.faults import Ungradable
from grader.machine.bochs_console import Console
from grader.machine.control import INSTRUCTIONS_PER_SECOND

PARTS = ("cpu0", "pic", "serial", "pc_system")
"""The parts that are restored, each from a file of its name."""

_PENDING_INTERRUPT = 1 << 10  # BX_EVENT_PENDING_INTR
_PENDING_NMI = 1 << 0
_LINES = 8
_CASCADE = 2
_COM1_LINE = 4
_FIFO_BYTES = 16
_TIMERS_MAX = 32  # more than Bochs makes
_VALUE = re.compile(r"^ *(\w+) = (0x[0-9a-f]+|\d+|true|false)$", re.M)

Values = Mapping[str, "int | str | Values"]


class State:
    """The saved state of one Bochs: `file` is what it restores from, seen as each part's name in `folder`."""

    def __init__(self, console: Console, file: int, folder: str) -> None:
        self._console = console
        self._file = file
        self._folder = folder

    def show(self, name: str) -> dict[str, int]:
        """The numbers of a part, or of a part of it, by their last names."""
        said = self._console.ask(f'show "{name}"')[0]
        return {key: _number(value) for key, value in _VALUE.findall(said)}

    def value(self, name: str) -> int:
        """One number."""
        return self.show(name)[name.rpartition(".")[2]]

    def restore(self, part: str, values: Values) -> None:
        """Change these values of a part. Raises Ungradable when Bochs refuses."""
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, _text({part: values}, "").encode("ascii"), 0)
        said = self._console.ask(f'restore "{part}" "{self._folder}"')[0]
        if "Error" in said:
            raise Ungradable(f"Bochs cannot change its state: {said.strip()}")

    # The processor

    def interrupt_waits(self) -> bool:
        """Whether the processor's interrupt input is raised."""
        return bool(self.value("cpu0.pending_event") & _PENDING_INTERRUPT)

    def inhibit_interrupts(self) -> None:
        """Deliver no interrupt before the next instruction is over."""
        count = self.value("cpu0.icount")
        self.restore("cpu0", {"inhibit_mask": "1", "inhibit_icount": hex(count + 1)})

    def raise_nmi(self) -> None:
        """A non-maskable interrupt before the next instruction."""
        pending = self.value("cpu0.pending_event") | _PENDING_NMI
        self.restore("cpu0", {"pending_event": hex(pending), "async_event": "0x1"})

    # The interrupt controllers

    def raise_line(self, line: int, *, stays: bool) -> None:
        """An edge on interrupt request line 0 to 15, which then goes down again or `stays` up for its device."""
        if line < _LINES:
            self._raise("master", line, stays)
        elif self._raise("slave", line - _LINES, stays):
            self._raise("master", _CASCADE, stays=True)

    def _raise(self, controller: str, line: int, stays: bool) -> bool:
        """An edge on a line of one controller. Whether that raised its output."""
        now = self.show(f"pic.{controller}")
        if now["INT"]:
            requested: dict[str, int | str] = {}
        else:
            chosen = next_request({**now, "irr": now["irr"] | 1 << line})
            requested = {} if chosen is None else {"INT": "true", "irq": chosen}
        inputs = now["IRQ_in"] | stays << line
        both = {"irr": hex(now["irr"] | 1 << line), "IRQ_in": hex(inputs)}
        self.restore("pic", {controller: {**both, **requested}})
        if requested and controller == "master":
            pending = self.value("cpu0.pending_event") | _PENDING_INTERRUPT
            self.restore("cpu0", {"pending_event": hex(pending), "async_event": "0x1"})
        return bool(requested)

    # COM1

    def receiver_is_free(self) -> bool:
        """Whether the guest has taken the last byte."""
        return not self.value("serial.0.line_status.rxdata_ready")

    def receive(self, byte: int) -> None:
        """Put a byte into the receiver, which is free."""
        now = self.show("serial.0")
        enabled = now["rxdata_enable"]
        trigger = "fifo" if now["enable"] and now["rxtrigger"] else "rx"
        told = {f"{trigger}_interrupt" if enabled else f"{trigger}_ipending": "true"}
        if now["enable"]:
            zeros = ", ".join(["0x00"] * (_FIFO_BYTES - 1))
            told |= {"rx_fifo_end": "1", "rx_fifo": f"[\n0x{byte:02x}, {zeros}\n]"}
        else:
            told |= {"rxbuffer": hex(byte)}
        self.restore("serial", {"0": {**told, "line_status": {"rxdata_ready": "true"}}})
        if enabled and now["out2"]:
            self.raise_line(_COM1_LINE, stays=True)

    def quicken_serial(self) -> None:
        """Have COM1 send each byte at once, as QEMU's does, until the guest sets its speed again.

        A timer that is set to 0 microseconds fires after the period that it had last, so that is made 1 tick. The
        receiver's timer comes after the sender's, and was started when the speed was set: by that it is found.
        """
        microseconds = self.value("serial.0.databyte_usec")
        if not microseconds:
            return
        self.restore("serial", {"0": {"databyte_usec": "0"}})
        period = microseconds * INSTRUCTIONS_PER_SECOND // 1_000_000
        timers = self._console.ask(*[f'show "pc_system.timer.{number}"' for number in range(_TIMERS_MAX)])
        receivers = [number for number, said in enumerate(timers) if f"period = {period}\n" in said]
        if receivers:
            self.restore("pc_system", {"timer": {str(receivers[-1] - 1): {"period": "1"}}})


def next_request(now: Mapping[str, int]) -> int | None:
    """The line that an 8259A serves next, or None when it must wait: `pic_service` of Bochs."""
    first = (now["lowest_priority"] + 1) % _LINES
    order = [(first + number) % _LINES for number in range(_LINES)]
    if not now["special_mask"]:
        in_service = [position for position, line in enumerate(order) if now["isr"] >> line & 1]
        order = order[: in_service[0]] if in_service else order
    for line in order:
        if now["irr"] >> line & 1 and not now["imr"] >> line & 1 and not now["isr"] >> line & 1:
            return line
    return None


def _number(text: str) -> int:
    return int(text == "true") if text in ("true", "false") else int(text, 0)


def _text(values: Values, indent: str) -> str:
    """The form of a saved state."""
    lines = []
    for name, value in values.items():
        if isinstance(value, Mapping):
            lines.append(f"{indent}{name} = {{\n{_text(value, indent + '  ')}{indent}}}\n")
        else:
            lines.append(f"{indent}{name} = {value}\n")
    return "".join(lines)
