"""`./lab run`: a person's own machine, with the kernel's serial line in the terminal, or its screen in a window.

Here guest time is the wall's, not counted in instructions: a person is waiting. The serial line goes over a socket
that only we hold; what the guest prints reaches the terminal with every escape sequence taken out, because an answer
is not ours to trust.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import subprocess
import sys
import termios
import time
import tty
from collections.abc import Iterator

from grader.faults import Ungradable
from grader.host.sandbox import Limits, Sandbox, end
from grader.machine.emulator import find_emulator
from grader.machine.unnamed import close_file, path_of, unnamed_file

LEAVE = b"\x1d"
"""Ctrl-], as in telnet and virsh."""

QUIET_SECONDS = 2.0
"""When the input is a file or pipe that has ended: how long the guest may be silent before we leave."""

BOOT_SECONDS = 60.0
"""The same before the first prompt: a kernel may take its time, but one that is dead is not waited for."""

_SHOWN = frozenset(b"\a\b\t\n\r") | frozenset(range(0x20, 0x7F))


def run(image: bytes, sandbox: Sandbox, *, display: bool) -> int:
    """Boot the image and connect it to the terminal until the guest powers off or the person leaves."""
    ours, theirs = socket.socketpair()
    disk = unnamed_file(image)
    with ours, theirs, contextlib.ExitStack() as files:
        files.callback(close_file, disk)
        command = _command(find_emulator(), disk, theirs.fileno(), display=display)
        if display and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY") or sys.platform == "darwin"):
            raise Ungradable(
                "there is no display for a window here; leave --display out for the shell in this terminal"
            )
        limits = Limits(address_space=2 << 30, cpu_seconds=24 * 3600)
        pass_fds = [theirs.fileno(), disk]
        if display:  # a window needs the person's desktop, which no sandbox shows
            machine = subprocess.Popen(command, pass_fds=pass_fds, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        else:
            machine = sandbox.popen(command, limits, pass_fds=pass_fds, stderr=subprocess.PIPE)
        theirs.close()
        try:
            if sys.stdin.isatty():
                print("The kernel's shell; Ctrl-] leaves.", flush=True)
            with _raw_terminal():
                _relay(ours, machine)
        finally:
            said = _end(machine)
    print()
    if said and machine.returncode > 0:  # a guest that leaves by isa-debug-exit sets the status too, but says nothing
        raise Ungradable(f"the emulator ended with status {machine.returncode}: {said}")
    return 0


def _command(emulator: str, disk: int, serial: int, *, display: bool) -> list[str]:
    window = "cocoa" if sys.platform == "darwin" else "gtk"
    return [
        emulator,
        "-nodefaults", "-no-user-config",
        "-M", "pc", "-m", "32",
        "-display", window if display else "none",
        "-vga", "std",
        "-drive", f"file={path_of(disk)},format=raw,if=ide",
        "-chardev", f"socket,id=serial,fd={serial}",
        "-serial", "chardev:serial",
        "-device", "isa-debug-exit,iobase=0xf4,iosize=4",
        "-no-reboot",
    ]  # fmt: skip


@contextlib.contextmanager
def _raw_terminal() -> Iterator[None]:
    """Every key goes to the guest; the terminal is as it was when we leave."""
    if not sys.stdin.isatty():
        yield
        return
    before = termios.tcgetattr(sys.stdin)
    try:
        tty.setraw(sys.stdin)
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


def _relay(serial: socket.socket, machine: subprocess.Popen[bytes]) -> None:
    """Carry bytes both ways until one side ends."""
    interactive = sys.stdin.isatty()
    keys, screen = sys.stdin.fileno(), sys.stdout.fileno()
    ended_at: float | None = None
    # Not the default selector, epoll: it waits for no plain file and no /dev/null, which select() finds ready.
    with selectors.SelectSelector() as selector:
        selector.register(serial, selectors.EVENT_READ)
        # A pipe's text waits for the prompt: nobody reads the line while the kernel boots.
        listening = False
        spoken = b""
        heard = time.monotonic()
        while True:
            if not listening and (interactive or b"539> " in spoken):
                selector.register(keys, selectors.EVENT_READ)
                listening = True
            if not listening and time.monotonic() - heard > BOOT_SECONDS:
                raise Ungradable(f"the kernel has shown no prompt, and nothing else for {BOOT_SECONDS:.0f} s")
            events = selector.select(0.2)
            for key, _ in events:
                if key.fileobj is serial:
                    try:
                        data = serial.recv(1 << 16)
                    except ConnectionResetError:
                        data = b""
                    if not data:
                        return
                    spoken = (spoken + data)[-64:]
                    heard = time.monotonic()
                    os.write(screen, _harmless(data, raw=interactive))
                    if ended_at is not None:
                        ended_at = time.monotonic()
                else:
                    typed = os.read(keys, 1024)
                    if LEAVE in typed and interactive:
                        return
                    if not typed:
                        selector.unregister(keys)
                        ended_at = time.monotonic()
                    else:
                        with contextlib.suppress(BrokenPipeError):
                            serial.sendall(typed.replace(b"\n", b"\r") if interactive else typed)
            if ended_at is not None and time.monotonic() - ended_at > QUIET_SECONDS:
                return
            if machine.poll() is not None and not events:
                return


def _harmless(data: bytes, *, raw: bool) -> bytes:
    """What the guest printed, without escape sequences; in raw mode the terminal needs a CR before each LF."""
    shown = bytes(byte if byte in _SHOWN else ord("?") for byte in data)
    return shown.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n") if raw else shown.replace(b"\r", b"")


def _end(machine: subprocess.Popen[bytes]) -> str:
    """End the emulator. What it said on its error line is returned."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        machine.wait(0.2)  # it may be ending by itself
    if machine.poll() is None:
        machine.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            machine.wait(1)
    said = b""
    if machine.poll() is not None and machine.stderr:
        said = machine.stderr.read()[-1000:]
    end(machine)
    return said.decode("utf-8", "replace").strip()
