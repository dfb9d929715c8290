"""Trees: what each answer is composed of."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from grader.faults import HandinFault, WrongUse
from grader.labs.lab_file import Lab, load_lab, load_labs
from grader.labs.mutants import load_mutants
from grader.labs.stages import MarkerError
from grader.labs.tree import Answer, base_files, compose, write_files, write_tree
from grader.paths import Project
from grader.tests.small_project import put, small_lab, small_project
from grader.tests.test_stages import FIRST, REFERENCE, STARTER


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A small project in a folder with a space in its name."""
    return small_project(tmp_path / "a checkout")


@pytest.fixture
def lab(project: Project) -> Lab:
    """Its lab."""
    return small_lab(project)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("starter", Answer("starter")),
        ("stage:2", Answer("stage", "2")),
        ("mutant:doubled", Answer("mutant", "doubled")),
        ("./starter", Answer("path", "./starter")),
        ("C:/x", Answer("path", "C:/x")),
    ],
)
def test_an_answer_is_named_on_the_command_line(text: str, answer: Answer) -> None:
    """What is none of the words is a path."""
    assert Answer.parse(text) == answer
    assert str(answer) == text


@pytest.mark.parametrize("text", ["", "stage:", "stage:two", "mutant:"])
def test_half_an_answer_is_wrong_use(text: str) -> None:
    """The message shows how to write it."""
    with pytest.raises(WrongUse, match="--answer"):
        Answer.parse(text)


@pytest.mark.parametrize(
    ("answer", "text"),
    [("starter", STARTER), ("stage:0", STARTER), ("stage:1", FIRST), ("stage:2", REFERENCE), ("reference", REFERENCE)],
)
def test_a_tree_has_the_answers_files(project: Project, lab: Lab, answer: str, text: str) -> None:
    """Baseline, lab and answer lie over one another; what the lab removes is gone."""
    tree = compose(project, lab, Answer.parse(answer))
    assert tree.files["kernel/message.c"].decode() == text
    assert "kernel/given.c" in tree.files
    assert "kernel/old.c" not in tree.files
    assert "kernel/message.c" not in tree.given
    assert set(tree.probes) == {"probes/probe.h", "probes/probe.c", "probes/knock.c"}
    assert tree.trusted


def test_a_mutant_is_the_reference_with_its_patch(project: Project, lab: Lab) -> None:
    """Nothing else changes."""
    reference, mutant = (compose(project, lab, Answer.parse(text)) for text in ("reference", "mutant:doubled"))
    assert {path for path in mutant.files if mutant.files[path] != reference.files[path]} == {"kernel/message.c"}
    assert b"value * 2" in mutant.files["kernel/message.c"]


def test_a_hand_in_is_not_trusted(project: Project, lab: Lab, tmp_path: Path) -> None:
    """Only the listed files are taken, and a note says that others are not."""
    handin = put(tmp_path / "hand in", {"kernel/message.c": "int mine;\n", "kernel/Makefile": "all:\n\ttouch /tmp/x\n"})
    tree = compose(project, lab, Answer("path", str(handin)))
    assert tree.files["kernel/message.c"] == b"int mine;\n"
    assert b"touch" not in tree.files["kernel/Makefile"]
    assert not tree.trusted
    assert len(tree.notes) == 1 and tree.notes[0].startswith("kernel/Makefile: is not among the files")


def test_a_students_own_files_are_an_answer(project: Project, lab: Lab) -> None:
    """In a student's tree the files of the checkout are graded."""
    with pytest.raises(HandinFault, match="none of its files is there"):
        compose(project, lab, Answer("own"))
    put(project.root, {"kernel/message.c": "int own;\n"})
    tree = compose(project, lab, Answer("own"))
    assert tree.files["kernel/message.c"] == b"int own;\n"
    assert tree.notes == ()


def test_the_same_sources_give_the_same_tree(project: Project, lab: Lab, tmp_path: Path) -> None:
    """The digest depends on paths and contents only, not on where the checkout lies, nor on what editors leave."""
    digests = {compose(project, lab, Answer("reference")).digest for _ in range(2)}
    twin = small_project(tmp_path / "twin")
    put(twin.root, {"kernel/.main.c.swp": "x", "kernel/main.c~": "x", "kernel/main.o": "x"})
    digests.add(compose(twin, small_lab(twin), Answer("reference")).digest)
    assert len(digests) == 1
    digests.add(compose(project, lab, Answer("starter")).digest)
    assert len(digests) == 2


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ("stage:3", "has stages 1 to 2"),
        ("mutant:other", "no mutant 'other': there are doubled"),
        ("/nowhere", "No such file"),
    ],
)
def test_an_answer_that_is_not_there_is_wrong_use(project: Project, lab: Lab, answer: str, message: str) -> None:
    """The message names what there is."""
    with pytest.raises(WrongUse, match=message):
        compose(project, lab, Answer.parse(answer))


def test_without_solutions_only_hand_ins_can_be_graded(project: Project, lab: Lab) -> None:
    """A student's tree has no solutions, and says so."""
    (project.root / "solutions").rename(project.root / "elsewhere")
    with pytest.raises(WrongUse, match="there is no solutions/small here"):
        compose(project, lab, Answer("reference"))


