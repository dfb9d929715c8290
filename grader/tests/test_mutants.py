"""Mutants: small patches that apply, or say why they do not."""

from __future__ import annotations

from pathlib import Path

import pytest

from grader.labs.mutants import Mutant, MutantError, apply_mutant, load_mutant, load_mutants
from grader.paths import Project
from grader.tests.small_project import small_project

FILES = {"kernel/a.c": b"one\ntwo\nthree\ntwo\nfour\n", "kernel/b.c": b"x\n"}


def patched(patch: str) -> dict[str, bytes]:
    """FILES with a patch applied."""
    return apply_mutant(Mutant("m", "A sentence.", ("test",), patch), FILES)


def test_a_bare_hunk_is_placed_by_its_lines() -> None:
    """No numbers need to be kept right when the reference changes."""
    result = patched("--- a/kernel/a.c\n+++ b/kernel/a.c\n@@\n one\n-two\n+2\n+zwei\n")
    assert result == {**FILES, "kernel/a.c": b"one\n2\nzwei\nthree\ntwo\nfour\n"}


def test_numbers_decide_between_places() -> None:
    """The nearest place is taken."""
    result = patched("--- a/kernel/a.c\n+++ b/kernel/a.c\n@@ -4 +4 @@ function\n-two\n+2\n")
    assert result["kernel/a.c"] == b"one\ntwo\nthree\n2\nfour\n"


def test_a_patch_may_have_several_hunks_and_files() -> None:
    """As diff -u and git write them."""
    patch = (
        "diff --git a/kernel/a.c b/kernel/a.c\n--- a/kernel/a.c\n+++ b/kernel/a.c\n@@\n-one\n+1\n@@\n-four\n+4\n"
        "--- a/kernel/b.c\n+++ b/kernel/b.c\n@@ -1 +1 @@\n-x\n+y\n\\ No newline at end of file\n"
    )
    assert patched(patch) == {"kernel/a.c": b"1\ntwo\nthree\ntwo\n4\n", "kernel/b.c": b"y\n"}


@pytest.mark.parametrize(
    ("patch", "message"),
    [
        ("--- a/kernel/a.c\n+++ b/kernel/a.c\n@@\n-nine\n+9\n", "hunk 1 .kernel/a.c. no longer applies.*nine"),
        ("--- a/kernel/a.c\n+++ b/kernel/a.c\n@@\n-two\n+2\n", "fits lines 2, 4"),
        ("--- a/kernel/c.c\n+++ b/kernel/c.c\n@@\n-two\n+2\n", "no file kernel/c.c"),
        ("--- a/kernel/a.c\n+++ b/kernel/a.c\n@@\n one\n", "changes nothing"),
        ("--- a/kernel/a.c\n+++ b/kernel/a.c\n@@\n+2\n", "no line that says where"),
        ("--- a/kernel/a.c\n+++ b/kernel/a.c\n@@ nonsense\n-two\n", "not a hunk's head"),
        ("--- a/kernel/a.c\n+++ b/kernel/a.c\n@@\n*two\n", "begins with space, - or"),
        ("nothing at all\n", "changes nothing"),
    ],
)
def test_a_patch_that_does_not_apply_is_an_error(patch: str, message: str) -> None:
    """A mutant that does nothing would prove nothing."""
    with pytest.raises(MutantError, match="(?s)mutant m.*" + message):
        patched(patch)


def test_mutants_are_read_from_their_files(tmp_path: Path) -> None:
    """Name, misconception and the tests that catch it."""
    project = small_project(tmp_path)
    assert [mutant.name for mutant in load_mutants(project.solution("small"))] == ["doubled"]
    mutant = load_mutant(project.solution("small"), "doubled")
    assert mutant is not None and mutant.fails == ("test_value",)
    assert load_mutant(project.solution("small"), "../mutants/doubled") is None


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("misconception", "idea", "unknown key 'idea'"),
        ('["test_value"]', "[]", "fails must be a list"),
        ('["test_value"]', '"test_value"', "fails must be a list"),
        ("patch", "name = 'x'\npatch", "name is 'x'"),
        ("fails", "fails = ", "line 3"),
        ("patch", "schedules = true\npatch", "schedules must be a number"),
    ],
)
def test_a_wrong_mutant_file_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    """The message names the file and the key."""
    project = small_project(tmp_path)
    file = project.solution("small") / "mutants/doubled.toml"
    file.write_text(file.read_text().replace(old, new, 1))
    with pytest.raises(MutantError, match=f"small/mutants/doubled.toml: .*{message}"):
        load_mutants(project.solution("small"))


def test_every_mutant_of_this_project_can_be_read() -> None:
    """Whether they apply and are caught is what the labs' proof shows."""
    project = Project.here()
    for name in project.lab_names():
        load_mutants(project.solution(name))
