"""`./lab debug`: brings a machine to the moment that matters (a failure, the kernel's start) and gives it to GDB.

The test runs in this very process, so that the machine still lives when its assertion fails: the processor stands where
the test stopped it, and every register and byte is as the test saw it.
"""

from __future__ import annotations

import functools
import os
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from grader import untrusted
from grader.builds.build import Build
from grader.faults import Ungradable, WrongUse
from grader.host import tools
from grader.host.sandbox import Sandbox
from grader.interactive.editor import let_in
from grader.labs.lab_file import Lab
from grader.machine import Machine, MachineStopped
from grader.machine.debugger import Handover
from grader.names import chosen
from grader.testing import plugin, worker
from grader.testing.boots import Boots
from grader.testing.setting import Setting
from grader.testing.verdict import Outcome, Verdict

START = "kernel_main"

COMMANDS = Path(__file__).resolve().parent.parent / "gdb" / "commands.py"


def debug(
    lab: Lab, build: Build, sandbox: Sandbox, *, test: str | None, program: str, seed: str, editor: bool = False
) -> int:
    """Open GDB at a test's failure, or at the kernel's start when `test` is None. Returns the exit status.

    `program` then runs in the shell's place, since the terminal is GDB's. With `editor`, no GDB is started here: an
    editor's is let in.
    Raises WrongUse for an unknown test, Ungradable when there is no GDB or no emulator.
    """
    if test is None:
        if program.split(" ")[0] not in ["", *build.programs]:
            raise WrongUse(f"there is no program {program!r}: there are {', '.join(sorted(build.programs))}")
        return _at_start(build, sandbox, program, seed, editor)
    if not editor:
        find_gdb()
    setting = Setting(build, seed, sandbox.active, on_failure=functools.partial(_open, editor))
    debugger = _Debugger(setting, test)
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    tests = lab.folder / "tests"
    sys.path.insert(0, str(tests))
    pytest.main(worker.pytest_arguments(tests), plugins=[debugger])
    if debugger.fault is not None:
        raise debugger.fault
    outcome = debugger.outcome
    if outcome is None:
        raise Ungradable(f"the tests of {lab.name} cannot be used; ./lab grade {lab.name} says why")
    if outcome.verdict is Verdict.PASSED:
        print(f"{outcome.name} passes: there is no failure to look at. ./lab debug {lab.name} opens GDB at {START}.")
    elif not debugger.opened:
        print(f"{outcome.name}: {outcome.message}\nIt failed before it had a machine to look at.")
    return 0


class _Debugger:
    """The pytest plugin that runs one test."""

    def __init__(self, setting: Setting, test: str) -> None:
        self._setting = setting
        self._test = test
        self.outcome: Outcome | None = None
        self.fault: Exception | None = None
        self.opened = False

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Run the test that was asked for; GDB opens when it fails."""
        items = {item.name: item for item in session.items if plugin.requirement_of(item) is not None}
        try:
            names = chosen([self._test], list(items))
        except Exception as error:  # told to the person once pytest has ended
            self.fault = error
            return True
        item = items[names[0]]
        session.config.stash[plugin.SETTING] = self._setting
        self.outcome = worker.run_item(item)
        self.opened = bool(self.outcome.boots) and self.outcome.verdict is not Verdict.PASSED
        return True


def _open(editor: bool, boots: Boots, failure: BaseException) -> None:
    """A test failed: give its last machine to GDB."""
    if not boots.machines:
        return
    print(f"\n{str(failure).splitlines()[0] if str(failure) else type(failure).__name__}")
    if len(boots.machines) > 1:
        print(f"(the test started {len(boots.machines)} machines; this is the last one)")
    give_away(boots.machines[-1], boots.build, editor)


def _at_start(build: Build, sandbox: Sandbox, program: str, seed: str, editor: bool) -> int:
    """Boot to the kernel's first C function."""
    with Boots(build, seed=seed, test="debug", sandbox=sandbox) as boot:
        machine = boot(None, first=program, guest_seconds=30)
        _run_to_start(machine)
        give_away(machine, build, editor)
    return 0


def _run_to_start(machine: Machine) -> None:
    try:
        machine.run_to(START)
    except MachineStopped as stopped:
        print(f"The kernel never came to {START}: {stopped}")


def give_away(machine: Machine, build: Build, editor: bool) -> None:
    """Give a stopped machine to an editor's GDB, or to one in this terminal."""
    if editor:
        let_in(machine, build, _show)
    else:
        open_gdb(machine, build)


def find_gdb() -> str:
    """A GDB that knows i386. Raises Ungradable, saying how to install it."""
    tool = next(tool for tool in tools.TOOLS if tool.what == "GDB")
    native = os.uname().machine in ("x86_64", "i686")
    for name in tool.names if native else tool.names[1:]:  # another machine's own GDB knows that machine alone
        path = shutil.which(name)
        if path is not None:
            return path
    raise Ungradable(f"GDB is missing: {tools.how_to_install(tool)}")


def open_gdb(machine: Machine, build: Build) -> None:
    """Run GDB on a stopped machine until the person leaves it. Ctrl-C is GDB's meanwhile: it stops the guest."""
    program = find_gdb()
    sys.stdout.flush()
    with Handover(machine, _show) as door:
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            subprocess.run(
                [program, *gdb_arguments(machine, build, door.path)],
                check=False,
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )
        finally:
            signal.signal(signal.SIGINT, before)


def gdb_arguments(machine: Machine, build: Build, socket: Path) -> list[str]:
    """Symbols of the kernel and of the program that was tested, sources, the connection, and our own commands."""
    # GDB takes a path apart at blanks here and takes quotes for part of it there.
    commands = [
        "set confirm off",
        "set architecture i386",
        f"set substitute-path kernel {shlex.quote(str(build.tree / 'kernel'))}",
        f"set substitute-path probes {shlex.quote(str(build.tree / 'probes'))}",
        f"target remote {socket}",
    ]
    program = _program_of(machine, build)
    if program is not None:
        commands.append(f"add-symbol-file {shlex.quote(str(program))}")
    words = [word for command in commands for word in ("-ex", command)]
    hint = "echo Type `kernelist` for its commands, `quit` to leave.\\n\n"
    return ["-q", str(build.kernel_elf), *words, "-x", str(COMMANDS), "-ex", hint]


def _program_of(machine: Machine, build: Build) -> Path | None:
    """The file of the program whose symbols help most: the probe, or else the one that was running."""
    known = {**build.programs, **build.probes}
    try:
        running = machine.running_process()
    except (AssertionError, Ungradable, ValueError):
        running = None
    for name in (running[1] if running else None, machine.probe):
        if name in known:
            return known[name]
    return None


def _show(data: bytes) -> None:
    """What the guest prints while GDB has it."""
    sys.stdout.write(untrusted.plain(data))
    sys.stdout.flush()
