"""The end of a probe counts only when it is the probe's own, in ring 3, and both witnesses agree."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from grader.machine import Machine, MachineStopped, NotAsRequired
from grader.machine.report import ENTRY
from grader.tests.boot_sectors import PROTECTED_MODE, SAY, STOP, boot_sector
from grader.tests.elf import Label, elf

COUNT, LOG = 0x9000, 0x9004

RING_3 = """
        push dword 0x23         ; SS
        push dword 0x8000       ; ESP
        push dword 2            ; EFLAGS
        push dword 0x1B         ; CS
        push dword finish
        mov ax, 0x23
        mov ds, ax
        mov es, ax
        iret
"""


def image(lines: str, reports: list[tuple[str, int]], *, ring: int = 3) -> bytes:
    """A guest that prints these lines, holds these reports in memory, and comes to its end in a ring."""
    protected = PROTECTED_MODE.replace(
        "0x00CF92000000FFFF", "0x00CF92000000FFFF, 0x00CFFA000000FFFF, 0x00CFF2000000FFFF"
    ).replace("dw 23", "dw 39")
    entries = struct.pack("<I", len(reports)) + b"".join(ENTRY.pack(key.encode(), value) for key, value in reports)
    log = ", ".join(map(str, entries))
    code = f"""
        xor ax, ax
        mov ds, ax
        mov si, text
        call say
        {protected}
        mov esi, log
        mov edi, {COUNT}
        mov ecx, {len(entries)}
        rep movsb
        {RING_3 if ring == 3 else ""}
finish: jmp finish
bits 16
{SAY}
text:   db {lines!r}, 10, 0
log:    db {log}
"""
    return boot_sector(code)


@pytest.fixture
def probe(tmp_path: Path) -> Callable[[bytes], Path]:
    """Makes the ELF file of a probe whose code is this image's boot sector, up to where it changes while it runs."""

    def make(disk: bytes) -> Path:
        finish = disk.index(b"\xeb\xfe")
        file = tmp_path / "probe.elf"
        labels = [
            Label("probe_finish", 0x7C00 + finish),
            Label("probe_log_count", COUNT),
            Label("probe_log", LOG),
        ]
        file.write_bytes(elf(labels, code=disk[finish : finish + 2], base=0x7C00 + finish))
        return file

    return make


def finished(disk: bytes, elf_file: Path) -> Machine:
    """A machine with this guest, to be finished."""
    return Machine.start(disk, programs={"probe": elf_file}, probe="probe")


def test_a_report(probe: Callable[[bytes], Path]) -> None:
    """Both witnesses agree; afterwards the machine can go on."""
    disk = image("probe a=0x00000539", [("a", 0x539)])
    with finished(disk, probe(disk)) as machine:
        assert machine.finish() == {"a": 0x539}
        assert machine.registers().cpl == 3
        with pytest.raises(MachineStopped, match="spins"):
            machine.run()


def test_what_was_only_printed(probe: Callable[[bytes], Path]) -> None:
    """A kernel can print any line; the probe's memory does not know of it."""
    disk = image("probe a=0x00000539", [])
    with finished(disk, probe(disk)) as machine, pytest.raises(NotAsRequired, match="never reported 'a'"):
        machine.finish()["a"]


def test_what_was_only_in_memory(probe: Callable[[bytes], Path]) -> None:
    """And the other way round."""
    disk = image("probe a=0x00000001", [("a", 2)])
    with (
        finished(disk, probe(disk)) as machine,
        pytest.raises(NotAsRequired, match="memory holds a=0x2, the console said 0x1"),
    ):
        machine.finish()


def test_an_end_in_ring_0(probe: Callable[[bytes], Path]) -> None:
    """A kernel that runs the probe in its own ring isolates nothing."""
    disk = image("probe a=0x00000001", [("a", 1)], ring=0)
    with finished(disk, probe(disk)) as machine, pytest.raises(NotAsRequired, match="runs in ring 0"):
        machine.finish()


def test_other_code_at_the_probes_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who jumps to the address with other code there has not finished."""
    monkeypatch.setattr("grader.machine.machine._FALSE_ALARMS_MAX", 5)
    disk = image("probe a=0x00000001", [("a", 1)])
    finish = disk.index(b"\xeb\xfe")
    file = tmp_path / "probe.elf"
    file.write_bytes(elf([Label("probe_finish", 0x7C00 + finish)], code=b"\x90\xeb\xfd", base=0x7C00 + finish))
    with (
        finished(disk, file) as machine,
        pytest.raises(NotAsRequired, match="other code than the probe's came 5 times"),
    ):
        machine.finish()


def test_a_probe_that_never_ends(probe: Callable[[bytes], Path]) -> None:
    """It is named."""
    disk = image("probe a=0x00000001", [("a", 1)])
    with Machine.start(boot_sector(STOP), programs={"probe": probe(disk)}, probe="probe") as machine:
        with pytest.raises(MachineStopped, match="The end of the probe probe never came"):
            machine.finish()


def test_the_log_of_a_traced_machine_is_kept(tmp_path: Path) -> None:
    """For whoever wants every interrupt."""
    log = tmp_path / "log"
    with Machine.start(boot_sector(PROTECTED_MODE + "ud2"), trace=log) as machine, pytest.raises(MachineStopped):
        machine.run()
    assert "v=06" in log.read_text()
