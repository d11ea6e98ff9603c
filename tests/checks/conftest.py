"""Fixtures of the tests that run containers."""

from __future__ import annotations

import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from checks.engine import BASE, PACKAGES, remove


@pytest.fixture(scope="session")
def docker() -> Callable[..., str]:
    """Run docker and return all it printed; skipped without an engine."""

    def run(*argv: str, cwd: Path | None = None, timeout: float = 300) -> str:
        done = subprocess.run(
            ["docker", *argv], cwd=cwd, capture_output=True, text=True, timeout=timeout, check=False
        )
        return done.stdout + done.stderr

    try:
        there = (
            subprocess.run(
                ["docker", "info"], capture_output=True, timeout=30, check=False
            ).returncode
            == 0
        )
    except (OSError, subprocess.TimeoutExpired):
        there = False
    if not there:
        pytest.skip("no Docker engine is running")
    return run


@pytest.fixture(scope="session")
def base_image(docker: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> str:
    """An image with the frameworks, made once."""
    folder = tmp_path_factory.mktemp("base")
    packages = " ".join(f"'{one}'" for one in PACKAGES.split())
    (folder / "Dockerfile").write_text(
        f"FROM python:3.11-slim\nRUN pip install --no-cache-dir {packages}\n"
    )
    said = docker("build", "-t", BASE, str(folder))
    if BASE not in docker("image", "ls", BASE):
        pytest.skip(f"the image for these tests can't be built: {said[-300:]}")
    return BASE


@pytest.fixture
def project_name(docker: Callable[..., str], tmp_path: Path) -> Iterator[str]:
    """A name of its own for Compose; its containers and volumes are removed afterwards."""
    name = f"doctor-{uuid.uuid4().hex[:10]}"
    yield name
    remove(docker, name, tmp_path)
