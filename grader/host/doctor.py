"""`./lab doctor`: looks for everything that Kernelist needs, really tries what can be tried, and says what to do
about the rest.
"""

from __future__ import annotations

import importlib.metadata
import platform
import re
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from grader.faults import Ungradable
from grader.host import tools
from grader.machine.witness import Witness
from grader.paths import Project

SPACE_LEAST = 500 << 20
"""Bytes of free space below which builds and reports are at risk."""


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's report. `advice` is empty when all is well."""

    what: str
    seen: str
    well: bool
    required: bool = True
    advice: str = ""


def examine(project: Project) -> Iterator[Finding]:
    """All findings, in the order in which a person would want to mend them."""
    yield _python()
    yield _packages(project)
    for found in tools.find_all():
        yield _tool(found)
    for check in (_sandbox, _assembles, _machine, _second_machine, _space):
        yield check(project)


def _python() -> Finding:
    seen = f"{platform.python_version()} at {sys.executable}"
    return Finding("Python", seen, sys.version_info >= (3, 11), advice="install Python 3.11 or newer")


def _packages(project: Project) -> Finding:
    """Whether the pinned packages are there in the pinned versions."""
    wrong = []
    pinned = re.findall(r"^([\w.-]+)==(\S+)", (project.root / "requirements.txt").read_text(encoding="utf-8"), re.M)
    for name, version in pinned:
        try:
            there = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            there = "missing"
        if there != version:
            wrong.append(f"{name} {there} (wanted {version})")
    needed = {"pytest", "pyelftools", "rich", "jinja2", "jsonschema"}
    lacking = any(line.split()[0] in needed for line in wrong)
    seen = f"{len(pinned) - len(wrong)} of {len(pinned)} as pinned"
    return Finding("Python packages", seen, not wrong, lacking, "rm -rf .venv, then ./lab list: " + ", ".join(wrong))


def _tool(found: tools.Found) -> Finding:
    tool = found.tool
    least = ".".join(map(str, tool.least))
    if found.path is None:
        return Finding(tool.what, f"not found: {tool.why}", False, tool.required, tools.how_to_install(tool))
    seen = f"{found.version or 'version unknown'} at {found.path}"
    advice = "" if found.fits else f"{least} or newer is wanted: {tools.how_to_install(tool)}"
    return Finding(tool.what, seen, found.fits, tool.required, advice)


def _sandbox(_project: Project) -> Finding:
    """Run a command in the sandbox that tries to look out of it."""
    from grader.host.sandbox import Sandbox

    advice = (
        "hand-ins would run with your own rights. In a container allow user namespaces "
        "(docker run --security-opt seccomp=unconfined --security-opt systempaths=unconfined); on Ubuntu see "
        "kernel.apparmor_restrict_unprivileged_userns, on macOS docs/macos.md"
    )
    sandbox = Sandbox.detect()
    if not sandbox.confines:
        return Finding("sandbox", sandbox.warning or "none works here", False, False, advice)
    home = shlex.quote(str(Path.home()))
    try:
        done = sandbox.run(["/bin/sh", "-c", f"ls -A {home} 2>/dev/null; id -u"], wall_seconds=20)
    except OSError as error:
        return Finding("sandbox", f"does not start: {error}", False, False, advice)
    user = done.output.decode("utf-8", "replace").strip()
    well = done.status == 0 and user.isdecimal() and user != "0"
    kind = "this container and Landlock work" if sandbox.contained else "works"
    seen = f"{kind}: a command inside is user {user} and sees none of your files" if well else f"leaks: {user[:200]}"
    return Finding("sandbox", seen, well, False, "" if well else advice)


def _assembles(project: Project) -> Finding:
    """Build the baseline as every grading does."""
    from grader.builds.build import build_tree
    from grader.faults import HandinFault, WrongUse
    from grader.host.sandbox import Sandbox
    from grader.labs.tree import Answer, compose

    try:
        build = build_tree(project, compose(project, None, Answer("none")), Sandbox.detect())
    except (HandinFault, Ungradable, WrongUse, OSError) as error:
        return Finding("building the baseline", str(error).splitlines()[0], False, advice="see the tools above")
    return Finding("building the baseline", f"{build.kernel_bin.stat().st_size // 1024} KB of kernel", True)


def _machine(project: Project) -> Finding:
    """Boot the baseline and wait for its first line."""
    wrong = _boots_on(project, Witness.QEMU)
    if wrong:
        return Finding("booting the baseline", wrong, False, advice="see the tools above")
    return Finding("booting the baseline", "it boots and speaks: QEMU bears witness of every test", True)


def _second_machine(project: Project) -> Finding:
    """The same on Bochs, without which some tests cannot be graded."""
    from grader.testing.witnesses import lacking

    what = "booting it on Bochs"
    advice = "tests that Bochs must witness are ungradable here, which costs nobody points; all others are as ever"
    if lacking(Witness.BOCHS):
        return Finding(what, "not tried: Bochs is not here", False, False, f"{lacking(Witness.BOCHS)} ({advice})")
    wrong = _boots_on(project, Witness.BOCHS)
    if wrong:
        return Finding(what, wrong, False, False, advice)
    return Finding(what, "it boots and speaks: Bochs bears witness of the tests that name it", True)


def _boots_on(project: Project, witness: Witness) -> str:
    """What keeps the baseline from booting on an emulator; empty when nothing does."""
    from grader.builds.build import build_tree
    from grader.host.sandbox import Sandbox
    from grader.labs.tree import Answer, compose
    from grader.testing.boots import Boots

    try:
        sandbox = Sandbox.detect()
        build = build_tree(project, compose(project, None, Answer("none")), sandbox)
        with Boots(build, seed="doctor", test="doctor", sandbox=sandbox, witness=witness) as boot:
            boot(None, guest_seconds=10).wait_for_serial(b"539kernel")
    except Exception as error:  # whatever stops it is the finding
        return f"{type(error).__name__}: {error}"
    return ""


def _space(project: Project) -> Finding:
    try:
        free = shutil.disk_usage(project.cache).free
    except (Ungradable, OSError) as error:
        return Finding("disk space", str(error), False, advice="make some folder writable, or set XDG_CACHE_HOME")
    return Finding(
        "disk space",
        f"{free >> 20} MB free at {project.cache}",
        free >= SPACE_LEAST,
        advice=f"free some: {SPACE_LEAST >> 20} MB are wanted for builds",
    )


def report(findings: Iterator[Finding], say: Callable[[str], None]) -> bool:
    """Print the findings as they come; whether all that is required is well."""
    usable = True
    for finding in findings:
        mark = "ok  " if finding.well else ("LACK" if finding.required else "warn")
        say(f"{mark}  {finding.what}: {finding.seen}")
        if not finding.well:
            usable = usable and not finding.required
            if finding.advice:
                say(f"      -> {finding.advice}")
    say("")
    say("All that is required is there." if usable else "Something that is required is missing; see LACK above.")
    return usable
