"""`./lab watch`: what is noticed, what a save makes run again, and that no verdict of before passes for one of now."""

from __future__ import annotations

import contextlib
import io
import os
import pty
import select
import shutil
import signal
import subprocess
import termios
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from watchfiles._rust_notify import RustNotify

from grader.builds.build import Build, build_tree
from grader.faults import Ungradable, WrongUse
from grader.host.sandbox import Sandbox
from grader.labs.lab_file import Stage
from grader.labs.tree import Answer, Tree
from grader.paths import Project
from grader.testing.pool import Pool
from grader.testing.verdict import Verdict
from grader.tests.samples import ATTACK, FORBIDDEN, failed, passed, requirement
from grader.tests.small_course import clone, course, git, published, with_upper_lab
from grader.tests.small_project import put, small_lab
from grader.tests.test_cli import COMMAND, ENVIRONMENT
from grader.tests.test_people import read_until
from grader.untrusted import plain
from grader.watching import building, session
from grader.watching.folders import watched
from grader.watching.lines import Lines
from grader.watching.noticing import Bell, Noticing
from grader.watching.screen import Screen
from grader.watching.session import GraderChanged, Happened, Session, Wish
from grader.watching.standing import Line, Phase, Standing, order

TESTS = '''
import os
from grader.testing.plugin import graded


@graded(stage=1, points=40)
def test_value(build):
    """The kernel is right."""
    assert b"WRONG" not in build.kernel_bin.read_bytes()


@graded(stage=2, points=60)
def test_comes_back(build):
    """The kernel does not wait for what never comes."""
    if b"WAITS" in build.kernel_bin.read_bytes():
        open(os.environ["NEVER"]).read()
'''
ANSWER = (
    'const char *const word = "{}";\nint message_send(int value);\nint message_send(int value)\n{{ return value; }}\n'
)
"""kernel/message.c, to be formatted with a word."""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A course of one small lab whose tests look at the kernel's bytes."""
    made = course(tmp_path_factory.mktemp("watched course") / "here")
    put(made.root, {"labs/small/tests/test_small.py": TESTS})
    return made


@pytest.fixture
def handin(tmp_path: Path) -> Path:
    """A student's folder, beside other things."""
    return put(tmp_path / "hand in", {"kernel/message.c": ANSWER.format("RIGHT")})


def save(handin: Path, text: str) -> None:
    """As most editors do: a new file, renamed over the old one."""
    new = handin / "kernel/.message.c.new"
    new.write_text(text)
    new.replace(handin / "kernel/message.c")


Step = Callable[[Standing], object]


def nothing(_standing: Standing) -> None:
    """The last step, after which a script ends."""


class Script:
    """A view that does the next step whenever something ended, ends after the last, and keeps what it was shown."""

    def __init__(self, *steps: Step, on: tuple[Happened, ...] = (Happened.ENDED, Happened.PROBLEM)) -> None:
        self.steps = [*steps]
        self.on = on
        self.session: Session | None = None
        self.output = io.StringIO()
        self.lines = Lines(Console(file=self.output, width=200))
        self.shown: list[tuple[int, Happened, str, Verdict | None]] = []

    def show(self, standing: Standing, happened: Happened, line: Line | None = None) -> None:
        """See `session.View`."""
        self.lines.show(standing, happened, line)
        if happened is Happened.TIME_PASSED:
            return
        self.shown.append(
            (standing.run, happened, line.requirement.name if line else "", line.verdict if line else None)
        )
        if happened in self.on:
            self.steps.pop(0)(standing)
            if not self.steps:
                assert self.session is not None
                self.session.end()

    def tested(self, run: int) -> list[str]:
        """The tests that ran in a run."""
        return [name for number, happened, name, _ in self.shown if number == run and happened is Happened.TESTED]


