"""`./lab debug`: brings a machine to the moment that matters (a failure, the kernel's start) and gives it to GDB.

The test runs in this very process, so that the machine still lives when its assertion fails: the processor stands where
the test stopped it, and every register and byte is as the test saw it.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from grader import untrusted
from grader.builds.build import Build
from grader.faults import Ungradable, WrongUse
from grader.host import programs, tools
from grader.host.sandbox import Sandbox
from grader.interactive.bochs_debugger import converse
from grader.interactive.editor import let_in
from grader.labs.lab_file import Lab
from grader.machine import Machine, MachineStopped
from grader.machine.debugger import Handover
from grader.machine.execution import DIED
from grader.machine.tape import Tapes
from grader.machine.witness import Witness
from grader.names import chosen
from grader.testing import plugin, worker
from grader.testing.boots import Boots
from grader.testing.recording import record
from grader.testing.setting import Setting
from grader.testing.verdict import Outcome, Verdict

START = "kernel_main"

NOT_CONNECTED = 130
"""GDB's status when Ctrl-C came before it had the machine (gdb/commands.py)."""

COMMANDS = Path(__file__).resolve().parent.parent / "gdb" / "commands.py"


@dataclass(frozen=True)
class Wanted:
    """What is to be looked at."""

    test: str | None
    """The test whose failure it is; None: the kernel's start."""
    program: str = ""
    """Without a test: it runs in the shell's place, since the terminal is GDB's."""
    editor: bool = False
    """Start no GDB here: let an editor's in."""
    witness: Witness | None = None
    """The emulator to run the test on; all that it names when None."""
    step: int | None = None
    """Of a sweep, the step to stop at, whether the test fails there or not."""
    reverse: bool = False
    """Record the run and play it, so that GDB can go back in it."""
    schedule: str = ""
    """The schedule to run the test under; empty: the ordinary run."""


def debug(lab: Lab, build: Build, sandbox: Sandbox, wanted: Wanted, seed: str) -> int:
    """Open GDB at a test's failure, at a step of it, or at the kernel's start. Returns the exit status.

    Raises WrongUse for an unknown test, Ungradable when there is no GDB or no emulator.
    """
    if wanted.test is None:
        if wanted.program.split(" ")[0] not in ["", *build.programs]:
            raise WrongUse(f"there is no program {wanted.program!r}: there are {', '.join(sorted(build.programs))}")
        return _without_test(build, sandbox, wanted, seed)
    if not wanted.editor and wanted.witness is not Witness.BOCHS:
        find_gdb()
    debugger = _Debugger(build, sandbox, wanted, seed)
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    tests = lab.folder / "tests"
    sys.path.insert(0, str(tests))
    if pytest.main(worker.pytest_arguments(tests), plugins=[debugger]) == pytest.ExitCode.INTERRUPTED:
        raise KeyboardInterrupt
    if debugger.fault is not None:
        raise debugger.fault
    outcome = debugger.outcome
    if outcome is None:
        raise Ungradable(f"the tests of {lab.name} cannot be used; ./lab grade {lab.name} says why")
    if outcome.verdict is Verdict.PASSED:
        print(f"{outcome.name} passes: there is no failure to look at. ./lab debug {lab.name} opens GDB at {START}.")
    elif not debugger.shown:
        print(f"{outcome.name}: {outcome.message}\nIt failed before it had a machine to look at.")
    return 0


class StepShown(Exception):
    """A person has seen the step that was asked for: there is nothing left to run."""


def _end_of_recording(_boots: Boots, _moment: str) -> None:
    """The step that was asked for is on the tape."""
    raise AssertionError("the step is recorded")


