"""What can be said of the images of docker/ without an engine; tools/containers.py builds them and tries the rest."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from grader.host import tools
from grader.host.sandbox import CONTAINED

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import containers  # noqa: E402
from project import Outcome  # noqa: E402

DOCKERFILE = (ROOT / "docker/Dockerfile").read_text(encoding="utf-8")


def test_every_tool_is_in_the_images() -> None:
    """In the part that both share, but for GDB, which no autograder needs."""
    shared, _, rest = DOCKERFILE.partition("AS autograder")
    for tool in tools.TOOLS:
        for package in tool.packages["apt"].split():
            assert re.search(rf"\b{re.escape(package)}\b", rest if tool.what == "GDB" else shared), package
    assert f"{CONTAINED}=1" in shared


def test_the_images_name_no_address_and_end_as_ordinary_users() -> None:
    """Where packages come from is the base image's business."""
    assert "://" not in DOCKERFILE
    assert re.findall(r"^FROM (\S+) AS (\w+)", DOCKERFILE, re.M) == [
        ("debian:bookworm-slim", "tools"),
        ("tools", "autograder"),
        ("tools", "student"),
    ]
    assert re.findall(r"^USER (\w+)", DOCKERFILE, re.M) == ["grader", "student"]


@pytest.mark.parametrize(
    ("docker", "said"),
    [("", "docker is not installed"), ("#!/bin/sh\necho Cannot connect >&2; exit 1\n", "answers (Cannot connect)")],
)
def test_without_an_engine_it_is_said(
    docker: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And nothing is counted, neither as passed nor as failed."""
    if docker:
        (tmp_path / "docker").write_text(docker)
        (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/nowhere")
    assert containers.containers() == Outcome()
    assert said in capsys.readouterr().out
