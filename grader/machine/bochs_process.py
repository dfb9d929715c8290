"""Bochs's process: its settings, its descriptors, its end. It runs with its own debugger as its console.

Nothing of the host is bound but descriptors: the image and the ROM, both without a name, and the pipes of the console,
COM1 and the log. The instructions pass as if a second had 62.5 million of them and the clock starts at a fixed date, so
that the same image executes the same instructions on any host.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import select
import shutil
import subprocess
import tempfile
from pathlib import Path

from grader.faults import Ungradable
from grader.host import programs
from grader.host.sandbox import Limits, Sandbox, end
from grader.machine.bochs_state import PARTS
from grader.machine.control import INSTRUCTIONS_PER_SECOND
from grader.machine.disk import Disk
from grader.machine.emulator import Setup
from grader.machine.faults import EmulatorGone, NotOnThisMachine
from grader.machine.firmware import rom_with_disk
from grader.machine.serial import Bounded, SerialLine, roomy_pipe
from grader.machine.unnamed import close_file, path_of, unnamed_file

NAMES = ("bochs-bin", "bochs")
"""Debian's /usr/bin/bochs is a shell script around the first."""

LIMITS = Limits(address_space=1 << 30, cpu_seconds=120, file_size=64 << 20, processes=64, open_files=128)

HEADS, SECTORS = 16, 63
CYLINDER_BYTES = HEADS * SECTORS * 512

_ANSWER_SECONDS = 60.0

_DEVICES = ("cpu0", "pic", "pit", "cmos", "dma")

START_OF_TIME = 1704067200  # 2024-01-01, as in QEMU

UNUSED = re.compile(r"libbx_(?!rfb_)(?:\w+_gui|\w+_img|eth_\w+|usb_\w+|sound\w+)\.so")
"""Plugins that none of our machines has. Bochs loads whatever it finds in their folder to ask what it is: its windows
alone, with all their libraries, take longer than the rest of its start.
"""

# A line on standard error, which Bochs does not need, interrupts the guest, and is answered when that was done; its end
# ends Bochs, if it still runs.
# Each part of Bochs's state is restored from the one file that is ours (`bochs_state`). The arguments are the settings,
# that file, the folder for its names, the descriptor for answers, and the plugins. The guest's memory is asked for in
# large pages, of which the system clears a few instead of thousands of small ones.
SCRIPT = f"""
p=$$ settings=$1 state=$2 folder=$3 answers=$4
shift 4
for part in {" ".join(PARTS)}; do ln -s "$state" "$folder/$part" & done
if [ $# -gt 0 ]; then
    mkdir "$folder/plugins" && ln -s "$@" "$folder/plugins"
    export LTDL_LIBRARY_PATH="$folder/plugins"
fi
wait
(while read -r _; do kill -INT $p; echo; done; kill -KILL $p) <&2 >"/dev/fd/$answers" &
export GLIBC_TUNABLES=glibc.malloc.hugetlb=1
exec "$0" -q -f "$settings" 2>/dev/null
"""


def settings(setup: Setup, disk: int, cylinders: int, rom: int, serial: int, log: int) -> str:
    """The configuration file. The numbers are descriptors, but for `cylinders`."""
    # A triple fault is a panic of Bochs's processor: reported, not fatal, it stops the machine for the debugger. All
    # other words of its devices are dropped, since a guest can provoke them without end.
    reported = ", ".join(f"{device}=report" for device in _DEVICES)
    lines = [
        'display_library: rfb, options="timeout=0"',
        f"romimage: file={path_of(rom)}",
        f"megs: {setup.memory_mb}",
        f"cpu: ips={INSTRUCTIONS_PER_SECOND}, reset_on_triple_fault=0",
        f"clock: sync=none, time0={START_OF_TIME}",
        f"com1: enabled=1, mode=file, dev=/dev/fd/{serial}",
        "vga: update_freq=1, realtime=0, extension=none",
        "sound: waveoutdrv=dummy",
        "plugin_ctrl: biosdev=0, speaker=0, gameport=0, parallel=0, extfpuirq=0, iodebug=0, unmapped=0",
        "pci: enabled=0",
        f"panic: action=fatal, {reported}",
        "error: action=ignore",
        "info: action=ignore",
        f"debug: action=ignore{', cpu0=report' if setup.trace else ''}",
        f"log: /dev/fd/{log}",
    ]
    if setup.disk is Disk.SOUND:
        geometry = f"cylinders={cylinders}, heads={HEADS}, spt={SECTORS}"
        lines.append(f"ata0-master: type=disk, path={path_of(disk)}, mode=flat, {geometry}")
    return "\n".join([*lines, "boot: disk", ""])


def find_bochs() -> str:
    """The path of Bochs (`KERNELIST_BOCHS` in the environment names another). Raises Ungradable."""
    wanted = os.environ.get("KERNELIST_BOCHS")
    path = programs.first((wanted,) if wanted else NAMES)
    if path is not None:
        return path
    from grader.host.tools import TOOLS, how_to_install

    advice = next(how_to_install(tool) for tool in TOOLS if tool.what == "Bochs")
    raise Ungradable(f"the emulator {wanted or 'bochs'} is not installed here, and this test needs it: {advice}")


