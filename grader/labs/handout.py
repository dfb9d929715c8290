"""The sections of a handout, as links name them."""

from __future__ import annotations

import re
from pathlib import Path

_HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*#*\s*$")


def slug(title: str) -> str:
    """A heading's anchor, as the common Markdown renderers make it: lower case, words joined by hyphens."""
    plain = re.sub(r"[`*]|\[([^]]*)\]\([^)]*\)", lambda match: match[1] or "", title)
    kept = re.sub(r"[^\w\- ]", "", plain.lower())
    return kept.strip().replace(" ", "-")


def headings(handout: Path) -> set[str]:
    """Anchors of all headings; empty when there is no handout. A heading inside a listing is none."""
    if not handout.is_file():
        return set()
    anchors: set[str] = set()
    listing = False
    for line in handout.read_text(encoding="utf-8").splitlines():
        if line.lstrip().startswith("```"):
            listing = not listing
        match = None if listing else _HEADING.match(line)
        if match:
            anchors.add(slug(match[1]))
    return anchors
