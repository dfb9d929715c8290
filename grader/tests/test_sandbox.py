"""The sandbox: what a command finds inside, and that it is bounded. Each attack is harmless and states its outcome."""

from __future__ import annotations

import os
import resource
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from grader.host import sandbox as sandbox_module
from grader.host.conversation import converse
from grader.host.sandbox import Limits, Sandbox, _detect, end, tool_folders, unsandboxed
from grader.host.users import NOBODY, new_user

HERE = Sandbox.detect()
needs_sandbox = pytest.mark.skipif(not HERE.active, reason=HERE.warning)


def shell(script: str, limits: Limits | None = None, wall_seconds: float = 20.0, stdin: bytes = b"") -> str:
    """What a script prints inside, on both descriptors."""
    done = HERE.run(
        ["/bin/sh", "-c", f"exec 2>&1\n{script}"], limits or Limits(), stdin=stdin, wall_seconds=wall_seconds
    )
    assert not done.out_of_time
    return done.output.decode()


@needs_sandbox
def test_data_goes_in_and_out_by_pipes() -> None:
    """No folder of the host is needed."""
    assert shell("tr a-z A-Z", stdin=b"hello" * 100_000) == "HELLO" * 100_000


@needs_sandbox
def test_nothing_of_the_host_is_there() -> None:
    """No home, no checkout, no password file, no temporary files of others."""
    project = Path(__file__).resolve().parents[2]
    for path in ("/etc/passwd", "/home", "/root", "/var", "/sys", str(project), str(Path.cwd())):
        if not path.startswith("/usr"):
            assert shell(f"ls -d '{path}'").endswith("No such file or directory\n")
    assert shell("ls -A /tmp /dev/shm").split() == ["/dev/shm:", "/tmp:"]


@needs_sandbox
def test_nothing_outside_of_tmp_can_be_written() -> None:
    """The root and the tools are read-only."""
    for path in (
        "/x",
        "/usr/x",
        "/usr/bin/x",
        "/dev/x",
        "/proc/x",
        "/proc/sys/kernel/core_pattern",
        "/proc/sys/kernel/x",
    ):
        assert shell(f"echo evil > {path} && echo done").count("done") == 0


@needs_sandbox
def test_the_environment_is_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even the first process shows the grader's own."""
    monkeypatch.setenv("KERNELIST_SECRET", "hidden-value")
    seen = shell("env; tr '\\0' '\\n' < /proc/1/environ; cat /proc/*/environ | tr '\\0' '\\n'")
    assert "hidden-value" not in seen
    assert {line.split("=")[0] for line in seen.split()} <= {"PATH", "HOME", "LC_ALL", "PWD", "_", "SHLVL", "OLDPWD"}


@needs_sandbox
def test_no_other_process_is_seen() -> None:
    """Command lines of others cannot be read, and nobody can be signalled."""
    seen = shell("cat /proc/[0-9]*/cmdline | tr '\\0' ' '; ls -d /proc/[0-9]* | wc -l")
    assert "pytest" not in seen
    assert int(seen.split()[-1]) <= 4


@needs_sandbox
def test_only_the_passed_descriptors_are_inherited(tmp_path: Path) -> None:
    """An inherited descriptor would be readable inside."""
    with (tmp_path / "secret").open("w+") as secret:
        os.set_inheritable(secret.fileno(), True)
        assert shell("ls /proc/self/fd").split() == ["0", "1", "2", "3"]  # 3 is ls itself


@needs_sandbox
def test_a_passed_descriptor_is_seen_under_its_number() -> None:
    """This is how an image gets to the emulator: nothing is bound, nothing is left behind."""
    descriptor = os.memfd_create("image")
    try:
        os.write(descriptor, b"content")
        process = HERE.popen(["/bin/cat", f"/proc/self/fd/{descriptor}"], pass_fds=[descriptor], stdout=subprocess.PIPE)
        assert process.stdout is not None and process.stdout.read() == b"content"
        end(process)
    finally:
        os.close(descriptor)


@needs_sandbox
def test_there_is_no_network() -> None:
    """Only a loopback that is down."""
    assert shell("cat /proc/net/dev").count(":") == 1
    script = "import socket; s = socket.socket(); s.settimeout(2); s.connect(('1.1.1.1', 53))"
    if Path("/usr/bin/python3").exists():
        assert "unreachable" in shell(f'/usr/bin/python3 -c "{script}"')


