"""Tools: missing, too old, or strange ones are found out and told with what to do."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from grader.faults import Ungradable
from grader.host import doctor, tools
from grader.host.tools import Found, Tool
from grader.paths import Project
from grader.tests.test_cli import lab

QEMU = next(tool for tool in tools.TOOLS if tool.what == "QEMU")


def fake(folder: Path, says: str) -> Tool:
    """A tool whose program says this."""
    program = folder / "qemu-fake"
    program.write_text(f"#!/bin/sh\ncat <<'END'\n{says}\nEND\n")
    program.chmod(0o755)
    return replace(QEMU, names=(str(program),), variable="")


@pytest.mark.parametrize(
    ("says", "version", "fits"),
    [
        ("QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)", "7.2.22", True),
        ("QEMU emulator version 10.0.2", "10.0.2", True),
        ("QEMU emulator version 6.2.0 (Debian 1:6.2+dfsg-2ubuntu6)", "6.2.0", False),
        ("i686-linux-gnu-gcc (Debian 12.2.0-14) 12.2.0", "12.2.0", True),
        ("no number at all", "", True),
    ],
)
def test_versions_are_read(tmp_path: Path, says: str, version: str, fits: bool) -> None:
    """From what programs print, whoever packaged them; a version that cannot be read is not held against anybody."""
    found = tools.find(fake(tmp_path, says))
    assert (found.version, found.fits) == (version, fits)


def test_a_missing_tool_comes_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """For the package manager that is there, or for all that are known."""
    found = tools.find(replace(QEMU, names=("no-such-emulator",), variable=""))
    assert found.path is None and not found.fits
    monkeypatch.setattr(tools, "installer", lambda: "apt")
    assert tools.how_to_install(QEMU) == "sudo apt-get install qemu-system-x86"
    monkeypatch.setattr(tools, "installer", lambda: "")
    assert "brew: qemu" in tools.how_to_install(QEMU)


def test_a_tool_that_is_too_old_makes_nothing_gradable() -> None:
    """Its verdicts would not be ours."""
    with pytest.raises(Ungradable, match=r"QEMU 6\.2\.0 at .* too old, 7\.2 or newer"):
        tools.check([Found(QEMU, Path("/usr/bin/qemu"), "6.2.0")])
    tools.check([Found(QEMU, Path("/usr/bin/qemu"), "7.2.1"), Found(QEMU, None, "")])


def test_an_old_emulator_is_told_by_grade(tmp_path: Path) -> None:
    """Before any test is run."""
    old = fake(tmp_path, "QEMU emulator version 5.1.0").names[0]
    done = lab("grade", "boot", "--json", str(tmp_path / "r.json"), KERNELIST_QEMU=old)
    assert done.returncode == 1 and "too old" in done.stdout
    assert json.loads((tmp_path / "r.json").read_text())["gradable"] is False


def test_the_doctor_knows_required_from_optional(capsys: pytest.CaptureFixture[str]) -> None:
    """A missing sandbox is a warning, a missing emulator is not."""
    optional = doctor.Finding("Bochs", "not found", False, required=False, advice="apt")
    assert doctor.report(iter([optional]), print)
    assert not doctor.report(iter([optional, doctor.Finding("QEMU", "not found", False, advice="apt")]), print)
    shown = capsys.readouterr().out
    assert "warn  Bochs" in shown and "LACK  QEMU" in shown and "-> apt" in shown


def test_the_doctor_examines_this_computer() -> None:
    """It comes to its end and tries the real things: sandbox, build, boot."""
    found = {finding.what: finding for finding in doctor.examine(Project.here())}
    assert found["building the baseline"].well, found["building the baseline"]
    assert found["booting the baseline"].well, found["booting the baseline"]
    assert "sandbox" in found and "disk space" in found
