"""The descriptor audit: what the fence's rules find in a machine's tables, and in every LDT that its kernel loads.

    machine = boot("privcall_loop", children=3)
    audit = Audit(machine)          # from now on it looks at each LDT that is loaded
    report = machine.finish()
    audit.check()                   # looks at what is in force now too; fails with sentences and the tables

The kernel's LLDT instructions are found in the bytes of its file, in both forms, whatever prefixes they carry; the
machine is stopped before each, and the LDT is read when it has been loaded. On Bochs every load is seen. On QEMU a stop
lets virtual time jump to the next interrupt of the timer, so that a scheduler stopped at every switch would never let a
process come forward: the first `LOADS_ON_QEMU` loads are seen, and what is in force at each `look` and at `check`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from grader.machine import fence
from grader.machine.descriptors import decode_table
from grader.machine.faults import NotAsRequired
from grader.machine.fence import KERNEL, Table
from grader.machine.witness import Witness

if TYPE_CHECKING:
    from grader.machine.execution import PointGuard
    from grader.machine.machine import Machine
    from grader.machine.symbols import SymbolTable

LOADS_ON_QEMU = 32
LOADS_ON_BOCHS = 10_000

SENTENCES_SHOWN = 8
_LDT_BYTES_MAX = 8 * 8192
_PAGE = 4096

# Any prefixes, then 0F 00 /2: with memory at [register], [register + 8 bits], [register + 32 bits], or a register.
_LLDT = re.compile(rb"[\x26\x2e\x36\x3e\x64-\x67\xf2\xf3]*\x0f\x00[\x10-\x17\x50-\x57\x90-\x97\xd0-\xd7]")


def lldt_places(kernel: SymbolTable) -> list[int]:
    """Addresses at which an LLDT instruction may begin. Where none does, nothing is ever executed either: data, the
    middle of other instructions, a prefix that belongs to the one before.
    """
    return sorted({place for start, match in kernel.matches(_LLDT) for place in range(start, start + len(match) - 2)})


class Audit:
    """One machine's audit. `findings` are sentences, each once, in the order in which they came up."""

    def __init__(self, machine: Machine, *, kernel: int = KERNEL, loads: int | None = None) -> None:
        """Begin to look at the LDTs that are loaded. `kernel` is where its memory begins."""
        self.findings: list[str] = []
        self.tables: list[Table] = []
        """Every table that was seen, in each of the forms that it had."""
        self.loads = 0
        """How many loads of an LDT were seen."""
        self._machine = machine
        self._kernel = kernel
        bound = LOADS_ON_QEMU if machine.witness is Witness.QEMU else LOADS_ON_BOCHS
        self._loads_left = bound if loads is None else loads
        self._points: list[PointGuard] = []
        if self._loads_left:
            self._points = [machine.observe(place, self._loading) for place in lldt_places(machine.symbols)]

    def look(self) -> None:
        """Look at all that is in force where the machine is stopped now."""
        machine, now = self._machine, self._machine.registers()
        gdt, ldt = self._look_at_tables()
        self._add(*fence.of_task_state(machine.tss(), gdt, ldt), *fence.of_registers(now, self._kernel))
        for name, table in (("GDT", now.gdtr), ("IDT", now.idtr), ("task state", now.tr)):
            self._look_at_place(name, table.base, table.limit)

    def check(self) -> None:
        """Look once more, and fail the test when there was anything wrong. Raises NotAsRequired."""
        self.look()
        if self.findings:
            raise NotAsRequired(str(self))

    def __str__(self) -> str:
        """The findings, the first one in front, and the tables in columns."""
        more = len(self.findings) - SENTENCES_SHOWN
        lines = self.findings[:SENTENCES_SHOWN] + ([f"... and {more} more"] if more > 0 else [])
        for table in self.tables:
            lines += ["", *fence.columns(table)]
        return "\n".join(lines or ["nothing has been looked at"])

    def _loading(self) -> None:
        """Called before an LLDT: let it be executed, and look at what it loaded."""
        self._machine.step()
        self.loads += 1
        if self._machine.registers().ldtr.selector & ~3:
            self._look_at_tables()
        self._loads_left -= 1
        if not self._loads_left:
            self._machine.renew_limit()  # the stops have cost it guest time
            for point in self._points:
                point.remove()

    def _look_at_tables(self) -> tuple[Table, Table | None]:
        now = self._machine.registers()
        gdt = Table("GDT", now.gdtr.base, now.gdtr.limit, self._machine.gdt())
        ldt = None
        if now.ldtr.selector & ~3:
            held = now.ldtr
            data = self._machine.read_virtual(held.base, min(held.limit + 1, _LDT_BYTES_MAX))
            ldt = Table(f"LDT {held.selector:#06x}", held.base, held.limit, decode_table(data))
            self._look_at_place(ldt.name, ldt.base, ldt.limit)
        for table in (gdt, ldt):
            if table is not None and table not in self.tables:
                self.tables.append(table)
        self._add(*fence.of_tables(gdt, ldt, self._kernel))
        return gdt, ldt

    def _look_at_place(self, name: str, base: int, limit: int) -> None:
        """A table must lie in the kernel's memory, in pages that ring 3 cannot touch."""
        if base < self._kernel or base + limit > fence.TOP:
            self._add(
                f"the {name} lies at {base:#010x} to {base + limit & fence.TOP:#010x}, not in the kernel's memory"
            )
        if not self._machine.registers().paging:
            return
        for page in range(base & -_PAGE, min(base + limit, fence.TOP) + 1, _PAGE):
            found = self._machine.walk(page)
            if not found.present or found.user:
                self._add(f"the {name} lies in a page that is not the supervisor's alone: {found}")

    def _add(self, *sentences: str) -> None:
        self.findings += [sentence for sentence in dict.fromkeys(sentences) if sentence not in self.findings]
