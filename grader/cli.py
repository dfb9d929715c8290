"""The command line `./lab`: what can be asked for, and with which exit status each ending is told.

Only what a command needs is imported, and only when it is chosen: `./lab --help` answers at once.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import os
import re
import shutil
import signal
import sys
import textwrap
from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path
from types import FrameType
from typing import Never

from grader.faults import HandinFault, ProjectFault, Ungradable, WrongUse
from grader.host.children import end_children

GRADED, UNGRADABLE, WRONG_USE, INTERRUPTED = 0, 1, 2, 130
TO_END = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

TEXT_WIDTH = 116
"""Columns of a paragraph, at most."""

_PURPOSE = re.compile(r"(?<=\S) {2,}")
"""What is between a command and what it is for."""

DESCRIPTION = """\
Kernelist: take a small kernel, rebuild it into the designs of the literature, and have the machine judge it.

An ANSWER is what is put into a lab's place:
"""

ANSWERS = """  own                your files in this checkout, as they would be handed in
  PATH               a hand-in: a folder with the lab's files, or an archive
Left out, it is your own files.
"""

AUTHORS_ANSWERS = """  starter            what a student begins with (0 points)
  stage:2            finished up to stage 2
  reference          the finished solution
  mutant:NAME        a wrong answer that the tests must catch
  PATH               a hand-in: a folder with the lab's files, or an archive
Left out, it is the reference.
"""

AUTHORS_COMMANDS = ("prove", "publish")
"""Not for students' checkouts, which have no solutions, and there not listed."""

EXAMPLES = """\
examples:
  ./lab list                                       the labs, their stages and points
  ./lab grade microkernel                          build, boot, test; a score board with every failure explained
  ./lab grade boot-handin.zip                      what ./lab submit packed
  ./lab grade microkernel --only 'fifo*'           only the tests whose names fit
  ./lab grade microkernel --answer ~/handins/42 --json result.json --html report
  ./lab debug microkernel test_fifo_among_senders  GDB at the very moment that test fails
  ./lab run baseline                               the kernel's shell in this terminal (Ctrl-] leaves)
  ./lab doctor                                     what is missing on this computer, and how to install it

exit status: 0 graded, whatever the score; 1 not gradable (the grader's fault, or no emulator); 2 wrong use;
130 interrupted.

More on a command: ./lab COMMAND --help
"""


class Parser(argparse.ArgumentParser):
    """argparse, with a word on what was probably meant."""

    def error(self, message: str) -> Never:
        """End with status 2."""
        raise WrongUse(f"{message}\nsee: {self.prog} --help")


class _Text(argparse.RawDescriptionHelpFormatter):
    """Fits what a command says of itself into the terminal. A line that begins with blanks shows a command: it stays a
    line, and what it is for goes below where both do not fit beside one another.
    """

    def _fill_text(self, all_of_it: str, width: int, indent: str) -> str:
        width = min(width, TEXT_WIDTH)
        lines: list[str] = []
        for shown, together in groupby(all_of_it.splitlines(), key=lambda line: line.startswith(" ") or not line):
            if not shown:
                lines += textwrap.wrap(" ".join(together), width)
                continue
            for line in together:
                command, *purpose = [line] if len(line) <= width else _PURPOSE.split(line, maxsplit=1)
                lines += [command, *(f"      {text}" for text in purpose)]
        return "".join(f"{indent}{line}\n" for line in lines)


