"""Tiny guests for the tests of the machine layer: boot sectors of some lines of assembly, assembled by nasm."""

from __future__ import annotations

import functools
import subprocess
import tempfile
from pathlib import Path

DISK_BYTES = 64 << 10

SAY = """
; Writes the NUL-terminated string at SI to COM1.
say:    mov dx, 0x3F8
.next:  lodsb
        test al, al
        jz .done
        out dx, al
        jmp .next
.done:  ret
"""

PROTECTED_MODE = """
        cli
        xor ax, ax
        mov ds, ax
        mov ss, ax
        mov sp, 0x7C00
        lgdt [gdt_register]
        mov eax, cr0
        or al, 1
        mov cr0, eax
        jmp 8:protected_mode
gdt:    dq 0, 0x00CF9A000000FFFF, 0x00CF92000000FFFF
gdt_register:
        dw 23
        dd gdt
bits 32
protected_mode:
        mov ax, 16
        mov ds, ax
        mov es, ax
        mov ss, ax
        mov esp, 0x7C00
"""
"""Flat 32-bit protected mode without paging and without an IDT; what follows is 32-bit code."""

STOP = """
stop:   cli
        hlt
        jmp stop
"""


@functools.cache
def boot_sector(code: str) -> bytes:
    """A disk whose boot sector is this 16-bit code (nasm's syntax, at 0x7C00)."""
    source = f"bits 16\norg 0x7C00\n{code}\ntimes 510 - ($ - $$) db 0\ndw 0xAA55\n"
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "sector.asm"
        file.write_text(source)
        subprocess.run(["nasm", "-f", "bin", "-o", f"{folder}/sector", str(file)], check=True)
        return Path(folder, "sector").read_bytes().ljust(DISK_BYTES, b"\0")