@functools.cache
def _plugins(program: str) -> tuple[str, ...]:
    """The plugins that Bochs is to find; none where they are built in, or not where packages put them."""
    prefix = Path(program).resolve().parent.parent
    for folder in ("lib/bochs/plugins", "lib/*/bochs/plugins", "lib64/bochs/plugins"):
        found = sorted(prefix.glob(f"{folder}/libbx_*.so"))
        if found:
            return tuple(str(file) for file in found if not UNUSED.fullmatch(file.name))
    return ()


class BochsProcess:
    """A started Bochs, and our ends of all its lines."""

    def __init__(self, image: bytes, setup: Setup, sandbox: Sandbox | None) -> None:
        _refuse(setup)
        program = find_bochs()
        self.setup = setup
        self.serial = SerialLine()
        self.messages = Bounded(16 << 10, 128 << 10)
        self.state = unnamed_file(b"")
        """What Bochs restores a part of its state from."""
        self._image_bytes = len(image)
        cylinders = -(-len(image) // CYLINDER_BYTES)
        self._disk = unnamed_file(image.ljust(cylinders * CYLINDER_BYTES, b"\0"))
        self._log, log = roomy_pipe()
        self._interrupt_end, self._interrupt = os.pipe()
        self._interrupted, interrupted = os.pipe()
        self._rom = unnamed_file(rom_with_disk(image))
        os.set_blocking(self._log, False)
        for pipe in (log, self.serial.guest_output, interrupted):
            with contextlib.suppress(OSError):  # Bochs, as another user, opens them by name; where it is one
                os.fchmod(pipe, 0o666)
        text = settings(setup, self._disk, cylinders, self._rom, self.serial.guest_output, log)
        self._configuration = unnamed_file(text.encode())
        active = sandbox is not None and sandbox.active
        self._own_folder = "" if active else tempfile.mkdtemp(prefix="kernelist-")
        self.folder = self._own_folder or "/tmp"
        """Where Bochs finds the parts of its state."""
        passed = [self._configuration, self.state, self._disk, self._rom, self.serial.guest_output, log, interrupted]
        confined = sandbox if sandbox is not None else Sandbox(False, "")
        places = (path_of(self._configuration), path_of(self.state), self.folder, str(interrupted))
        arguments = ["/bin/sh", "-c", SCRIPT, program, *places, *_plugins(program)]
        try:
            self.process = confined.popen(
                arguments,
                LIMITS,
                pass_fds=passed,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._interrupt_end,
                folder=Path(self._own_folder) if self._own_folder else None,
            )
        except OSError as error:
            self._release()
            raise Ungradable(f"Bochs cannot be started: {error}") from error
        finally:
            for descriptor in (log, self._interrupt_end, interrupted):
                os.close(descriptor)
            self.serial.started()

    def fileno(self) -> int:
        """The descriptor that becomes readable when Bochs has logged something."""
        return self._log

    def drain_messages(self) -> bool:
        """Take what Bochs logged. False when that line has ended."""
        for _ in range(64):
            try:
                data = os.read(self._log, 1 << 16)
            except BlockingIOError:
                return True
            if not data:
                return False
            self.messages.append(data)
        return True

    def interrupt(self) -> None:
        """Have the guest stopped. Returns when the signal was sent. Raises Ungradable, EmulatorGone."""
        try:
            os.write(self._interrupt, b"\n")
        except BrokenPipeError as error:
            raise EmulatorGone() from error
        if not select.select([self._interrupted], [], [], _ANSWER_SECONDS)[0]:
            raise Ungradable("Bochs cannot be interrupted")
        if not os.read(self._interrupted, 1):
            raise EmulatorGone()

    def disk(self) -> bytes:
        """The present contents of the guest's disk."""
        return os.pread(self._disk, self._image_bytes, 0)

    def wait(self, seconds: float) -> int | None:
        """The exit status, or None when it still runs after so long."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def close(self) -> None:
        """Kill Bochs and close all lines."""
        end(self.process)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        self._release()

    def _release(self) -> None:
        self.serial.close()
        if self._own_folder:
            shutil.rmtree(self._own_folder, ignore_errors=True)
        for file in (self._configuration, self._rom, self._disk, self.state):
            close_file(file)
        for descriptor in (self._log, self._interrupt, self._interrupted):
            with contextlib.suppress(OSError):
                os.close(descriptor)


def _refuse(setup: Setup) -> None:
    """Raise NotOnThisMachine for what Bochs has not."""
    lacking = {
        "a screen": setup.screen,
        "isa-debug-exit": setup.exit_device,
        f"a disk that is {setup.disk.value}": setup.disk not in (Disk.SOUND, Disk.MISSING),
    }
    for what, wanted in lacking.items():
        if wanted:
            raise NotOnThisMachine(f"Bochs is driven without {what}: this test must name QEMU alone")