class _Debugger:
    """The pytest plugin that runs one test."""

    def __init__(self, build: Build, sandbox: Sandbox, wanted: Wanted, seed: str) -> None:
        self._setting = Setting(
            build,
            seed,
            sandbox.active or sandbox.landlock,
            step=wanted.step,
            schedule=wanted.schedule,
            witness=wanted.witness,
            on_failure=self._failed,
            on_step=self._at_step if wanted.step is not None else None,
        )
        self._wanted = wanted
        self.outcome: Outcome | None = None
        self.fault: Exception | None = None
        self.shown = False
        """Whether a person has looked at a machine."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Run the test that was asked for; GDB opens when it fails."""
        items = {item.name: item for item in session.items if plugin.requirement_of(item) is not None}
        try:
            names = chosen([str(self._wanted.test)], list(items))
            self._check(items[names[0]])
        except Exception as error:  # told to the person once pytest has ended
            self.fault = error
            return True
        item = items[names[0]]
        if self._wanted.reverse:
            self.outcome = self._played(item)
            return True
        session.config.stash[plugin.SETTING] = self._setting
        self.outcome = worker.run_item(item)
        return True

    def _played(self, item: pytest.Item) -> Outcome:
        """Record the failing run, and play it for GDB."""
        print("recording the run ...", flush=True)
        on_step = _end_of_recording if self._wanted.step is not None else None
        with record(item, replace(self._setting, on_failure=None, on_step=on_step)) as recording:
            if recording.outcome.verdict is not Verdict.FAILED:
                return recording.outcome
            if not recording.same:
                print(f"(recorded, it fails in another way: {recording.outcome.message})")
            print("playing it again ...", flush=True)
            played = recording.play(item, self._setting)
            if DIED in played.message and not self.shown:  # once in some hundred times QEMU 7.2 does, on a busy host
                print("the emulator ended by itself; once more ...", flush=True)
                played = recording.play(item, self._setting)
        if played.verdict is Verdict.UNGRADABLE and not self.shown:
            self.fault = Ungradable(
                f"this run can be recorded, but not played again ({played.message}); without --reverse it can be seen"
            )
        return played

    def _check(self, item: pytest.Item) -> None:
        """Raise WrongUse when the test does not run on the emulator that was asked for."""
        requirement = plugin.requirement_of(item)
        assert requirement is not None
        if self._wanted.schedule and not requirement.schedules:
            raise WrongUse(f"{item.name} does not run under schedules: it has no race to find, or counts on the timer")
        witness = self._wanted.witness
        if witness is not None and witness not in requirement.witnesses:
            names = " and ".join(other.label for other in requirement.witnesses)
            raise WrongUse(f"{item.name} runs on {names}, not on {witness.label}")
        if self._wanted.reverse and Witness.QEMU not in requirement.witnesses:
            raise WrongUse(f"{item.name} runs on Bochs alone, and only QEMU can go back: leave out --reverse")

    def _failed(self, boots: Boots, failure: BaseException) -> None:
        """The test failed: give away its last machine."""
        if not boots.machines or isinstance(failure, StepShown):
            return
        print(f"\n{str(failure).splitlines()[0] if str(failure) else type(failure).__name__}")
        if len(boots.machines) > 1:
            print(f"(the test started {len(boots.machines)} machines; this is the last one)")
        self._hand_over(boots)

    def _at_step(self, boots: Boots, moment: str) -> None:
        """A sweep came to the step that was asked for: give away its machine, and end the test."""
        print(f"\n{moment}")
        self._hand_over(boots)
        raise StepShown

    def _hand_over(self, boots: Boots) -> None:
        self.shown = True
        machine = boots.machines[-1]
        if boots.witness is Witness.BOCHS:
            converse(machine)
        else:
            give_away(machine, boots.build, self._wanted.editor)
        machine.close()  # it ran on when GDB left, and answers nothing any more


def _without_test(build: Build, sandbox: Sandbox, wanted: Wanted, seed: str) -> int:
    """Boot to the kernel's first C function; to go back in time, to the end that a program came to."""
    if wanted.reverse:
        return _at_end(build, sandbox, wanted, seed)
    with Boots(build, seed=seed, test="debug", sandbox=sandbox) as boot:
        machine = boot(None, first=wanted.program, guest_seconds=30)
        try:
            machine.run_to(START)
        except MachineStopped as stopped:
            print(f"The kernel never came to {START}: {stopped}")
        give_away(machine, build, wanted.editor)
    return 0


def _at_end(build: Build, sandbox: Sandbox, wanted: Wanted, seed: str) -> int:
    """Record until the kernel panics, resets, or nothing happens any more; then play that."""
    tapes = Tapes()
    try:
        for saying in ("recording the run ...", "playing it again ..."):
            print(saying, flush=True)
            with Boots(build, seed=seed, test="debug", sandbox=sandbox, tapes=tapes) as boot:
                machine = boot(None, first=wanted.program, guest_seconds=30)
                with pytest.raises(MachineStopped) as stopped:
                    machine.run(lambda: "the kernel neither panicked nor reset the machine")
                if tapes.playing:
                    print(f"\n{stopped.value}")
                    give_away(machine, build, wanted.editor)
            tapes.rewind()
    finally:
        tapes.close()
    return 0


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
    path = programs.first(tool.names if native else tool.names[1:])  # another machine's own GDB knows that alone
    if path is not None:
        return path
    raise Ungradable(f"GDB is missing: {tools.how_to_install(tool)}")


def open_gdb(machine: Machine, build: Build) -> None:
    """Run GDB on a stopped machine until the person leaves it. Ctrl-C is GDB's meanwhile: it stops the guest."""
    program = find_gdb()
    sys.stdout.flush()
    with Handover(machine, None if machine.plays else _show) as door:
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            done = subprocess.run(
                [program, *gdb_arguments(machine, build, door.path)],
                check=False,
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )
        finally:
            signal.signal(signal.SIGINT, before)
    if done.returncode == NOT_CONNECTED:
        raise KeyboardInterrupt


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
    return ["-q", str(build.kernel_elf), *words, "-x", str(COMMANDS), "-ex", "kernelist-connected", "-ex", hint]


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
