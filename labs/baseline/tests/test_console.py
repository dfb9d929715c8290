"""The console: numbers in print, and the screen's own memory after text that wraps, scrolls and moves back."""

from grader.machine import Machine
from grader.machine.witness import BOTH
from grader.testing.boots import Boots
from grader.testing.plugin import graded

VIDEO_MEMORY, COLUMNS, ROWS = 0xB8000, 80, 25
LIGHT_GREY_ON_BLACK = 0x07


def screen_rows(machine: Machine) -> list[str]:
    """The 25 rows of the screen as text without trailing blanks; every cell must have the normal colours."""
    colours = machine.read_physical(VIDEO_MEMORY, 2 * COLUMNS * ROWS)[1::2]
    assert set(colours) == {LIGHT_GREY_ON_BLACK}
    return machine.screen_text()


@graded(
    stage=1,
    points=1.5,
    handout="console",
    usually="a negative number is negated as a signed one, or padded before its sign",
    witnesses=BOTH,
)
def test_numbers_print_as_in_libc(boot: Boots) -> None:
    """Negative numbers, the smallest there is, widths and bases print as printf prints them."""
    machine = boot("printing")
    machine.finish()
    _, _, rest = machine.serial_text().partition("[begin]\n")
    lines = rest.partition("[end]\n")[0].splitlines()
    assert lines == [
        "0 -1 2147483647 -2147483648",
        "4294967295 beef 00000539 0",
        "|   -42|-42   |-00042|12345|",
        "|   right|left    ||c|%|",
        "(null)",
        f"{machine.nonce} {machine.nonce:x}",
    ]


@graded(
    stage=1, points=1.5, handout="console", usually="the row after the last column, or the last row, is not handled"
)
def test_the_screen_wraps_scrolls_and_moves_back(boot: Boots) -> None:
    """What the screen's memory holds is what was printed: long lines continue below, the last row scrolls up."""
    machine = boot("screen", screen=True)
    machine.finish()
    rows = screen_rows(machine)
    assert rows == [""] * (ROWS - 10) + [
        f"nonce {machine.nonce:08x}",
        "w" * 80,
        "www",
        "f" * 80,
        "after a full line",
        "aXc",
        "b" * 79 + "?",
        "UPer",
        "a       b|",
        "end",
    ]
