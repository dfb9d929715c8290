"""Where no user namespace can be made: what Landlock keeps a command from, and what is said of it.

The container's own test, on the real image, is tools/containers.py; here the same confinement is attacked outside.
"""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from grader.builds.build import BuildFailed, build_tree
from grader.faults import HandinFault
from grader.host import landlock, sandbox
from grader.host.sandbox import Sandbox, _detect, _without_bubblewrap
from grader.labs.tree import Answer, compose
from grader.tests.small_project import put, small_lab, small_project

LOCKED = _without_bubblewrap("user namespaces are forbidden for this test")
needs_landlock = pytest.mark.skipif(not LOCKED.landlock, reason="this kernel has no Landlock")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A command's own folder, beside one with something to be kept from it."""
    for parent in (tmp_path, *tmp_path.parents):
        if parent.stat().st_uid == os.getuid():
            parent.chmod(parent.stat().st_mode | 0o055)  # no rights but Landlock's are in a command's way
    put(tmp_path, {"secret/test_hidden.py": "HIDDEN = 'hidden-value'\n", "results/result.json": "{}\n", "own/x": ""})
    (tmp_path / "results").chmod(0o777)
    (tmp_path / "results/result.json").chmod(0o666)
    return tmp_path / "own"


def shell(script: str, folder: Path) -> str:
    """What a script prints under Landlock, on both descriptors."""
    done = LOCKED.run(["/bin/sh", "-c", f"exec 2>&1\n{script}"], folder=folder, wall_seconds=60)
    assert not done.out_of_time and done.status != landlock.NOT_STARTED, done
    return done.output.decode()


@needs_landlock
def test_nothing_but_tools_and_the_own_folder_can_be_opened(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No hidden test, result, password file or process of the grader; the folder can be worked in as ever."""
    monkeypatch.setenv("KERNELIST_SECRET", "hidden-value")
    grader = f"/proc/{os.getpid()}"
    read = (f"{tmp_path}/secret/test_hidden.py", "/etc/passwd", f"{grader}/environ", f"{grader}/fd/0", f"{grader}/mem")
    written = (
        f"{tmp_path}/results/result.json",
        f"{tmp_path}/results/new",
        f"/tmp/evil-{os.getpid()}",
        "/dev/shm/evil",
    )
    script = [f"cat {path} && echo read {path}" for path in read]
    script += [f"echo evil >> {path} && echo wrote {path}" for path in written]
    script += [f"mv {tmp_path}/results/result.json {folder} && echo moved", f"ls {tmp_path} && echo listed"]
    script += ["mkdir a && echo fine > a/b && ln -s a c && mv a/b d && cat d && rm -r a c d"]
    said = shell("\n".join(script), folder)
    assert said.splitlines()[-1] == "fine", said
    assert not [word for word in ("hidden-value", "root:", "read /", "wrote", "moved", "listed") if word in said], said
    assert (tmp_path / "results/result.json").read_text() == "{}\n"


@needs_landlock
def test_nobody_outside_can_be_signalled_or_connected_to(folder: Path) -> None:
    """As far as this kernel's Landlock knows of that."""
    if landlock.version() < 6:
        pytest.skip("this kernel's Landlock knows files only")
    other = subprocess.Popen(["/bin/sleep", "60"])
    try:
        said = shell(f"kill {other.pid} && echo killed; kill -9 {os.getpid()} && echo killed; sleep 0 & wait", folder)
        assert "killed" not in said and other.poll() is None
    finally:
        other.kill()
        other.wait()
    with socket.create_server(("127.0.0.1", 0)) as server:
        python = next(filter(os.path.exists, ("/usr/bin/python3",)), None)
        if python is None:
            pytest.skip("no Python in /usr")
        port = server.getsockname()[1]
        script = f"import socket; socket.create_connection(('127.0.0.1', {port}), 5); print('connected')"
        assert "Permission denied" in shell(f'{python} -I -c "{script}"', folder)


@needs_landlock
def test_a_hand_in_cannot_include_what_it_must_not_see(folder: Path, tmp_path: Path) -> None:
    """Nor can one whose compiler runs its very own commands, which no hand-in's does. The right one is built."""
    project = small_project(tmp_path / "a checkout")
    lab = small_lab(project)
    secret = tmp_path / "secret/test_hidden.py"
    good = compose(project, lab, Answer("reference"))
    message = good.files["kernel/message.c"].decode()
    said = ""
    for number, files in enumerate(
        (
            {"kernel/message.c": f'#include "{secret}"\n', "kernel/more.asm": f'incbin "{secret}"\n'},
            {"kernel/message.c": message, "kernel/extra.c": f'asm(".incbin \\"{secret}\\"");\n'},
        )
    ):
        put(tmp_path / f"in{number}", files)
        with pytest.raises(BuildFailed, match=str(secret)) as caught:
            build_tree(project, compose(project, lab, Answer("path", str(tmp_path / f"in{number}"))), LOCKED)
        said += str(caught.value)
    result = tmp_path / "results/result.json"
    script = f"all:\n\t-cat {secret}\n\t-echo forged > {result}\n\t-rm -r {project.root} {project.cache}\n\tfalse\n"
    with pytest.raises(HandinFault) as refused:
        build_tree(project, replace(good, files={**good.files, "kernel/Makefile": script.encode()}), LOCKED)
    assert "hidden-value" not in said + str(refused.value)
    assert result.read_text() == "{}\n" and project.kernel.is_dir()
    assert build_tree(project, good, LOCKED).kernel_bin.stat().st_size


def test_without_landlock_no_command_runs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """What was to be confined is not started otherwise."""
    monkeypatch.setattr(landlock, "CREATE_RULESET", 100_000)  # no such system call
    assert landlock.main(["read:/usr", "--", "/bin/sh", "-c", "exit 0"]) == landlock.NOT_STARTED
    assert "landlock: /bin/sh: " in capsys.readouterr().err


@pytest.fixture
def forbidden(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A system without user namespaces."""
    monkeypatch.setattr(sandbox, "_with_bubblewrap", lambda: "it does not work here (no new namespace)")
    monkeypatch.delenv(sandbox.CONTAINED, raising=False)
    _detect.cache_clear()
    yield
    _detect.cache_clear()


@pytest.mark.usefixtures("forbidden")
@pytest.mark.parametrize(
    ("contained", "locked", "confines", "said"),
    [
        ("1", True, True, "the container is the sandbox: no user namespace can be made in it"),
        ("1", False, False, "UNSANDBOXED within this container"),
        ("", True, False, "UNSANDBOXED: the compiler and the emulator run with limits and Landlock only"),
        ("yes", False, False, "UNSANDBOXED: the compiler and the emulator run with limits only"),
    ],
)
def test_the_container_is_the_sandbox_only_if_it_says_so(
    monkeypatch: pytest.MonkeyPatch, contained: str, locked: bool, confines: bool, said: str
) -> None:
    """Told by the image, and only where Landlock keeps a hand-in from what lies in the container."""
    monkeypatch.setenv(sandbox.CONTAINED, contained)
    monkeypatch.setattr(sandbox, "_is_locked", lambda trial: locked)
    found = Sandbox.detect()
    assert not found.active and (found.confines, found.landlock) == (confines, locked)
    assert found.warning.startswith(said)
    assert not Sandbox.detect(allowed=False).landlock