@needs_sandbox
def test_no_right_can_be_gained() -> None:
    """No capability, no setuid program, no user namespace of one's own."""
    status = shell("cat /proc/self/status")
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert {fields[f"Cap{name}"] for name in ("Inh", "Prm", "Eff", "Bnd", "Amb")} == {"0" * 16}
    assert fields["NoNewPrivs"] == "1"
    assert "0" not in fields["Uid"].split()
    assert "done" not in shell("unshare --user echo done; unshare --mount echo done")


@needs_sandbox
def test_a_fork_bomb_ends() -> None:
    """The number of processes is limited, and all of them are gone when the first one ends."""
    began = time.monotonic()
    seen = shell("i=0; while [ $i -lt 300 ]; do sleep 60 & i=$((i+1)); done", Limits(processes=32))
    assert "fork" in seen.lower()
    assert time.monotonic() - began < 15


@needs_sandbox
@pytest.mark.skipif(os.getuid() != 0, reason="an ordinary user has one quota")
def test_a_fork_bomb_does_not_use_up_anothers_quota() -> None:
    """Each command is a user of its own."""
    bomb = HERE.popen(["/bin/sh", "-c", "while :; do sleep 60 & done 2>/dev/null"], Limits(processes=16))
    try:
        assert shell("sleep 0 & sleep 0 & wait; echo fine", Limits(processes=16)) == "fine\n"
    finally:
        end(bomb)


@needs_sandbox
def test_memory_is_limited() -> None:
    """Of each process, and of the private folders."""
    seen = shell("head -c 300000000 /dev/zero | tail -c 300000000 > /dev/null", Limits(address_space=1 << 27))
    assert "memory exhausted" in seen
    assert "No space left" in shell(
        "i=0; while [ $i -lt 9 ]; do head -c 9000000 /dev/zero > /tmp/$i || exit; i=$((i+1)); done"
    )
    assert "No space left" in shell("head -c 9000000 /dev/zero > /dev/shm/x")


@needs_sandbox
def test_a_file_cannot_become_large() -> None:
    """The disk is not filled, not even the private one."""
    seen = shell("head -c 5000000 /dev/zero > /tmp/x; ls -l /tmp/x", Limits(file_size=1 << 20))
    assert " 1048576 " in seen


@needs_sandbox
def test_processor_time_is_limited() -> None:
    """A process that spins is ended by the system."""
    began = time.monotonic()
    done = HERE.run(["/bin/sh", "-c", "while :; do :; done"], Limits(cpu_seconds=1), wall_seconds=30.0)
    assert done.status != 0 and not done.out_of_time
    assert time.monotonic() - began < 20


@needs_sandbox
def test_what_sleeps_is_ended() -> None:
    """The wall clock is the last resort."""
    done = HERE.run(["/bin/sh", "-c", "sleep 1000"], wall_seconds=0.3)
    assert done.out_of_time


@needs_sandbox
def test_a_flood_is_ended() -> None:
    """More output than was allowed ends the command; a flood of messages is read and dropped."""
    assert HERE.run(["/bin/sh", "-c", "yes"], output_bytes=100_000).too_much_output
    done = HERE.run(["/bin/sh", "-c", "yes | head -c 10000000 >&2; echo fine"], error_bytes=1000)
    assert (done.output, len(done.errors)) == (b"fine\n", 1000)


@needs_sandbox
def test_nothing_stays_behind() -> None:
    """What a command started in the background ends with it."""
    mark = f"60.{os.getpid()}{time.monotonic_ns()}"
    shell(f"setsid sleep {mark} > /dev/null 2>&1 & sleep 0.1")
    assert mark not in _command_lines()
    process = HERE.popen(["/bin/sh", "-c", f"sleep {mark} & sleep {mark}"])
    time.sleep(0.3)
    assert mark in _command_lines()
    end(process)
    assert _gone(mark)


@needs_sandbox
def test_a_killed_grader_takes_its_commands_along() -> None:
    """Even kill -9 of the grader leaves nothing running."""
    mark = f"61.{os.getpid()}{time.monotonic_ns()}"
    script = f"from grader.host.sandbox import Sandbox; Sandbox.detect().run(['/bin/sleep', '{mark}'], wall_seconds=60)"
    root = Path(__file__).resolve().parents[2]
    grader = subprocess.Popen([os.sys.executable, "-c", script], cwd=root)  # type: ignore[attr-defined]
    deadline = time.monotonic() + 20
    while f"\n/bin/sleep {mark}" not in _command_lines() and time.monotonic() < deadline:
        time.sleep(0.05)
    grader.kill()
    grader.wait()
    assert _gone(mark)


