"""The grader's firmware: both ROMs are valid, boot the same image, and answer what a boot sector asks of a BIOS."""

from __future__ import annotations

import pytest

from grader.machine import Hang, Machine
from grader.machine.firmware import bios, is_rom, option_rom, with_checksum
from grader.tests.boot_sectors import STOP, boot_sector


def test_the_option_rom_is_one() -> None:
    """Signature, length, checksum."""
    assert is_rom(option_rom())
    assert not is_rom(option_rom()[:-1] + b"\x99")
    assert sum(with_checksum(bytes(range(100)))) & 255 == 0


def test_the_bios_fills_its_64_kb() -> None:
    """The processor starts 16 bytes before the end, with a far jump."""
    assert len(bios()) == 64 << 10
    assert bios()[-16] == 0xEA


ASKS = boot_sector(
    """
        xor ax, ax
        mov ds, ax
        mov es, ax
        mov [0x8000], dl        ; the drive that it was booted from
        int 0x12
        mov [0x8002], ax
        mov ah, 0x88
        int 0x15
        mov [0x8004], ax
        mov ah, 0x41            ; are there extended calls?
        mov bx, 0x55AA
        mov dl, 0x80
        int 0x13
        mov [0x8006], bx
        mov ah, 8               ; geometry
        mov dl, 0x80
        int 0x13
        mov [0x8008], cx
        mov [0x800A], dx
        mov ax, 0x0201          ; by cylinder, head and sector: sector 4
        mov cx, 4
        mov dx, 0x0080
        mov bx, 0x9000
        int 0x13
        mov si, packet          ; by number: sectors 3 and 4
        mov ah, 0x42
        mov dl, 0x80
        int 0x13
        setc [0x800C]
        mov ah, 3               ; writing is refused
        mov dl, 0x80
        int 0x13
        setc [0x800D]
        mov ah, 0x42            ; there is no second disk
        mov dl, 0x81
        int 0x13
        setc [0x800E]
        xor ebx, ebx            ; the memory map
        mov di, 0xA000
.next:  mov eax, 0xE820
        mov edx, 0x534D4150
        mov ecx, 24
        int 0x15
        jc .end
        add di, 24
        test ebx, ebx
        jnz .next
.end:   mov [0x8010], di
"""
    + STOP
    + """
packet: db 16, 0
        dw 2, 0x9200, 0
        dq 3
"""
)
DISK = ASKS[:512] + b"".join(bytes([number]) * 512 for number in range(1, 128))


@pytest.mark.parametrize("screen", [False, True])
def test_what_a_boot_sector_asks(screen: bool) -> None:
    """Our BIOS, and a full one with our option ROM, give the same answers."""
    with Machine.start(DISK, screen=screen, memory_mb=32) as machine:
        with pytest.raises(Hang):
            machine.run()
        words = [int.from_bytes(machine.read_physical(0x8000 + offset, 2), "little") for offset in range(0, 12, 2)]
        assert words[0] & 0xFF == 0x80
        assert words[1] == 639
        assert 30 << 10 <= words[2] <= 31 << 10
        assert words[3] == 0xAA55
        assert words[4] & 63 == 63
        assert words[5] == 0x0F01
        assert machine.read_physical(0x9000, 512) == b"\3" * 512
        assert machine.read_physical(0x9200, 1024) == b"\3" * 512 + b"\4" * 512
        assert machine.read_physical(0x800C, 3) == b"\0\1\1"
        end = int.from_bytes(machine.read_physical(0x8010, 2), "little")
        usable = 0
        for address in range(0xA000, end, 24):
            entry = machine.read_physical(address, 20)
            base, length, kind = (int.from_bytes(entry[i : i + n], "little") for i, n in ((0, 8), (8, 8), (16, 4)))
            usable += length if kind == 1 and base >= 1 << 20 else 0
        assert 30 << 20 < usable <= 31 << 20


@pytest.mark.parametrize("megabytes", [4, 16, 64, 512])
def test_the_memory_map_grows_with_the_memory(megabytes: int) -> None:
    """Below and above the 16 MB where the clock's memory changes its unit."""
    with Machine.start(DISK, memory_mb=megabytes) as machine:
        with pytest.raises(Hang):
            machine.run()
        end = int.from_bytes(machine.read_physical(0x8010, 2), "little")
        last = machine.read_physical(end - 24, 20)
        assert int.from_bytes(last[:8], "little") + int.from_bytes(last[8:16], "little") == megabytes << 20


def test_a_disk_that_does_not_boot() -> None:
    """It is said on the serial line."""
    with Machine.start(bytes(64 << 10)) as machine:
        assert machine.wait_for_serial(b"no boot sector on the disk")
