"""Domains as the probe `modules` has them (probes/modules.h), and what ring 3 sees of each one's memory."""

from __future__ import annotations

import contextlib

from mediated import (
    DOMAIN_SIZE,
    DOMAIN_START,
)

from grader.machine import Machine
from grader.testing.message import must

MAIN, VAULT, MODULE, FIFTH = 0, 1, 2, 5
"""Domains of the probe `modules` (probes/modules.h): VAULT alone may read the secret."""


def made_of(secret: bytes) -> int:
    """What the vault returns of the secret (crew_checksum of the probes, without its sign)."""
    result = len(secret)
    for byte in secret:
        result = (result * 31 + byte) & 0xFFFFFFFF
    return result & 0x7FFFFFFF


def region(domain: int) -> int:
    """Where a domain's memory begins."""
    return DOMAIN_START + domain * DOMAIN_SIZE


def pages_of(machine: Machine, domain: int) -> list[str]:
    """The pages of a domain's region that ring 3 can touch now, by their addresses."""
    pages = machine.mappings(start=region(domain), end=region(domain + 1))
    return [f"{page.virtual:#010x}" for page in pages if page.user]


def check_view(machine: Machine, domain: int) -> None:
    """Ring 3 can touch the pages of this domain's region, and of no other's."""
    must(machine.registers().cpl, 3, f"a thread in domain {domain} runs in ring")
    for other in range(1, 8):
        pages = pages_of(machine, other)
        if other == domain:
            assert pages, f"while a thread is in domain {domain}, ring 3 cannot touch that domain's own memory"
        else:
            page = pages[0] if pages else ""
            assert not pages, f"while a thread is in domain {domain}, ring 3 can touch domain {other}'s page at {page}"


def holds(machine: Machine, secret: bytes, start: int = 0, end: int = 0xC0000000) -> list[str]:
    """The pages between two addresses that ring 3 can read now and that hold a part of the secret."""
    pieces = [secret[at : at + 16] for at in range(0, len(secret), 16)]
    found = []
    for page in machine.mappings(start=start, end=end):
        if page.user:
            with contextlib.suppress(ValueError):
                held = machine.read_physical(page.physical, page.page_bytes)
                found += [f"{page.virtual:#010x}"] if any(piece in held for piece in pieces) else []
    return found