def _parser() -> Parser:
    author = (Path(__file__).resolve().parent.parent / "solutions").is_dir()
    description = DESCRIPTION + (AUTHORS_ANSWERS if author else ANSWERS)
    parser = Parser(prog="./lab", description=description, epilog=EXAMPLES, formatter_class=_Text)
    parser.add_argument("--version", action="store_true", help="print the version")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", dest="command", parser_class=Parser)

    def command(name: str, summary: str, text: str = "") -> Parser:
        about = text or summary[0].upper() + summary[1:] + "."
        if author or name not in AUTHORS_COMMANDS:
            listed: Parser = commands.add_parser(name, help=summary, description=about, formatter_class=_Text)
            return listed
        unlisted: Parser = commands.add_parser(name, description=about, formatter_class=_Text)
        return unlisted

    command("list", "the labs, their stages and points")

    start = command("start", "begin with a lab: its branch, or a folder of its own", _START)
    _lab(start)
    start.add_argument("--folder", metavar="DIR", help="work in this new folder, and leave this checkout as it is")

    grade = command("grade", "build an answer, boot it, test it, show the score board", _GRADE)
    _lab(grade, optional=True, archive=True)
    _answer(grade)
    grade.add_argument("--only", metavar="TEST", action="append", default=[], help="only this test; a glob; repeatable")
    grade.add_argument("--step", metavar="N", type=_step, help="of a test that sweeps over instructions, step N alone")
    grade.add_argument(
        "--schedules", metavar="N", type=_schedules, default=0, help="and under N timer patterns, to find races (above)"
    )
    grade.add_argument("--schedule", metavar="S", default="", help="run under schedule S alone, as a failure names it")
    grade.add_argument("--json", metavar="FILE", help="write result.json (exists from the start, replaced at the end)")
    page = "write the report as one page, DIR/index.html; it draws the runs of each stage's first failures"
    grade.add_argument("--html", metavar="DIR", help=page)
    grade.add_argument("--junit", metavar="FILE", help="write JUnit XML")
    hidden = "tell of hidden tests in --html and --junit too, which otherwise may be given to a student"
    grade.add_argument("--show-hidden", action="store_true", help=hidden)
    grade.add_argument("--all", action="store_true", help="explain every failure, not only the first three")
    grade.add_argument("--quiet", action="store_true", help="no score board, only what went wrong with the grading")
    grade.add_argument(
        "--optimisation",
        metavar="LEVEL",
        choices=["-O0", "-O1", "-O2", "-Os"],
        default="-O2",
        help="compile with -O0 ... (default -O2)",
    )
    _seed(grade)
    _workers(grade)
    _sandbox(grade)

    watch = command("watch", "grade again at each save, with a live score board", _WATCH)
    _lab(watch, optional=True)
    _answer(watch)
    watch.add_argument("--only", metavar="TEST", action="append", default=[], help="only this test; a glob; repeatable")
    _seed(watch)
    _workers(watch)
    _sandbox(watch)

    run = command("run", "boot to the kernel's shell in this terminal (Ctrl-] leaves)")
    _lab(run, optional=True)
    _answer(run)
    run.add_argument("--display", action="store_true", help="open the machine's screen in a window")
    _sandbox(run)

    debug = command("debug", "open GDB where a test fails, or at kernel_main", _DEBUG)
    _lab(debug, optional=True)
    debug.add_argument("test", metavar="TEST", nargs="?", help="a test's name; left out: stop at kernel_main")
    debug.add_argument(
        "--program", metavar="'NAME ARGUMENT'", default="", help="run this in the shell's place (without TEST)"
    )
    debug.add_argument("--reverse", action="store_true", help="record the run, so that GDB can go back in time")
    debug.add_argument("--witness", choices=["qemu", "bochs"], help="run TEST on this emulator alone")
    moment = "stop at step N of TEST's sweep, before anything is done there"
    debug.add_argument("--step", metavar="N", type=_step, help=moment)
    debug.add_argument("--schedule", metavar="S", default="", help="run TEST under schedule S, as a failure names it")
    debug.add_argument("--editor", action="store_true", help="wait for an editor's GDB (.vscode/launch.json shows how)")
    _answer(debug)
    _seed(debug)
    _sandbox(debug)

    tree = command("tree", "write the composed sources (baseline + lab + answer) into a folder")
    _lab(tree)
    _answer(tree)
    tree.add_argument("--output", metavar="DIR", required=True, help="a new or empty folder")

    submit = command("submit", "grade once more and pack the file to hand in", _SUBMIT)
    _lab(submit, optional=True)
    submit.add_argument("--output", metavar="FILE", help="the archive, or a folder for it (default: LAB-handin.zip)")
    submit.add_argument("--anyway", action="store_true", help="pack it though it does not build or cannot be graded")
    submit.add_argument("--answer", metavar="DIR", default="", help="your files, if they lie elsewhere")
    _workers(submit)
    _sandbox(submit)

    command("doctor", "look for everything that is needed, and say how to install what is missing")

    bench = command("bench", "measure: the framework's speed, or a lab's experiment", _BENCH)
    _lab(bench, optional=True)
    _answer(bench)
    bench.add_argument("--html", metavar="DIR", help="where the experiment's page goes (default: report/bench-LAB)")
    bench.add_argument("--quick", action="store_true", help="fewer repetitions")
    _sandbox(bench)

    prove = command("prove", "show that a lab's tests tell right answers from wrong ones", _PROVE)
    _lab(prove)
    again = "grade each answer N times, after the first by the tests that decide about it, as long as two runs of one "
    again += "are not the same to the instruction (default 1)"
    prove.add_argument("--runs", metavar="N", type=_count, default=1, help=again)
    prove.add_argument(
        "--load", action="store_true", help="what is finished the second time beside two busy loops, whatever N is"
    )
    share = "of the tests that a mutant must pass, run one in N, others for each: quicker (default 1, all)"
    prove.add_argument("--one-in", metavar="N", type=_count, default=1, help=share)
    right = "and right answers (not the starter) pass every marked test of theirs under N schedules"
    prove.add_argument("--schedules", metavar="N", type=_schedules, default=0, help=right)
    prove.add_argument("--extra", action="store_true", help="also the mutants for which others stand otherwise")
    messages = "list what a student reads of each answer, of mutant:* when none is named: run what must fail, no more"
    prove.add_argument("--messages", action="store_true", help=messages)
    prove.add_argument(
        "--answer",
        metavar="ANSWER",
        action="append",
        default=[],
        help="only these answers (repeatable; mutant:* is a glob)",
    )
    _workers(prove)
    _sandbox(prove)

    publish = command("publish", "make or update the repository that students get", _PUBLISH)
    publish.add_argument("folder", metavar="DIR", help="a new folder, or what an earlier publish made")
    publish.add_argument(
        "--lab", metavar="LAB", action="append", default=[], help="only this lab (repeatable), and main; default: all"
    )
    publish.add_argument("--check", action="store_true", help="publish nothing, only search the history of DIR")
    return parser