@pytest.mark.parametrize(
    ("path", "text", "message"),
    [
        ("kernel/hidden.c", "int a;\n", "solutions/small/kernel/hidden.c:1: .* does not list kernel/hidden.c"),
        ("kernel/extra.c", "// STAGE 3 {\n// STAGE 3 }\n", "a stage after the last one"),
        ("kernel/message.c", "// STAGE 1 FILE\n", "must be optional"),
        ("kernel/extra.c", "// STAGE 1 {\n", "solutions/small/kernel/extra.c:1: STAGE 1 { is never closed"),
    ],
)
def test_a_wrong_solution_is_an_error(project: Project, lab: Lab, path: str, text: str, message: str) -> None:
    """The project's own mistakes are named with file and line."""
    put(project.solution("small"), {path: text})
    with pytest.raises(MarkerError, match=message):
        compose(project, lab, Answer("starter"))


def test_a_tree_is_written_into_an_empty_folder_only(project: Project, lab: Lab, tmp_path: Path) -> None:
    """Nobody's files are overwritten."""
    tree = compose(project, lab, Answer("reference"))
    write_tree(tree, tmp_path / "out")
    assert (tmp_path / "out/kernel/message.c").read_text() == REFERENCE
    assert (tmp_path / "out/probes/knock.c").is_file()
    with pytest.raises(WrongUse, match="is not empty"):
        write_tree(tree, tmp_path / "out")


def test_every_answer_of_this_project_composes() -> None:
    """Starter, each stage and each mutant of each lab: markers are sound and patches apply."""
    project = Project.here()
    for lab in load_labs(project):
        if project.solution(lab.name).is_dir():
            stages = [Answer("stage", str(stage)) for stage in range(len(lab.stages) + 1)]
            mutants = [Answer("mutant", mutant.name) for mutant in load_mutants(project.solution(lab.name))]
            for answer in [*stages, *mutants]:
                assert compose(project, lab, answer).answer


def test_a_lab_may_give_second_copies_of_the_baselines_files(project: Project, lab: Lab) -> None:
    """A copy has the baseline's content, whatever the answer makes of the file itself."""
    source = sorted(path.name for path in project.kernel.glob("*.c"))[0]
    with_copy = replace(lab, copy={"kernel/user/given/again.c": f"kernel/{source}"})
    tree = compose(project, with_copy, Answer.parse("reference"))
    assert tree.given["kernel/user/given/again.c"] == (project.kernel / source).read_bytes()
    with pytest.raises(WrongUse, match=r"the baseline has no kernel/none\.c"):
        compose(project, replace(lab, copy={"kernel/x.c": "kernel/none.c"}), Answer.parse("reference"))


UPPER_TOML = """
title = "A lab that builds on the small one"
summary = "For tests."
builds_on = "small"
remove = ["kernel/given.c"]

[handin]
files = ["kernel/message.c"]

[[stage]]
number = 1
title = "First"
points = 100
"""
UPPER_MESSAGE = REFERENCE + "// STAGE 1 {\nint more;\n// STAGE 1 }\n"


@pytest.fixture
def upper(project: Project) -> Lab:
    """A lab that builds on the small one."""
    put(project.lab("small"), {"../upper/lab.toml": UPPER_TOML, "../upper/kernel/user/mine.c": "int mine;\n"})
    put(project.root / "solutions/upper", {"kernel/message.c": UPPER_MESSAGE})
    return load_lab(project, "upper")


def test_a_lab_may_build_on_another_one_finished(project: Project, upper: Lab) -> None:
    """It starts from the other's reference and given files, and its own lie over them; the other's removals hold."""
    tree = compose(project, upper, Answer("starter"))
    assert tree.given["kernel/message.c"].decode() == REFERENCE
    assert tree.files["kernel/message.c"].decode() == REFERENCE
    assert {"kernel/user/mine.c", "kernel/main.c"} <= set(tree.given)
    assert not {"kernel/old.c", "kernel/given.c"} & set(tree.given)
    assert compose(project, upper, Answer("reference")).files["kernel/message.c"].decode() == REFERENCE + "int more;\n"


def test_without_solutions_the_finished_base_lies_beside_the_lab(project: Project, upper: Lab) -> None:
    """As in a published course: nothing else of the other lab is needed, and the tree is the same."""
    before = compose(project, upper, Answer("none"))
    base = base_files(project, upper)
    (project.root / "solutions").rename(project.root / "elsewhere")
    (project.labs / "small").rename(project.root / "elsewhere-too")
    with pytest.raises(WrongUse, match="neither solutions/small nor, as in what is published, labs/upper/base/kernel"):
        compose(project, upper, Answer("none"))
    write_files(upper.folder / "base", base)
    assert compose(project, upper, Answer("none")).given == before.given


def test_labs_build_on_labs_that_start_from_the_baseline(project: Project, upper: Lab) -> None:
    """A tower of labs would make every change at its foot a change of all."""
    put(project.lab("small"), {"../third/lab.toml": UPPER_TOML.replace('"small"', '"upper"')})
    with pytest.raises(WrongUse, match="upper builds on small"):
        compose(project, load_lab(project, "third"), Answer("none"))
