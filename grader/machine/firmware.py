"""The boot firmware as bytes: assembled from grader/firmware/ when it is first needed, then kept in the cache."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from grader.faults import Ungradable
from grader.paths import Project

ROM_BLOCK = 512
ROM_FILE_BYTES = 2 << 20  # the largest that Bochs takes
FOLDER = Path(__file__).resolve().parent.parent / "firmware"


@functools.cache
def option_rom() -> bytes:
    """The option ROM that makes another BIOS boot the image handed over by fw_cfg. Raises Ungradable without nasm."""
    return assembled("disk", with_checksum)


@functools.cache
def bios() -> bytes:
    """The grader's own BIOS, which boots that image. Raises Ungradable without nasm."""
    return assembled("bios", lambda rom: rom)


def rom_with_disk(image: bytes) -> bytes:
    """The BIOS for Bochs with a disk image in front of it, or as much of it as fits (firmware/rom_disk.inc)."""
    code = assembled("bios_bochs", lambda rom: rom)
    room = ROM_FILE_BYTES - len(code) - 4
    sectors = min(len(image), room) // ROM_BLOCK
    return image[: sectors * ROM_BLOCK].ljust(room, b"\0") + sectors.to_bytes(4, "little") + code


def assembled(name: str, finish: Callable[[bytes], bytes]) -> bytes:
    """The ROM of an assembly file, from the cache if these very sources were assembled before."""
    sources = b"".join(file.read_bytes() for file in sorted(FOLDER.iterdir()) if file.suffix in (".asm", ".inc"))
    kept = Project.here().cache / "firmware" / f"{name}-{hashlib.sha256(sources).hexdigest()[:16]}.rom"
    with contextlib.suppress(OSError):
        found = kept.read_bytes()
        if found and len(found) % ROM_BLOCK == 0:
            return found
    rom = finish(_assemble(FOLDER / f"{name}.asm"))
    with contextlib.suppress(OSError):
        kept.parent.mkdir(parents=True, exist_ok=True)
        unfinished = kept.with_name(f"{kept.name}.{os.getpid()}")
        unfinished.write_bytes(rom)
        unfinished.replace(kept)
    return rom


def with_checksum(rom: bytes) -> bytes:
    """The ROM with its last byte set so that all bytes sum up to 0 (modulo 256), as a BIOS demands."""
    return rom[:-1] + bytes((-sum(rom[:-1]) & 255,))


def is_rom(data: bytes) -> bool:
    """Whether this is an option ROM: signature, length, checksum."""
    return data[:2] == b"\x55\xaa" and len(data) == data[2] * ROM_BLOCK and sum(data) & 255 == 0


def _assemble(source: Path) -> bytes:
    with tempfile.TemporaryDirectory(prefix="kernelist-") as folder:
        output = Path(folder) / "rom"
        try:
            words = ["nasm", "-w+error", "-i", f"{source.parent}/", "-f", "bin", "-o", str(output), str(source)]
            subprocess.run(words, check=True, capture_output=True, text=True)
        except FileNotFoundError as error:
            raise Ungradable("nasm is not installed here; ./lab doctor says how to install it") from error
        except subprocess.CalledProcessError as error:
            raise Ungradable(f"the grader's firmware does not assemble: {error.stderr.strip()}") from error
        return output.read_bytes()