def _command_lines() -> str:
    lines = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(entry.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace"))
        except OSError:
            continue
    return "\n".join(lines)


def _gone(mark: str) -> bool:
    deadline = time.monotonic() + 10
    while mark in _command_lines() and time.monotonic() < deadline:
        time.sleep(0.05)
    return mark not in _command_lines()


@pytest.fixture
def fresh_detection() -> Iterator[None]:
    """Let the sandbox be looked for again."""
    _detect.cache_clear()
    yield
    _detect.cache_clear()


def test_without_bubblewrap_it_says_so(monkeypatch: pytest.MonkeyPatch, fresh_detection: None) -> None:
    """Loudly, and with the reason; what to do about it is the command line's decision."""
    monkeypatch.setattr(sandbox_module, "SYSTEM_PATH", "/nowhere")
    found = Sandbox.detect()
    assert not found.active
    assert found.warning.startswith("UNSANDBOXED") and "bubblewrap" in found.warning


def test_where_it_does_not_work_it_says_so(monkeypatch: pytest.MonkeyPatch, fresh_detection: None) -> None:
    """As in a container that forbids user namespaces."""
    if not HERE.active:
        pytest.skip(HERE.warning)
    refuse = ["/bin/sh", "-c", "echo bwrap: No permissions to create a new namespace >&2; exit 1"]
    monkeypatch.setattr(sandbox_module, "_bubblewrap", lambda *_: [*refuse, "x"])
    found = Sandbox.detect()
    assert not found.active
    assert "No permissions to create a new namespace" in found.warning


def test_it_can_be_switched_off() -> None:
    """By a flag, which is recorded like any other reason."""
    assert "--no-sandbox" in Sandbox.detect(allowed=False).warning


def test_without_a_sandbox_limits_and_user_remain(tmp_path: Path) -> None:
    """The command works in a folder of its own, is not root, and leaves nothing running."""
    bare = unsandboxed("for this test")
    mark = f"62.{os.getpid()}{time.monotonic_ns()}"
    folder = tmp_path / "work"
    folder.mkdir()
    tmp_path.chmod(0o755)
    script = f"pwd; id -u; cat /proc/self/limits; env; setsid sleep {mark} > /dev/null 2>&1 < /dev/null &"
    done = bare.run(["/bin/sh", "-c", script], Limits(file_size=12345678), folder=folder, wall_seconds=20)
    output = done.output.decode()
    assert output.splitlines()[0] == str(folder)
    assert output.splitlines()[1] != "0"
    assert "12345678" in output
    assert "PYTEST" not in output
    if os.getuid() == 0:
        assert _gone(mark)


def test_what_outlives_its_command_is_ended() -> None:
    """Without a sandbox and without root it has no user of its own, but it is in the command's group."""
    mark = f"63.{os.getpid()}{time.monotonic_ns()}"
    shell = ["/bin/sh", "-c", f"sleep {mark} > /dev/null 2>&1 < /dev/null & echo started"]
    pipe = subprocess.PIPE
    process = subprocess.Popen(shell, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True)
    done = converse(process, b"", 20.0, 1000, 1000)
    assert (done.status, done.output) == (0, b"started\n") and _gone(mark)


def test_what_a_user_starts_meanwhile_takes_nothing_from_a_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """The system counts all that a user runs, another grading and a browser too: so they are counted each time."""
    monkeypatch.setattr(os, "getuid", lambda: 1000)
    monkeypatch.setattr(resource, "getrlimit", lambda _which: (-1, -1))
    for running in (5, 1000):
        monkeypatch.setattr(sandbox_module, "own_processes", lambda number=running: number)
        assert f"--nproc={running + 64 + 512}" in unsandboxed("for this test").command(["/bin/true"])


def test_each_command_has_a_user_of_its_own() -> None:
    """So that quotas are not shared."""
    users = {new_user() for _ in range(10)}
    assert len(users) == 10 or users == {NOBODY}


def test_tools_outside_of_usr_are_found(tmp_path: Path) -> None:
    """Of /opt/cross/bin/gcc all of /opt/cross is mounted, of a program in a home directory only its folder."""
    tool = tmp_path / "cross/bin/i686-elf-gcc"
    tool.parent.mkdir(parents=True)
    tool.touch(mode=0o755)
    assert tool_folders([str(tool), "/usr/bin/make", "/bin/sh"]) == [str(tmp_path / "cross")]
    link = tmp_path / "links/gcc"
    link.parent.mkdir()
    link.symlink_to(tool)
    assert tool_folders([str(link)]) == [str(tmp_path / "links"), str(tmp_path / "cross")]
    assert tool_folders([str(Path.home() / "bin/gcc")]) == [str(Path.home() / "bin")]
