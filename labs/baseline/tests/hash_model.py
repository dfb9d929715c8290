"""What the probe `registers` computes: the same steps, in Python."""

MASK = 0xFFFFFFFF


def _add(left: int, right: int, carry: int) -> tuple[int, int]:
    total = left + right + carry
    return total & MASK, total >> 32


def _rotate(value: int, count: int) -> tuple[int, int]:
    turned = (value << count | value >> 32 - count) & MASK
    return turned, turned & 1


def hashed(child: int, nonce: int, steps: int) -> int:
    """The exit status of the child with that number."""
    eax, ebx, ecx, edx, esi, edi, ebp = ((nonce * (2 * index + 1) + child) & MASK for index in range(7))
    carry = 0
    for _ in range(steps):
        eax, carry = _add(eax, ebx, carry)
        ebx, carry = _rotate(ebx, 5)
        ecx, carry = _add(ecx, eax, carry)
        edx, carry = _rotate(edx, 7)
        edx, carry = _add(edx, ecx, carry)
        esi, carry = _add(esi, edx, carry)
        edi, carry = _rotate(edi, 11)
        edi, carry = _add(edi, esi, carry)
        ebp, carry = _add(ebp, edi, carry)
        ebx, carry = _add(ebx, ebp, carry)
    result = 0
    for value in (eax, ebx, ecx, edx, esi, edi, ebp):
        result = (result * 31 + value) & MASK
    return result >> 1
