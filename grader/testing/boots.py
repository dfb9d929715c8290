"""The `boot` of a graded test: from a probe's name to a started machine.

A test boots a probe with parameters of its own. The probe, every program of the tree and the run's parameters go into
the boot archive, so that nothing of a test depends on the disk's timing; the disk holds the same programs and
whatever files the test asks for.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from grader.builds.build import Build
from grader.builds.filesystem539 import make_filesystem
from grader.builds.image import compose_image, stripped
from grader.host.sandbox import Sandbox
from grader.machine.disk import Disk
from grader.machine.machine import Machine
from grader.machine.preemption import Pattern
from grader.machine.symbols import SymbolTable
from grader.machine.witness import Witness
from grader.testing import seeds

if TYPE_CHECKING:
    from grader.machine.tape import Tapes

ARGUMENT_MAX = 255
"""Bytes of a program's argument, as the kernel's spawn allows."""

FIRST_PROGRAM = "shell"
"""What the kernel starts when nobody says what."""

GUEST_SECONDS = 2.0
"""Guest time a test may take when it does not say more: 125 million instructions."""


@functools.lru_cache(maxsize=6)
def symbols_of(kernel_elf: Path, _modified: int) -> SymbolTable:
    """A kernel's symbols, read once for many tests."""
    return SymbolTable.load(kernel_elf)


@functools.lru_cache(maxsize=256)
def program_bytes(elf: Path, _modified: int) -> bytes:
    """A program as it goes into the image, without its debug information."""
    return stripped(elf.read_bytes())


@functools.lru_cache(maxsize=8)
def _disk(files: tuple[tuple[str, bytes], ...]) -> bytes:
    return make_filesystem(dict(files))


def _modified(file: Path) -> int:
    return file.stat().st_mtime_ns


def program(elf: Path) -> bytes:
    """`program_bytes` of the file as it is now."""
    return program_bytes(elf, _modified(elf))


def compose(
    build: Build,
    archive: Mapping[str, bytes],
    *,
    files: Mapping[str, bytes] | None = None,
    filesystem: bytes | None = None,
) -> bytes:
    """The disk image of a build: `archive` for the bootstrap, the build's programs and `files` on 539filesystem.

    With `filesystem`, its bytes stand there in their place. Raises ImageError when something does not fit.
    """
    if filesystem is None:
        on_disk = {name: program(elf) for name, elf in build.programs.items()}
        on_disk.update(files or {})
        filesystem = _disk(tuple(sorted(on_disk.items())))
    return compose_image(build.bootstrap_bin.read_bytes(), build.kernel_bin.read_bytes(), archive, filesystem)


def texts(build: Build) -> dict[str, bytes]:
    """The text files that a tree has for its disk, in kernel/files: something for a person to read at the shell."""
    return {file.name: file.read_bytes() for file in sorted((build.tree / "kernel" / "files").glob("*.txt"))}


def argument_of(parameters: Mapping[str, object]) -> str:
    """Parameters as a probe gets them: `order=1 nonce=123`. Raises ValueError when they do not fit."""
    text = " ".join(f"{key}={_value(value)}" for key, value in parameters.items())
    if len(text.encode()) > ARGUMENT_MAX:
        raise ValueError(f"a probe's parameters take {len(text)} bytes, {ARGUMENT_MAX} fit: {text}")
    return text


def _value(value: object) -> str:
    text = str(int(value)) if isinstance(value, bool) else str(value)
    if " " in text or "\n" in text:
        raise ValueError(f"a probe's parameter cannot hold a blank: {text!r}")
    return text


