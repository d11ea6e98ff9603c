"""Small disks."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.postgres import private_directory


@pytest.fixture
def disk() -> Iterator[Callable[[int], Path]]:
    """Mount file systems of so many megabytes."""
    made: list[Path] = []

    def mount(megabytes: int) -> Path:
        folder = private_directory("tidegate-disk-")
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=1777", "tmpfs", str(folder)],
            check=False, capture_output=True,
        )  # fmt: skip
        if mounted.returncode:
            pytest.skip("no file system can be mounted here")
        made.append(folder)
        return folder

    yield mount
    for folder in made:
        subprocess.run(["umount", "-l", str(folder)], check=True)
