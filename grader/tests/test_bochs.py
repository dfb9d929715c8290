"""The one disk image boots in Bochs too: another BIOS, another processor model, nothing of QEMU's."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading

import pytest

from grader.builds.build import build_tree
from grader.host.sandbox import Limits, Sandbox, end
from grader.labs.tree import Answer, compose
from grader.paths import Project
from grader.testing import boots

WALL_CAP_SECONDS = 120
"""A boot takes a quarter of a second; a machine that is busy with other things may need many times that."""

SETTINGS = """
display_library: rfb, options="timeout=0"
romimage: file=/usr/share/bochs/BIOS-bochs-latest
vgaromimage: file=/usr/share/bochs/VGABIOS-lgpl-latest
megs: 32
cpu: ips=50000000
ata0-master: type=disk, path=/tmp/disk.img, mode=flat, cylinders=4, heads=16, spt=63
boot: disk
com1: enabled=1, mode=file, dev=/tmp/serial
sound: waveoutdrv=dummy
panic: action=fatal
log: /dev/null
"""

# The image comes on standard input. Bochs writes its serial line to a file; as a FIFO that file can be followed.
SCRIPT = """
cat >/tmp/disk.img
printf '%s' "$1" >/tmp/bochsrc
echo c >/tmp/commands
mkfifo /tmp/serial
cat /tmp/serial &
exec bochs -q -f /tmp/bochsrc -rc /tmp/commands >/dev/null 2>&1 </dev/null
"""


def booted(image: bytes, awaited: bytes) -> bytes:
    """What the serial line says, up to `awaited` or, when that never comes, the end of the machine."""
    sandbox = Sandbox.detect()
    process = sandbox.popen(
        ["/bin/sh", "-c", SCRIPT, "sh", SETTINGS],
        Limits(cpu_seconds=WALL_CAP_SECONDS, address_space=2 << 30),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    cap = threading.Timer(WALL_CAP_SECONDS, process.kill)
    cap.start()
    try:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(image)
        process.stdin.close()
        said = b""
        while awaited not in said and (more := os.read(process.stdout.fileno(), 4096)):
            said += more
        return said
    finally:
        cap.cancel()
        end(process)


@pytest.mark.skipif(shutil.which("bochs") is None, reason="Bochs is not installed")
def test_the_image_boots_to_the_shell_in_bochs() -> None:
    """Programs come from the disk by the kernel's own driver, and the first line is not cut."""
    project = Project.here()
    build = build_tree(project, compose(project, None, Answer("none")), Sandbox.detect())
    image = boots.compose(build, {}, files=boots.texts(build))
    said = booted(image, b"539> ")
    assert said.startswith(b"539kernel")
    assert b"shell ready" in said