def watch(
    project: Project, script: Script, *, lab: str | None = "small", answer: str = "", only: tuple[str, ...] = ()
) -> str:
    """Run a whole session; what it printed."""
    wish = Wish(lab, answer, only, workers=1)
    with Session(project, wish, script) as session:
        script.session = session

        def too_late() -> None:
            """Only a watch that does not notice comes to this end."""
            session.end()
            session.bell.ring()

        late = threading.Timer(120, too_late)
        late.start()
        session.run()
        late.cancel()
    assert not script.steps, script.output.getvalue()
    return script.output.getvalue()


# What is noticed.


@pytest.fixture
def noticing(project: Project, handin: Path) -> Iterator[Noticing]:
    """Watches the student's folder."""
    bell = Bell()
    made = Noticing(bell, lambda: watched(project, small_lab(project), Answer("path", str(handin))))
    made.watch()
    yield made
    made.close()
    bell.close()


def wait(noticing: Noticing) -> None:
    """Wait for a notice, and watch on."""
    assert select.select([noticing._bell], [], [], 60)[0], "nothing was noticed"
    noticing._bell.clear()
    assert noticing.noticed()
    noticing.watch()


def test_every_way_to_save_is_noticed(noticing: Noticing, handin: Path) -> None:
    """In place, by renaming, removed and written again, a folder made anew with the same name, one that is new."""
    file = handin / "kernel/message.c"
    file.write_text("in place")
    wait(noticing)
    save(handin, "renamed")
    wait(noticing)
    file.unlink()
    wait(noticing)
    file.write_text("again")
    wait(noticing)
    shutil.rmtree(handin)
    wait(noticing)
    put(handin, {"kernel/user/server.c": "in new folders"})
    wait(noticing)
    (handin / "kernel/user/server.c").write_text("and in these")
    wait(noticing)


@pytest.mark.parametrize("failure", [FileNotFoundError, PermissionError])
def test_a_watch_that_fails_is_made_again(
    noticing: Noticing, monkeypatch: pytest.MonkeyPatch, failure: type[OSError]
) -> None:
    """A folder that was replaced by another of the same number is watched, though a third was gone a moment later."""
    made: list[list[str]] = []

    def watch(folders: list[str], *arguments: Any) -> RustNotify:
        made.append(folders)
        if len(made) == 1:
            raise failure("gone since it was listed")
        return RustNotify(folders, *arguments)

    monkeypatch.setattr("grader.watching.noticing.RustNotify", watch)
    noticing._replaced.set()
    with contextlib.suppress(Ungradable):
        noticing.watch()
    noticing.watch()
    assert len(made) == 2


def test_what_lies_beside_is_not_noticed(noticing: Noticing, handin: Path) -> None:
    """A home directory is full of files that come and go."""
    put(handin.parent, {"mail": "you have mail", "another/kernel/message.c": "somebody else's"})
    assert not select.select([noticing._bell], [], [], 0.3)[0]


def test_a_folder_that_is_not_there_is_waited_for(project: Project, tmp_path: Path) -> None:
    """Its nearest parent is watched for it alone."""
    found = watched(project, small_lab(project), Answer("path", str(tmp_path / "a/b")))
    assert found[tmp_path] == frozenset({"a"})


# What runs again.


def test_a_day_at_the_editor(project: Project, handin: Path) -> None:
    """A fault, its repair, a comment, a mistake in typing, and back: each save runs what it must, and no more."""
    right, wrong = ANSWER.format("RIGHT"), ANSWER.format("WRONG")
    script = Script(
        lambda _: save(handin, wrong),
        lambda _: save(handin, "// A line more.\n" + wrong),
        lambda _: save(handin, right + "int int;\n"),
        lambda _: save(handin, right),
        lambda _: save(handin, "// Two\n// lines more.\n" + right),
        lambda _: (handin / "kernel/message.c").unlink(),
        lambda _: save(handin, right),
        nothing,
    )
    said = watch(project, script, answer=str(handin))
    both = ["test_value", "test_comes_back"]
    assert script.tested(1) == script.tested(2) == both
    assert script.tested(3) == ["test_value"], "what failed names lines, what passed holds"
    assert "run 2: kernel/message.c changed; building" in said and "run 2: newly failing: value" in said
    assert "kernel/message.c:5:" in said and "run 4: from before: 60 of 100 points; waiting for a save" in said
    assert script.tested(5) == [] and "run 5: newly passing: value" in said, "it is the first build again"
    assert script.tested(6) == [] and "run 6: what is built is the same: every verdict holds" in said
    assert "run 7: There is nothing to test" in said and "none of its files is there" in said
    assert script.tested(8) == [] and "run 8: 100 of 100 points, 2 of 2 tests pass" in said