_START = """\
In a clone of a published course: go to the lab's branch, or with --folder make a second work folder for it. Work that
is not committed stays where it is; what would be run over is named, with the commands that keep it. In the course's own
repository: write the lab's starter into --folder DIR.

  ./lab start boot
  ./lab start microkernel --folder ../microkernel      while boot is half done
"""

_SUBMIT = """\
Grade your files as ./lab grade does, then pack exactly the files that the lab takes into one archive, with the lab's
name and version, a hash of the files and the score that was reached here. The same files give the same bytes. What does
not build is not packed, unless --anyway. An earlier archive is replaced in one step or not at all.

  ./lab submit                          in a student's checkout: LAB-handin.zip in this folder
  ./lab grade boot-handin.zip           what whoever receives it types
"""

_PUBLISH = """\
Make or update a git repository for students: the baseline on the branch main, and a branch lab/NAME for each lab with
its starter, handout, public tests, probes and the grader. The same course gives the same commits; a branch gets a new
commit only if its content changed, so that students can git pull. Nothing is published unless the whole history of DIR
is free of solutions, mutants and hidden tests, whatever their files are called.

A lab that builds on another contains that one finished: it is published when it is named with --lab, and from then on.

  ./lab publish ~/course                then: git -C ~/course push --all URL
  ./lab publish ~/course --lab boot     this week's lab
  ./lab publish ~/course --check        search its history only
"""

_GRADE = """\
Build an answer, boot it, test it from outside the machine, and show the score board: points by stage and test, then
each failure with what was required, what was seen on the serial line and in the machine, what it usually means, and
the command that opens the moment in GDB. The same files get the same verdicts every time, on a busy computer too.

The kernel's timer interrupts 100 times a second, which rarely falls into the few instructions where a race is lost.
With --schedules N, each test whose requirement must hold wherever the timer interrupts is run N times more, each time
with another period and another first moment, drawn from the seed; it stops at the first that fails, and names it.

  ./lab grade microkernel --schedules 50                             when all tests pass, and before you hand in
  ./lab grade microkernel --only test_fifo_among_senders --schedule 7f3a      the same run once more, exactly
  ./lab debug microkernel test_fifo_among_senders --schedule 7f3a             GDB where it fails
"""

