"""The person's terminal while `./lab watch` has it: a screen of its own, single keys, and as it was when we leave.

Ctrl-Z gives it back too, and `fg` takes it again.
"""

from __future__ import annotations

import os
import signal
import sys
import termios
import tty
from collections.abc import Callable
from types import FrameType
from typing import Any

from rich.console import Console

KEYS_AT_ONCE = 64
_ESCAPE = "\x1b"


class Terminal:
    """A context manager. `ring` wakes the session when the size changes or the person wants us to stop."""

    def __init__(self, console: Console, ring: Callable[[], None]) -> None:
        self._console = console
        self._ring = ring
        self._keyboard = sys.stdin.fileno() if sys.stdin.isatty() else None
        self._before: list[Any] | None = None
        self._handlers: dict[signal.Signals, Any] = {}
        self._stop_wanted = self._disturbed = False

    @property
    def keyboard(self) -> int | None:
        """The descriptor on which keys arrive; None when nobody sits there."""
        return self._keyboard

    def __enter__(self) -> Terminal:
        self._handlers = {
            signal.SIGWINCH: signal.signal(signal.SIGWINCH, self._on_signal),
            signal.SIGTSTP: signal.signal(signal.SIGTSTP, self._on_signal),
        }
        self._take()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._give_back()
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def keys(self) -> str | None:
        """The keys that were pressed; None when the terminal is gone. Arrows and their like count as none."""
        assert self._keyboard is not None
        try:
            typed = os.read(self._keyboard, KEYS_AT_ONCE).decode("ascii", "ignore")
        except OSError:
            return None
        return None if not typed else "" if _ESCAPE in typed else typed

    def disturbed(self) -> bool:
        """Whether the screen must be drawn anew: its size changed, or Ctrl-Z stopped us, here, and we go on."""
        if self._stop_wanted:
            self._stop_wanted = False
            self._give_back()
            os.kill(os.getpid(), signal.SIGSTOP)
            self._take()
        disturbed, self._disturbed = self._disturbed, False
        return disturbed

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        self._disturbed = True
        self._stop_wanted = self._stop_wanted or number == signal.SIGTSTP
        self._ring()

    def _take(self) -> None:
        if self._keyboard is not None:
            self._before = termios.tcgetattr(self._keyboard)
            tty.setcbreak(self._keyboard)  # Ctrl-C and Ctrl-Z stay signals
        self._console.set_alt_screen(True)
        self._console.show_cursor(False)

    def _give_back(self) -> None:
        self._console.show_cursor(True)
        self._console.set_alt_screen(False)
        if self._keyboard is not None and self._before is not None:
            termios.tcsetattr(self._keyboard, termios.TCSADRAIN, self._before)