def test_a_save_ends_what_runs(project: Project, handin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test would have said of the old files is never heard of, and all that stands there is of the new."""
    os.mkfifo(tmp_path / "never")
    monkeypatch.setenv("NEVER", str(tmp_path / "never"))
    save(handin, ANSWER.format("WAITS"))
    marked: list[bool] = []

    def saved_again(standing: Standing) -> None:
        assert standing.phase is Phase.TESTING and standing.lines["test_value"].current
        save(handin, ANSWER.format("WRONG"))
        script.on = (Happened.BEGAN, Happened.ENDED)

    def begun(standing: Standing) -> None:
        marked.append(any(line.current for line in standing.lines.values()))
        script.on = (Happened.ENDED,)

    script = Script(saved_again, begun, nothing, on=(Happened.TESTED,))
    watch(project, script, answer=str(handin))
    assert marked == [False]
    assert script.tested(1) == ["test_value"] and script.tested(2) == ["test_value", "test_comes_back"]
    assert script.shown[-1][:2] == (2, Happened.ENDED)


def test_tests_that_change_are_read_again(project: Project, handin: Path) -> None:
    """An author's tests, or a student's after git pull; broken ones are said to be broken."""
    place = {"labs/small/tests/test_small.py": TESTS}
    script = Script(
        lambda _: put(project.root, {"labs/small/tests/test_small.py": "nonsense("}),
        lambda _: put(project.root, place),
        nothing,
    )
    said = watch(project, script, answer=str(handin), only=("value",))
    assert "the lab's tests cannot be used" in said and "SyntaxError" in said
    assert script.tested(3) == ["test_value"] and "(only value)" in said


def test_workers_that_read_other_tests_than_we_did(
    project: Project, handin: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As while git switches branches: what they say is nobody's problem, for the notice of it is on its way."""
    tests = project.root / "labs/small/tests"
    gone = tests.with_name("gone")

    def starting(folder: Path, workers: int) -> Pool:
        if not moved:
            moved.append(tests.rename(gone))
        return Pool(folder, workers)

    def noticed(noticing: Noticing) -> bool:
        assert script.session is not None
        if script.session._pool is not None:
            return False  # the system is late: the workers' word comes first
        if gone.exists():
            gone.rename(tests)
        return told(noticing)

    moved: list[Path] = []
    told = Noticing.noticed
    monkeypatch.setattr(session, "Pool", starting)
    monkeypatch.setattr(Noticing, "noticed", noticed)
    script = Script(nothing)
    said = watch(project, script, answer=str(handin))
    assert moved and "run 2: 100 of 100 points" in said and "cannot be used" not in said


def test_again_is_with_other_values(project: Project, handin: Path) -> None:
    """The seed of a session stays, until everything is asked for again."""
    found: list[str] = []

    def again(standing: Standing) -> None:
        found.append(standing.seed)
        assert script.session is not None
        script.session.again()

    def seen(standing: Standing) -> None:
        found.append(standing.seed)
        save(handin, ANSWER.format("WRONG"))

    script = Script(again, seen, lambda standing: found.append(standing.seed))
    watch(project, script, answer=str(handin))
    first, second, third = found
    assert first != second == third
    assert script.tested(2) == ["test_value", "test_comes_back"]


def test_a_grader_that_changes_begins_anew(project: Project, handin: Path) -> None:
    """This process runs the old one."""
    script = Script(lambda _: put(project.root, {"grader/new.py": "new"}), nothing)
    with pytest.raises(GraderChanged):
        watch(project, script, answer=str(handin))


def test_a_full_disk_is_said(project: Project, handin: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By no fault of the answer's; the next save is another try."""
    faults = [Ungradable("the disk is full")]

    def build(project: Project, tree: Tree, sandbox: Sandbox) -> Build:
        if faults:
            raise faults.pop()
        return build_tree(project, tree, sandbox)

    monkeypatch.setattr(building, "build_tree", build)
    script = Script(lambda _: save(handin, ANSWER.format("WRONG")), nothing)
    said = watch(project, script, answer=str(handin), only=("value",))
    assert "by no fault of the answer's:\n│ the disk is full" in said
    assert "run 2: failed: test_value" in said


@pytest.mark.parametrize(
    ("lab", "answer", "only", "reason"),
    [
        ("smal", "", (), "did you mean small"),
        ("small", "/nowhere/at/all", (), "a hand-in is a folder or an archive"),
        ("small", "starter", ("nonsense",), "there is no test 'nonsense'"),
    ],
)
def test_what_is_not_there_is_said_at_once(
    project: Project, lab: str, answer: str, only: tuple[str, ...], reason: str
) -> None:
    """Nobody waits for a save of what does not exist."""
    with pytest.raises(WrongUse, match=reason):
        watch(project, Script(), lab=lab, answer=answer, only=only)


def test_another_branch(tmp_path: Path) -> None:
    """A student who switches to another lab watches that one; who named a lab is told."""
    author = course(tmp_path / "author")
    with_upper_lab(author)
    published(author, tmp_path / "out", "small", "upper")
    student = clone(tmp_path / "out", tmp_path / "student", "lab/small")
    labs: list[str] = []

    def switch(branch: str) -> Step:
        def step(standing: Standing) -> None:
            labs.append(standing.lab.name)
            git(student.root, "switch", "--quiet", branch)

        return step

    said = watch(student, Script(switch("lab/upper"), nothing), lab="small")
    assert labs == ["small"] and "run 2: There is nothing to test:\n│ this checkout is the lab upper" in said

    steps: tuple[Step, ...] = (switch("lab/small"), lambda standing: labs.append(standing.lab.name))
    said = watch(student, Script(*steps), lab=None)
    assert labs[1:] == ["upper", "small"], said


# What is shown.


def line(name: str, stage: int, verdict: Verdict | None) -> Line:
    """A test with its last verdict."""
    if verdict is None:
        return Line(requirement(name, stage))
    graded = passed(name, stage) if verdict is Verdict.PASSED else failed(name, stage)
    return Line(graded.requirement, graded)


def test_what_failed_runs_first() -> None:
    """Of the lowest unfinished stage, for that is what is being worked on; then stage by stage."""
    lines = [
        line("a", 1, Verdict.PASSED),
        line("b", 2, Verdict.PASSED),
        line("c", 2, Verdict.FAILED),
        line("d", 3, Verdict.PASSED),
        line("e", 3, Verdict.FAILED),
    ]
    assert [one.requirement.name for one in order(lines)] == ["c", "a", "b", "e", "d"]
    fresh = [line("a", 2, None), line("b", 1, None)]
    assert [one.requirement.name for one in order(fresh)] == ["b", "a"]


def standing(project: Project, *lines: Line) -> Standing:
    """A board with these tests, of two stages."""
    made = Standing(small_lab(project), "starter", "abc", run=2, phase=Phase.TESTING, changed=("kernel/a.c",))
    made.lines = {one.requirement.name: one for one in lines}
    return made


def drawn(made: Standing, width: int, height: int) -> list[str]:
    """The rows of a screen of this size, in a terminal without colour."""
    console = Console(file=io.StringIO(), width=width, height=height, force_terminal=True, color_system=None)
    console.set_alt_screen(True)
    console.file = io.StringIO()
    Screen(console).show(made, Happened.TIME_PASSED)
    text = console.file.getvalue()
    rows = [row for row in text.replace("\x1b[", "\n\x1b[").split("\n") if row]
    return [row.split("H", 1)[1] for row in rows if "H" in row]


@pytest.mark.parametrize(("width", "height"), [(80, 24), (200, 60), (40, 10), (20, 3)])
def test_the_board_fits(project: Project, width: int, height: int) -> None:
    """Whatever the size, one row a line, none too long, and nothing of a guest gets to the terminal."""
    bad = failed("test_bad", 2, said=plain(ATTACK))
    made = standing(project, line("test_a", 1, Verdict.PASSED), Line(bad.requirement, bad, current=True))
    made.notes = (plain(ATTACK),)
    rows = drawn(made, width, height)
    assert len(rows) == height and all(len(row) <= width for row in rows)
    text = "\n".join(rows)
    assert not any(character in text for character in FORBIDDEN) and "::error" not in text and "##vso" not in text


def test_marks_say_what_is_of_before(project: Project) -> None:
    """Without colour too."""
    lines = [line("test_old", 1, Verdict.PASSED), line("test_bad", 1, Verdict.FAILED), line("test_run", 1, None)]
    lines += [line("test_new", 1, Verdict.FAILED), line("test_good", 1, Verdict.PASSED), line("test_none", 1, None)]
    lines[2].running = lines[3].current = lines[4].current = True
    made = standing(project, *lines)
    assert any(",f*F.-" in row for row in drawn(made, 80, 20))
    tall = "\n".join(drawn(made, 80, 60))
    assert "(pass) old" in tall and " FAIL  new" in tall and "run    run" in tall
    assert Stage(1, "First", 40) in made.lab.stages and "First" in tall


# At the command line.


def start(*arguments: str, stdin: int, stdout: int, stderr: int) -> subprocess.Popen[bytes]:
    """`./lab watch` on one test of the real warm-up lab."""
    command = [*COMMAND, "watch", "boot", "--answer", "starter", "--only", "preemptions_are_counted", *arguments]
    environment = {name: value for name, value in ENVIRONMENT.items() if name not in ("COLUMNS", "LINES")}
    environment["TERM"] = "xterm"
    return subprocess.Popen(command, env=environment, start_new_session=True, stdin=stdin, stdout=stdout, stderr=stderr)


def test_in_a_terminal() -> None:
    """A screen of its own, drawn again when the size changes; `q` ends it, and the terminal is as it was."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    before = termios.tcgetattr(theirs)
    process = start(stdin=theirs, stdout=theirs, stderr=theirs)
    try:
        shown = read_until(ours, b"0 of 1 tests pass")
        assert b"\x1b[?1049h" in shown and b"building" in shown
        termios.tcsetwinsize(theirs, (40, 100))
        process.send_signal(signal.SIGWINCH)
        read_until(ours, b"\x1b[40;1H")
        os.write(ours, b"fq")
        assert b"boot: 0 of 7 points" in read_until(ours, b"shows the whole board").split(b"\x1b[?1049l")[1]
        assert process.wait(20) == 0
        assert termios.tcgetattr(theirs) == before
    finally:
        process.kill()
        process.wait()
        os.close(ours)
        os.close(theirs)


def test_without_a_terminal() -> None:
    """Plain lines, without a control code; Ctrl-C ends it with the usual status, and its workers too."""
    process = start("--seed", "abc", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    shown = read_until(process.stdout.fileno(), b"waiting for a save")
    assert b"\x1b" not in shown and b"seed abc" in shown and b"--seed abc" in shown
    assert b"FAIL test_preemptions_are_counted" in shown and b"run 1: 0 of 7 points" in shown
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 130
    assert b"interrupted; nothing is left running" in process.communicate()[1]
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)  # nobody is left of the session