_WATCH = """\
Keep this open beside your editor. On each save it builds what changed and grades it again, in a second or a few: first
the tests of the lowest unfinished stage that failed last time, then stage by stage. The board shows each test's
verdict, what a save made pass or fail, and the first failure in full. A save during a run ends that run; verdicts from
before are marked as such until they are known again. Where what is built is the same (only a comment changed), the
verdicts hold and nothing is run.

  ./lab watch                           in a student's checkout: its lab, your files
  ./lab watch boot --answer ~/boot      a folder with the lab's files
  ./lab watch --only 'fifo*'            only the tests whose names fit
  ./lab watch | tee log                 without a terminal: plain lines for each run

Keys: q ends, r runs everything again with other values, f explains the next failure, space shows more of it.

All runs of a session draw their values from one seed, which the board shows: else every save would change them. `./lab
grade` draws them from the files, so grade once more before you hand in. Where saves are not noticed (some network
folders): WATCHFILES_FORCE_POLLING=1 ./lab watch.
"""

_DEBUG = """\
Run one test up to its failure and hand the living machine to GDB, with the kernel's symbols and the commands of `help
kernelist` (processes, page walks, descriptors, the current ring). Without a test: GDB at kernel_main. A test that fails
on Bochs alone is handed to Bochs's own debugger, since GDB cannot look into it.

With --reverse the run is recorded first and then played up to the same moment, and time can be turned back: in GDB,
`who-wrote VARIABLE` goes to the last write to it, and reverse-step, reverse-finish, reverse-continue go back (with a
watchpoint: `watch -l VARIABLE`, then reverse-continue). Without TEST: the moment when the kernel stopped for good.

  ./lab debug boot test_older_entries_are_forgotten --reverse
  ./lab debug boot --program 'journal 20' --reverse
"""

_BENCH = """\
Without a lab: the framework's own speed, each figure beside its budget. With a lab: the experiment it ends with, as a
table and a plot beside the literature's figures.
"""

_PROVE = """\
Grade every answer the project has: the starter must get 0, each stage:K exactly the points of stages 1..K, the
reference all, and each mutant must fail exactly the tests it names, with the same verdicts in every run. A mutant that
is a race must pass them all in the ordinary run, and fail those it names under one of its schedules. What a failed test
says must be a sentence that a student understands, not Python's words.

  ./lab prove boot --answer 'mutant:checks_*'       some answers
  ./lab prove boot --messages                       what each wrong answer gives a student to read
"""


def _lab(parser: Parser, *, optional: bool = False, archive: bool = False) -> None:
    left_out = "; left out: the lab of this checkout" if optional else ""
    text = f"a lab's name (./lab list){', or an archive that ./lab submit made' if archive else ''}{left_out}"
    name = "LAB|ARCHIVE" if archive else "LAB"
    parser.add_argument("lab", metavar=name, nargs="?" if optional else None, help=text)


def _answer(parser: Parser) -> None:
    parser.add_argument("--answer", metavar="ANSWER", default="", help="what is put in: ./lab --help lists what can be")


def _seed(parser: Parser) -> None:
    parser.add_argument("--seed", metavar="SEED", help="draw the same values again, or `random` for fresh ones")


def _workers(parser: Parser) -> None:
    parser.add_argument(
        "-j", metavar="N", dest="workers", type=_count, default=0, help="machines at once (default: processors)"
    )


def _sandbox(parser: Parser) -> None:
    parser.add_argument("--no-sandbox", action="store_true", help="where no sandbox works; only for code you trust")


def _step(text: str) -> int:
    if not text.isdecimal() or len(text) > 9:
        raise argparse.ArgumentTypeError(f"a step is a number from 0 on, not {text!r}")
    return int(text)


