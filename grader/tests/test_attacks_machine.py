"""Hand-ins that attack the grader through the machine: each is graded, on the real kernel, and gets what it deserves.

The lab is made for this: a system call of the lab's own must give back what it was given. What a hand-in can do while
it is compiled is tested in test_attacks_handin.py, what it can do to the sandbox in test_sandbox.py.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from grader.paths import Project
from grader.progress import Progress
from grader.results import html, junit, result
from grader.testing import grading
from grader.testing.verdict import Grading, Verdict
from grader.tests.samples import FORBIDDEN
from grader.tests.test_forms import printed

HERE = Project.here()

LAB = """
title = "Echo"
summary = "A lab to attack."
[handin]
files = ["kernel/echo.c"]
[[stage]]
number = 1
title = "Echo"
points = 100
"""

TEST = '''
from grader.testing.plugin import graded

@graded(stage=1, points=100)
def test_echo(boot):
    """The call gives back what it was given."""
    machine = boot("knock")
    assert machine.finish()["echo"] == machine.nonce
'''

PROBE = """/* Asks the lab's call for an echo. */
#include "library.h"
#include "probe.h"
int main(const char *argument)
{
    probe_report("echo", (uint32_t)system_call(32, probe_number(argument, "nonce", 0), 0, 0, 0, 0));
    probe_finish();
}
"""

ECHO = """/* An answer. */
#include "interrupt.h"
#include "console.h"
#include "paging.h"
#include "ports.h"
#include "serial.h"
#include "string.h"
int lab_system_call(trap_frame_t *caller)
{
    (void)caller;
    %s
    return 0;
}
"""

PRINT = "static const char said[] = %s; for (uint32_t i = 0; i < sizeof(said) - 1; i++) serial_write(said[i]);"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project with our kernel and probes, and one lab."""
    root = tmp_path_factory.mktemp("attacked")
    for name in ("kernel", "grader"):
        (root / name).symlink_to(HERE.root / name)
    lab = root / "labs" / "echo"
    for folder in ("tests", "probes"):
        (lab / folder).mkdir(parents=True)
    (lab / "lab.toml").write_text(LAB)
    (lab / "tests" / "test_echo.py").write_text(TEST)
    (lab / "probes" / "knock.c").write_text(PROBE)
    return Project(root)


def grade(project: Project, folder: Path, body: str) -> Grading:
    """Grade a hand-in whose call does `body` and then returns 0."""
    (folder / "kernel").mkdir()
    (folder / "kernel" / "echo.c").write_text(ECHO % body)
    made = Grading("echo", "Echo", str(folder))
    grading.grade(project, grading.Request("echo", str(folder), workers=1), Progress(), made)
    assert made.gradable, made
    assert not made.message, made.message
    return made


def test_a_right_answer_gets_its_points(project: Project, tmp_path: Path) -> None:
    """The positive control of all the others."""
    made = grade(project, tmp_path, "return (int)caller->ebx;")
    assert (made.score, made.max_score) == (100, 100)
    assert made.tests[0].outcome.guest_instructions > 0


@pytest.mark.parametrize(
    ("body", "message"),
    [
        pytest.param(
            'print_format("probe echo=0x%08x\\n", caller->ebx);', r"assert 0 == \d+", id="prints-the-expected"
        ),
        pytest.param("outb(0xf4, 0);", r"assert 0 == \d+", id="forges-an-exit-status"),
        pytest.param("outw(0x604, 0x2000);", r"switched the machine off|assert 0 == \d+", id="switches-off"),
        pytest.param("outb(0x64, 0xFE);", r"reset", id="reboots"),
        pytest.param(
            "struct { uint16_t limit; uint32_t base; } __attribute__((packed)) none = {0, 0};"
            ' __asm__ volatile("lidt %0; int3" ::"m"(none));',
            r"[Tt]riple fault",
            id="triple-fault",
        ),
        pytest.param('__asm__ volatile("cli"); for (;;) { }', r"never came .* spins in lab_system_call", id="spins"),
        pytest.param('__asm__ volatile("cli; hlt");', r"never came|halted", id="halts-for-ever"),
        pytest.param("for (;;) serial_write('x');", r"never came", id="floods"),
        pytest.param("*(volatile uint32_t *)0xDEADBEEF = 1;", r"panicked|PANIC", id="faults-in-the-kernel"),
        pytest.param("memset((void *)KBASE, 0, 4096);", r".", id="overwrites-page-0"),
    ],
)
def test_what_a_kernel_does_is_judged_as_the_kernels_doing(
    project: Project, tmp_path: Path, body: str, message: str
) -> None:
    """Whatever a kernel does, it fails the test; it is never the grader's fault, and it ends in time."""
    made = grade(project, tmp_path, body)
    outcome = made.tests[0].outcome
    assert (outcome.verdict, made.score) == (Verdict.FAILED, 0)
    assert re.search(message, outcome.message), outcome.message
    assert len(json.dumps(result.to_json(made))) < 100_000


def test_nothing_that_a_kernel_prints_acts_on_its_reader(project: Project, tmp_path: Path) -> None:
    """Escapes, markup, forged results and CI commands are text, in every form that a result takes."""
    said = (
        r'"\033[2J\033]0;t\007\x9b" "31m\xe2\x80\xae</pre><script>alert(1)</script>]]>\n::error::forged\n'
        r'##vso[task.complete]\n{\"score\": 100}\npass  echo  100/100\n"'
    )
    made = grade(project, tmp_path, PRINT % said)
    result.write(made, tmp_path / "out" / "result.json")
    junit_text, page, board = junit.to_junit(made), html.to_html(made), printed(made)
    for text in (junit_text, page, board, (tmp_path / "out" / "result.json").read_text()):
        assert not any(character in text for character in FORBIDDEN)
    assert "<script" not in page and "::" not in board and "##vso" not in board and "::" not in junit_text
    assert re.search("\u2502 pass  echo  100/100", board), "a forged line stands behind the bar"
    assert made.score == 0 and result.read(tmp_path / "out" / "result.json").score == 0
