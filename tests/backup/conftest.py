"""Small disks, a key, and a bucket."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support import objectstore
from support.gate import eventually
from support.postgres import free_port, private_directory


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


@pytest.fixture(scope="session")
def age_key(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """An age key: what it encrypts for, and the file with its secret."""
    if not shutil.which("age-keygen"):
        pytest.skip("age is not installed")
    file = tmp_path_factory.mktemp("age") / "key"
    subprocess.run(["age-keygen", "-o", file], check=True, capture_output=True)
    public = re.search(r"public key: (age1\w+)", file.read_text())
    assert public
    return public[1], str(file)


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """OpenStack Swift with its S3 door and a bucket, as environment variables."""
    pytest.importorskip("swift")
    from tidegate.container.backup import stores

    folder, port = Path(tmp_path_factory.mktemp("store")), free_port()
    try:
        probe = folder / "probe"
        probe.touch()
        os.setxattr(probe, "user.tidegate", b"1")
    except OSError:
        pytest.skip("Swift keeps its facts in extended attributes, and there are none here")
    process = subprocess.Popen([sys.executable, objectstore.__file__, str(folder), str(port)],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    env = {"AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{port}",
           "AWS_ACCESS_KEY_ID": objectstore.KEY,
           "AWS_SECRET_ACCESS_KEY": objectstore.SECRET}  # fmt: skip
    try:
        eventually(lambda: answers(port), 30, "the store")
        stores._client(env, env["AWS_ENDPOINT_URL_S3"]).create_bucket(Bucket="shop-backups")
        yield env
    finally:
        process.kill()
        process.wait()


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True