class Boots:
    """Starts machines for one test and ends them all when the test ends.

    With a `pattern`, their timers interrupt as that says, from the first instruction of the program that they start.
    """

    def __init__(
        self,
        build: Build,
        *,
        seed: str,
        test: str,
        sandbox: Sandbox | None = None,
        witness: Witness = Witness.QEMU,
        tapes: Tapes | None = None,
        pattern: Pattern | None = None,
        on_boot: Callable[[Boots, Machine], None] | None = None,
    ) -> None:
        self.witness = witness
        """The emulator that the machines are made of."""
        self.machines: list[Machine] = []
        self.nonces: list[int] = []
        self.build = build
        self._seed = seed
        self._test = test
        self._sandbox = sandbox
        self._tapes = tapes
        self._pattern = pattern
        self._on_boot = on_boot

    def __enter__(self) -> Boots:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __call__(
        self,
        probe: str | None,
        *,
        files: Mapping[str, bytes] | None = None,
        programs: Mapping[str, str] | None = None,
        first: str = "",
        guest_seconds: float = GUEST_SECONDS,
        memory_mb: int = 32,
        screen: bool = False,
        exit_device: bool = False,
        disk: Disk = Disk.SOUND,
        filesystem: bytes | None = None,
        **parameters: object,
    ) -> Machine:
        """A machine that starts `probe` first, with `parameters` and a nonce; `probe=None` starts the shell.

        `first` is what a person would type at the shell: this program of the tree runs in its place, with what
        follows it as its argument. `files` are put on 539filesystem beside the tree's programs. `machine.nonce`
        is the value that was drawn. `programs` puts probes in the places of programs: with
        `{"scheduler_server": "evil"}` the probe `evil` is started as that. `screen` adds a VGA card,
        `exit_device` isa-debug-exit; `disk` is its condition, and `filesystem` stands on it as it is, in place
        of a sound one. The other names are the probe's own parameters.
        """
        # Another one on another emulator: a kernel that heard of one there knows nothing here.
        drawn_for = self._test if self.witness is Witness.QEMU else f"{self._test} on {self.witness}"
        nonce = seeds.nonce(self._seed, drawn_for, len(self.machines))
        self.nonces.append(nonce)
        symbols = symbols_of(self.build.kernel_elf, _modified(self.build.kernel_elf))
        replaced = programs or {}
        archive = self._archive(probe, first, nonce, parameters)
        archive |= {name: program(self._probe(other)) for name, other in replaced.items()}
        own = {name: elf for name, elf in self.build.programs.items() if name not in replaced}
        machine = Machine.start(
            compose(self.build, archive, files=files, filesystem=filesystem),
            symbols=symbols,
            programs={**own, **self.build.probes},
            probe=probe,
            memory_mb=memory_mb,
            sandbox=self._sandbox,
            guest_seconds=guest_seconds,
            screen=screen,
            exit_device=exit_device,
            disk=disk,
            witness=self.witness,
            tape=self._tapes.next() if self._tapes is not None else None,
        )
        machine.nonce = nonce
        self.machines.append(machine)
        if self._pattern is not None:
            machine.preempt(self._pattern, probe or first.partition(" ")[0] or FIRST_PROGRAM)
        if self._on_boot is not None:
            self._on_boot(self, machine)
        return machine

    def _archive(self, probe: str | None, first: str, nonce: int, parameters: Mapping[str, object]) -> dict[str, bytes]:
        archive = {name: program(elf) for name, elf in self.build.programs.items()}
        lines = [f"nonce={nonce}"]
        if probe is not None:
            archive[probe] = program(self._probe(probe))
            lines = [f"init={probe}", f"argument={argument_of({**parameters, 'nonce': nonce})}", *lines]
        elif first:
            name, _, argument = first.partition(" ")
            lines = [f"init={name}", f"argument={argument.strip()}", *lines]
        archive["parameters"] = ("\n".join(lines) + "\n").encode()
        return archive

    def _probe(self, name: str) -> Path:
        if name not in self.build.probes:
            known = ", ".join(sorted(self.build.probes)) or "none"
            raise LookupError(f"the lab has no probe {name!r} (it has: {known})")
        return self.build.probes[name]

    def close(self) -> None:
        """End all machines."""
        for machine in self.machines:
            with contextlib.suppress(OSError):
                machine.close()
