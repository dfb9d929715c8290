"""The PC's keyboard: which scan codes a key sends.

A machine is given each code through its own keyboard controller, by the command that puts a byte into the output
buffer as if it came from the keyboard, interrupt included (IBM PS/2 technical reference, "Keyboard and auxiliary device
controller", command D2). So a key comes when the guest has taken the one before, however fast the host is.
"""

from __future__ import annotations

DATA_PORT, COMMAND_PORT = 0x60, 0x64
STATUS_PORT = COMMAND_PORT
OUTPUT_FULL = 1 << 0
"""Of the status: a byte waits for the guest."""

WRITE_OUTPUT = 0xD2
"""The controller's command: the next byte of data goes into the output buffer, to the guest."""

_RELEASED = 0x80
_EXTENDED = 0xE0
_ROWS = {
    0x01: "esc 1 2 3 4 5 6 7 8 9 0 minus equal backspace tab q w e r t y u i o p bracket_left bracket_right ret ctrl",
    0x1E: "a s d f g h j k l semicolon apostrophe grave_accent shift backslash z x c v b n m comma dot slash shift_r",
    0x38: "alt spc caps_lock",
}
"""Names, as QEMU has them, of keys whose codes (set 1, which the controller translates to) follow one another."""

_OF_ONE_BYTE = {name: first + index for first, row in _ROWS.items() for index, name in enumerate(row.split())}
_OF_TWO_BYTES = {
    "home": 0x47,
    "up": 0x48,
    "left": 0x4B,
    "right": 0x4D,
    "end": 0x4F,
    "down": 0x50,
    "insert": 0x52,
    "delete": 0x53,
}


def scan_codes(keys: str) -> list[int]:
    """The bytes of `a`, or of keys that are held together, `shift-1`: all go down, then all come up.

    Raises LookupError for a key that is not known.
    """
    names = keys.split("-")
    return [byte for name in names for byte in _codes(name, 0)] + [
        byte for name in reversed(names) for byte in _codes(name, _RELEASED)
    ]


def _codes(name: str, released: int) -> list[int]:
    if name in _OF_TWO_BYTES:
        return [_EXTENDED, _OF_TWO_BYTES[name] | released]
    if name not in _OF_ONE_BYTE:
        raise LookupError(f"no key is called {name!r}")
    return [_OF_ONE_BYTE[name] | released]
