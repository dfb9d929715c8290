"""Where things lie, and where the cache goes when the checkout cannot be written."""

from __future__ import annotations

from pathlib import Path

import pytest

from grader import paths
from grader.faults import Ungradable, WrongUse
from grader.paths import Project, can_be_written
from grader.tests.small_project import small_project


def test_the_cache_lies_in_the_checkout(tmp_path: Path) -> None:
    """An ordinary checkout keeps its own cache, so that removing the checkout removes all."""
    assert Project(tmp_path).cache == tmp_path / ".cache"


def test_a_read_only_checkout_has_its_cache_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkout that cannot be written (here: a file where the cache would be) can still be graded in."""
    checkout = tmp_path / "read only"
    checkout.mkdir()
    (checkout / ".cache").write_text("in the way")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "elsewhere"))
    assert Project(checkout).cache == tmp_path / "elsewhere" / "kernelist"


def test_no_place_for_the_cache_is_ungradable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing can be written the grader says so, naming the places it tried."""
    monkeypatch.setattr(paths, "can_be_written", lambda folder: False)
    with pytest.raises(Ungradable, match="no place for the cache"):
        _ = Project(tmp_path).cache


def test_a_link_is_no_cache(tmp_path: Path) -> None:
    """What lies in the cache is booted, so a link that somebody put there is not followed."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert not can_be_written(tmp_path / "link")


def test_labs_are_known_by_their_lab_toml(tmp_path: Path) -> None:
    """An unknown lab is wrong use, and the message names those there are."""
    project = small_project(tmp_path)
    (tmp_path / "labs" / "notes").mkdir()
    assert project.lab_names() == ["small"]
    with pytest.raises(WrongUse, match=r"no lab '\.\./kernel': the labs are small"):
        project.lab("../kernel")
