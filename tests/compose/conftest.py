"""One engine and one base image for all tests of this folder."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.gate import Runner
from support.stacks import BASE, BASE_DOCKERFILE, Stack, docker, engine_missing


@pytest.fixture(scope="session")
def engine() -> None:
    """A container engine with Compose, and the image that every small app is built on."""
    missing = engine_missing()
    if missing:
        pytest.skip(missing)
    if not docker("image", "ls", "-q", BASE):
        subprocess.run(
            ["docker", "build", "-q", "-t", BASE, "-"], input=BASE_DOCKERFILE, text=True,
            check=True, capture_output=True, timeout=300,
        )  # fmt: skip


@pytest.fixture
def stack(
    engine: None, tidegate: Runner, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Stack]]:
    """Make Compose projects; whatever they started is removed at the end."""
    made: list[Stack] = []
    shared = tmp_path_factory.getbasetemp() / "home"
    shared.mkdir(exist_ok=True)

    def make(folder: str = "project") -> Stack:
        made.append(Stack(tmp_path / folder, tidegate, shared))
        return made[-1]

    yield make
    tidegate.close()
    for one in made:
        one.remove()
