"""File contents that the probes can work out too; the same as in probes/file_pattern.h."""


def pattern(nonce: int, length: int) -> bytes:
    """`length` bytes drawn for `nonce`."""
    return bytes((nonce + offset * 31 + (offset >> 8)) & 0xFF for offset in range(length))


def weighted_sum(content: bytes) -> int:
    """What the probe file_read reports of the bytes it got: it depends on each and on its place."""
    total = 0
    for byte in content:
        total = (total * 31 + byte) & 0xFFFFFFFF
    return total
