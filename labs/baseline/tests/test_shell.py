"""The shell, driven over the serial line as a person would, with each answer checked."""

import re

import pytest

from grader.builds.filesystem539 import read_filesystem
from grader.builds.image import filesystem_of
from grader.machine import Machine
from grader.machine.witness import BOTH
from grader.testing.boots import Boots
from grader.testing.plugin import graded

UP_TO_PROMPT = re.compile(rb"(.*?)539> ", re.S)


class Shell:
    """A machine at its prompt. `ask` types a line and returns what comes up to the next prompt."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        machine.wait_for_serial(b"shell ready\n539> ")

    def ask(self, line: str) -> str:
        """The answer to a line of characters that are echoed as they are."""
        echo, answer = self.type(line.encode() + b"\n")
        assert echo == line
        return answer

    def type(self, keys: bytes) -> tuple[str, str]:
        """Sends bytes as they are; returns (echo, answer)."""
        self.machine.send(keys)
        return self._until_prompt()

    def press(self, *keys: str) -> tuple[str, str]:
        """Presses keys of the PC's keyboard; returns (echo, answer)."""
        self.machine.send_keys(*keys)
        return self._until_prompt()

    def _until_prompt(self) -> tuple[str, str]:
        text = self.machine.wait_for_serial(UP_TO_PROMPT)[1].decode()
        echo, _, answer = text.partition("\n")
        return echo, answer


@pytest.fixture
def shell(boot: Boots) -> Shell:
    """A shell on a disk with the file `note`."""
    return Shell(boot(None, files={"note": b"first\nsecond\n", "binary": b"\x1b[2J\x00\xffend"}, guest_seconds=10))


@graded(stage=1, points=0.5, handout="shell", witnesses=BOTH)
def test_help_names_every_command(shell: Shell) -> None:
    """Help lists all there is, because nobody can guess it."""
    answer = shell.ask("help")
    for command in ("help", "files", "show", "write", "delete", "processes", "kill", "shutdown", "PROGRAM"):
        assert command in answer


@graded(stage=1, points=1, handout="shell", witnesses=BOTH)
def test_files_are_listed_shown_written_and_deleted(shell: Shell) -> None:
    """The four file commands do to the disk what they say, and the disk is the witness."""
    assert "      13  note\n" in shell.ask("files")
    assert shell.ask("show note") == "first\nsecond\n"
    assert shell.ask("write mine It is all text.") == ""
    assert shell.ask("show mine") == "It is all text.\n"
    assert shell.ask("delete note") == ""
    assert "note" not in shell.ask("files")
    files = read_filesystem(filesystem_of(shell.machine.disk()))
    assert files["mine"] == b"It is all text.\n"
    assert "note" not in files


MISTAKES = {
    "show missing": "show: missing: there is no such file (E_NOT_FOUND)\n",
    "delete missing": "delete: missing: there is no such file (E_NOT_FOUND)\n",
    "write note again": "write: note: there is already a file of that name (E_EXISTS)\n",
    "write " + "n" * 32 + " x": "write: " + "n" * 32 + ": a name has 1 to 31 characters (E_NAME)\n",
    "show": "usage: show FILE\n",
    "kill 99": "kill: 99: there is no such process (E_NO_PROCESS)\n",
    "kill me": "kill: me: not a process's number\n",
    "nonsense": "nonsense: no such command or program; help lists the commands\n",
    "note": "run: note: not a program (E_FORMAT)\n",
    "": "",
    "   ": "",
}
"""Lines that cannot be carried out, and what the shell answers."""


@graded(stage=1, points=1, handout="shell", witnesses=BOTH)
def test_what_went_wrong_is_said_by_name(shell: Shell) -> None:
    """An error names the command, what it was about, and what is wrong, since a bare number helps nobody."""
    assert {line: shell.ask(line) for line in MISTAKES} == MISTAKES


@graded(stage=1, points=0.5, handout="shell", witnesses=BOTH)
def test_a_binary_file_does_not_reach_the_terminal_as_it_is(shell: Shell) -> None:
    """Show turns what is no text into dots, because escape sequences in a file could take over a terminal."""
    assert shell.ask("show binary") == ".[2J..end\n"


@graded(stage=1, points=1, handout="shell", witnesses=BOTH)
def test_a_program_runs_with_its_argument_and_the_shell_waits(shell: Shell) -> None:
    """A program gets the rest of the line, and the prompt comes after its end."""
    assert shell.ask("hello you and me").startswith("Hello, you and me, from process ")
    assert shell.ask("count 2") == "count: 1\ncount: 2\n"


@graded(stage=1, points=1, handout="shell", witnesses=BOTH)
def test_a_program_that_faults_ends_and_the_shell_goes_on(shell: Shell) -> None:
    """A wild write ends the program that did it, says so, and harms nobody else."""
    answer = shell.ask("crash")
    assert "vector 14 (" in answer
    assert "cr2 0xc0000000" in answer
    assert "ended by exception 14\n" in answer
    assert "never reached" not in answer
    assert shell.ask("hello again").startswith("Hello, again")


@graded(stage=1, points=1, handout="shell", witnesses=BOTH)
def test_a_background_program_runs_beside_the_shell_until_it_is_killed(shell: Shell) -> None:
    """A program that never calls the kernel cannot keep the processor, and kill ends it for good."""
    answer = shell.ask("spin &")
    assert answer.endswith(": started\n")
    pid = answer[answer.index("(") + 1 : answer.index(")")]
    assert any(line.split()[0] == pid and "spin" in line for line in shell.ask("processes").splitlines()[1:])
    assert f"spin ({pid}): killed\n" in shell.ask(f"kill {pid}")
    assert "spin" not in shell.ask("processes")


NOTE = "first\nsecond\n"
TYPED = {
    b"show notX\x7fe": NOTE,
    b"show notX\be": NOTE,
    b"\x7f\x7f\x7fshow note": NOTE,
    b"rubbish\x15show note": NOTE,
    b"sh\x1b[Aow no\x1b[1;5Cte": NOTE,
    b"sh\x00\x01\x07ow\t note\xff": NOTE,
    b"show note" + b"x" * 400: "shell: a line has at most 255 characters\n",
    b"show note" + b"x" * 400 + b"\x7f" * 400: NOTE,
    b"y" * 255: "run: " + "y" * 255 + ": a name has 1 to 31 characters (E_NAME)\n",
    b"y" * 256: "shell: a line has at most 255 characters\n",
}
"""What is typed (delete, backspace, control-U, arrow keys, control characters, long lines), and the answer."""


@graded(stage=1, points=0.5, handout="shell", usually="what is erased or no character stays in the line")
def test_a_line_can_be_edited_and_is_never_cut_silently(shell: Shell) -> None:
    """Erased and control characters are no part of a line, and one too long is refused: half a command is wrong."""
    assert {typed: shell.type(typed + b"\n")[1] for typed in TYPED} == TYPED


@graded(stage=1, points=0.5, handout="shell")
def test_the_keyboard_types_into_the_same_shell(shell: Shell) -> None:
    """The PC's own keyboard works as the serial line does, with shift, caps lock and backspace."""
    name = ["w", "r", "i", "t", "e", "spc", "k", "spc"]
    text = ["shift-h", "i", "shift-1", "caps_lock", "a", "shift-a", "7", "caps_lock", "x", "backspace", "left", "minus"]
    assert shell.press(*name, *text, "ret")[0].startswith("write k Hi!Aa7x")
    assert shell.ask("show k") == "Hi!Aa7-\n"
