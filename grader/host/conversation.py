"""Feeds a process, drains it, and ends it: never blocked by it, never flooded by it, never leaving it behind."""

from __future__ import annotations

import contextlib
import os
import select
import selectors
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import IO


@dataclass(frozen=True)
class Completed:
    """What became of a command: `status` is as in subprocess (negative: a signal)."""

    status: int
    output: bytes
    errors: bytes
    too_much_output: bool = False
    out_of_time: bool = False


def end(process: subprocess.Popen[bytes]) -> None:
    """Kill a process that `popen` started, with all that is in its group, and wait for it.

    The group is killed although its leader may have ended: as long as nobody has waited for that, its number is its.
    """
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()
    process.wait()


def converse(
    process: subprocess.Popen[bytes], stdin: bytes, wall_seconds: float, output_bytes: int, error_bytes: int
) -> Completed:
    """Feed and drain a process until it ends, says too much or takes too long."""
    assert process.stdin and process.stdout and process.stderr
    deadline = time.monotonic() + wall_seconds
    collected = {process.stdout: bytearray(), process.stderr: bytearray()}
    pending = memoryview(stdin)
    too_much = late = False
    with selectors.DefaultSelector() as selector:
        for stream in collected:
            selector.register(stream, selectors.EVENT_READ)
        os.set_blocking(process.stdin.fileno(), False)
        selector.register(process.stdin, selectors.EVENT_WRITE)
        while selector.get_map() and not too_much and not late:
            ready = selector.select(max(0.0, deadline - time.monotonic()))
            late = not ready and time.monotonic() >= deadline
            for key, _ in ready:
                if key.fileobj is process.stdin:
                    pending = _feed(process.stdin, pending)
                    if not pending:
                        selector.unregister(process.stdin)
                        process.stdin.close()
                    continue
                data = os.read(key.fd, 1 << 16)
                if not data:
                    selector.unregister(key.fileobj)
                elif key.fileobj is process.stdout:
                    too_much = len(collected[process.stdout]) + len(data) > output_bytes
                    collected[process.stdout] += data
                else:
                    room = error_bytes - len(collected[process.stderr])
                    collected[process.stderr] += data[: max(0, room)]
    late = late or (not too_much and not _ends(process, deadline))
    end(process)
    out, err = bytes(collected[process.stdout]), bytes(collected[process.stderr])
    return Completed(process.returncode, out, err, too_much, late)


def _ends(process: subprocess.Popen[bytes], deadline: float) -> bool:
    """Whether the process ends in time. Where the system lets us look without waiting for it, it is left to `end`."""
    left = max(0.0, deadline - time.monotonic())
    if sys.platform == "linux":
        with contextlib.suppress(OSError):  # before Linux 5.3
            handle = os.pidfd_open(process.pid)
            try:
                return bool(select.select([handle], [], [], left)[0])
            finally:
                os.close(handle)
    try:
        process.wait(left)
    except subprocess.TimeoutExpired:
        return False
    return True


def _feed(stream: IO[bytes], pending: memoryview) -> memoryview:
    """Write what fits; nothing is left to write when the reader has gone."""
    try:
        return pending[os.write(stream.fileno(), pending[: 1 << 16]) :]
    except BlockingIOError:
        return pending
    except BrokenPipeError:
        return pending[:0]
