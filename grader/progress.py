"""What long work tells its caller while it goes on. All calls come from the caller's own thread."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Progress:
    """Three things to tell; each does nothing unless the caller cares."""

    say: Callable[[str], None] = field(default=lambda text: None)
    total: Callable[[int], None] = field(default=lambda steps: None)
    step: Callable[[], None] = field(default=lambda: None)