def _schedules(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 10_000:
        raise argparse.ArgumentTypeError(f"a number of schedules from 1 to 10,000 is wanted, not {text!r}")
    return int(text)


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1024:
        raise argparse.ArgumentTypeError(f"a number from 1 to 1024 is wanted, not {text!r}")
    return int(text)


def _actions() -> dict[str, Callable[[argparse.Namespace], int]]:
    from grader import commands
    from grader.publishing import commands as publishing

    def watch(arguments: argparse.Namespace) -> int:
        from grader.watching import commands as watching

        return watching.watch(arguments)

    return {
        "list": commands.list_labs,
        "grade": commands.grade,
        "watch": watch,
        "run": commands.run,
        "debug": commands.debug,
        "tree": commands.tree,
        "doctor": commands.doctor,
        "bench": commands.bench,
        "prove": commands.prove,
        "publish": publishing.publish,
        "start": publishing.start,
        "submit": publishing.submit,
    }


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = _parser()
    known = ["list", "start", "grade", "watch", "run", "debug", "submit", "tree", "doctor", "bench", "prove", "publish"]
    first = next((word for word in arguments if not word.startswith("-")), None)
    if first is not None and first not in known:
        from grader.names import near

        raise WrongUse(f"there is no command {first!r}{near(first, known)}\nsee: ./lab --help")
    parsed = parser.parse_args(_joined(arguments))
    if parsed.command is None and not parsed.version:
        parser.print_help()
        raise SystemExit(WRONG_USE)
    return parsed


def _joined(arguments: Sequence[str]) -> list[str]:
    """`--optimisation -O0` as one word: argparse takes the level for an option of its own otherwise."""
    words = list(arguments)
    for place, word in enumerate(words[:-1]):
        if word == "--optimisation" and words[place + 1].startswith("-O"):
            return [*words[:place], f"{word}={words[place + 1]}", *words[place + 2 :]]
    return words


class _Interrupted(KeyboardInterrupt):
    """Ctrl-C, a request to end, or a terminal that was closed. A class of its own: Python remembers a plain
    KeyboardInterrupt that passed through exec(), which dataclasses use, and then ends by the signal although it was
    caught here.
    """


def _interrupted(_number: int, _frame: FrameType | None) -> None:
    raise _Interrupted


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit status."""
    for request in TO_END:
        if signal.getsignal(request) is not signal.SIG_IGN:  # a shell's background jobs are not for Ctrl-C
            signal.signal(request, _interrupted)
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # closed by the caller (<&-): the next file that is opened would be taken for it
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode))
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        parsed = _parse(sys.argv[1:] if arguments is None else arguments)
        if parsed.version:
            import grader

            print(f"kernelist {grader.VERSION}")
            return GRADED
        status = _actions()[parsed.command](parsed)
        sys.stdout.flush()  # so that a full disk is met here
        return status
    except WrongUse as error:
        return _say(str(error), WRONG_USE)
    except HandinFault as error:
        return _say(str(error), WRONG_USE)
    except (Ungradable, ProjectFault) as error:
        return _say(str(error), UNGRADABLE)
    except KeyboardInterrupt:
        for request in TO_END:  # who presses Ctrl-C again wants the same
            signal.signal(request, signal.SIG_IGN)
        end_children()
        with contextlib.suppress(OSError):  # the terminal may be gone
            _say("interrupted; nothing is left running", INTERRUPTED)
        return INTERRUPTED
    except BrokenPipeError:  # whoever read our output has gone
        _mute()
        return GRADED
    except SystemExit as leaving:
        if isinstance(leaving.__context__, BrokenPipeError):  # rich's answer to it
            return GRADED
        raise
    except OSError as error:
        _mute()
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return _say("the disk is full: what was to be written is not there. Make room, then try again", UNGRADABLE)
        return _say(f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}", UNGRADABLE)
    except Exception as error:  # the last net: whatever it is, it is the grader's fault and says so
        if isinstance(error, EOFError):  # of the module loader: nothing here asks a person
            _forget_compiled(Path(__file__).parent)
            message = "a full disk has cut off compiled modules of the grader, which are removed now: try again"
            return _say(message, UNGRADABLE)
        if os.environ.get("KERNELIST_TRACEBACK"):
            raise
        return _say(
            f"a fault of the grader itself: {type(error).__name__}: {error}\n"
            "(KERNELIST_TRACEBACK=1 ./lab ... shows where; please report it)",
            UNGRADABLE,
        )


def _forget_compiled(package: Path) -> None:
    """Remove compiled modules: Python 3.11 does not see that it wrote one of them in part only."""
    for folder in package.rglob("__pycache__"):
        shutil.rmtree(folder, ignore_errors=True)


def _mute() -> None:
    """Nothing more goes to standard output: Python would complain once more when it flushes at its end."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _say(message: str, status: int) -> int:
    print(f"lab: {message}", file=sys.stderr)
    return status
