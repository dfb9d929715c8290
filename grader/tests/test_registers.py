"""The emulator's own text of the registers, read."""

from __future__ import annotations

import pytest

from grader.machine.registers import parse_registers

TEXT = """
CPU#0
EAX=0000001a EBX=bfffdf8c ECX=0000001a EDX=00000000
ESI=00000000 EDI=00000000 EBP=bfffdfb8 ESP=bfffdf6c
EIP=10000590 EFL=00003286 [--S--P-] CPL=3 II=0 A20=1 SMM=0 HLT=0
ES =0023 00000000 ffffffff 00cff300 DPL=3 DS   [-WA]
CS =001b 00000000 ffffffff 00cffb00 DPL=3 CS32 [-RA]
SS =0023 00000000 ffffffff 00cff300 DPL=3 DS   [-WA]
DS =0023 00000000 ffffffff 00cff300 DPL=3 DS   [-WA]
FS =0023 00000000 ffffffff 00cff300 DPL=3 DS   [-WA]
GS =0023 00000000 ffffffff 00cff300 DPL=3 DS   [-WA]
LDT=0000 00000000 0000ffff 00008200 DPL=0 LDT
TR =0028 c0106050 00000067 c0008b10 DPL=0 TSS32-busy
GDT=     c0106010 0000002f
IDT=     c0109678 00000407
CR0=8001003f CR2=00000010 CR3=004f0000 CR4=00000000
DR0=00000000 DR1=00000000 DR2=00000000 DR3=00000000
DR6=ffff0ff0 DR7=00000400
EFER=0000000000000000
"""


def test_all_registers_are_read() -> None:
    """General registers, hidden parts, tables, control and debug registers."""
    found = parse_registers(TEXT)
    assert (found.eip, found.ebp, found.cpl) == (0x10000590, 0xBFFFDFB8, 3)
    assert (found.cs.selector, found.cs.rpl, found.cs.dpl, found.cs.limit) == (0x1B, 3, 3, 0xFFFFFFFF)
    assert (found.tr.selector, found.tr.base, found.tr.type) == (0x28, 0xC0106050, 11)
    assert (found.gdtr.base, found.gdtr.limit) == (0xC0106010, 0x2F)
    assert (found.idtr.base, found.idtr.limit) == (0xC0109678, 0x407)
    assert (found.cr0, found.cr2, found.cr3) == (0x8001003F, 0x10, 0x4F0000)
    assert found.debug == (0, 0, 0, 0, 0xFFFF0FF0, 0x400)


def test_what_the_bits_mean() -> None:
    """Derived from the numbers."""
    found = parse_registers(TEXT)
    assert found.protected
    assert found.paging
    assert found.write_protect
    assert found.interrupts_enabled
    assert found.iopl == 3
    assert not found.halted
    assert found.general()["esp"] == 0xBFFFDF6C


def test_another_text_is_refused() -> None:
    """With what is missing."""
    with pytest.raises(ValueError, match="lack 'cpl'"):
        parse_registers(TEXT.replace("CPL=3", ""))
